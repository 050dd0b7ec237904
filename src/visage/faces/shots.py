"""How a picture of a person is taken: expression, pose, light, camera, background.

A shot is a number too: everything about it follows from its own seed, whoever stands before the
camera.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from visage.faces.camera import Camera, WeakPerspective, rotation_matrix
from visage.faces.expressions import EXPRESSIONS, sample_expressions
from visage.faces.light import LIGHT_KINDS, Light, LightKind, seeded_lights
from visage.faces.population import People, PopulationError
from visage.faces.shape import MorphableModel
from visage.faces.skin import Skin, skin_colour

__all__ = ["EVERYDAY", "ShotRanges", "Shots", "shots"]

_EVENLY = dict.fromkeys(EXPRESSIONS, 1.0)
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_MIDDLE_SKIN = 0.28  # luminance of the skin for which `LightKind.exposure` is meant
_METERED = 0.3  # share of a skin's difference from it, in stops, that the camera makes up for
_GAINS = (0.85, 1.6)
_CENTRE = (0.0, -8.0, 50.0)  # mm, head frame: between the eyes, the mouth and the ears


@dataclass(frozen=True)
class ShotRanges:
    """What shots are drawn from, uniformly; angles in degrees, to both sides of zero."""

    yaw: float = 35.0  # the farthest at which both eyes are well seen
    pitch: float = 10.0
    roll: float = 6.0
    width: tuple[float, float] = (275.0, 350.0)  # mm at the head that the picture shows
    shift: float = 0.05  # of the face's centre from the picture's, in sides
    # mm from camera to head: across a table to a long lens, by its logarithm; None is weak
    # perspective, infinitely far.
    distance: tuple[float, float] | None = (700.0, 3000.0)
    intensity: tuple[float, float] = (0.3, 0.9)  # of an expression that is not neutral
    # How often each expression is drawn, relative to the others; None is all of them alike.
    expressions: Mapping[str, float] | None = None
    lights: tuple[LightKind, ...] = LIGHT_KINDS


EVERYDAY = ShotRanges()
"""What people's everyday photographs show, by judgement."""


@dataclass(frozen=True, eq=False)
class Shots:
    """B shots: what changes from picture to picture."""

    seeds: Tensor  # (B,) int64, all that follows is a function of it, and of who is there
    expression: Tensor  # (B, 52)
    names: tuple[str, ...]  # B of `EXPRESSIONS`
    intensity: Tensor  # (B,), 0 to 1; 0 where the name is neutral
    camera: Camera
    light: Light

    def __len__(self) -> int:
        """Shots in the batch."""
        return len(self.seeds)


def shots(
    model: MorphableModel,
    persons: People,
    seeds: Tensor,
    size: int,
    ranges: ShotRanges = EVERYDAY,
) -> Shots:
    """Draw a shot of each person.

    Args:
        model: whose facial actions the expressions are.
        persons: B people.
        seeds: (B,) int64.
        size: of the square pictures, pixels.
        ranges: what to draw from.

    Returns:
        B shots, on the CPU; shot i depends on seeds[i], person i and the ranges only.

    Raises:
        PopulationError: there are not as many seeds as people.
    """
    if len(seeds) != len(persons):
        raise PopulationError(f"{len(seeds)} seeds for {len(persons)} people; give one each")
    drawn = [_Draw.of(seed, ranges) for seed in seeds.tolist()]
    names = tuple(draw.expression for draw in drawn)
    intensity = torch.tensor([draw.intensity for draw in drawn])
    expression = sample_expressions(model, names, intensity, persons.seeds, seeds).cpu()
    return Shots(
        seeds,
        expression,
        names,
        intensity,
        _camera(drawn, size, ranges),
        _exposed(seeded_lights(seeds, ranges.lights), persons.skin),
    )


@dataclass(frozen=True)
class _Draw:
    expression: str
    intensity: float
    angles: tuple[float, float, float]  # radians
    width: float  # mm
    shift: tuple[float, float]  # sides
    distance: float  # mm

    @classmethod
    def of(cls, seed: int, ranges: ShotRanges) -> "_Draw":
        random = np.random.default_rng([seed, 3])
        names, shares = zip(*(ranges.expressions or _EVENLY).items(), strict=True)
        chosen = names[random.choice(len(names), p=np.array(shares) / sum(shares))]
        level = random.uniform(*ranges.intensity)
        most = np.deg2rad([ranges.pitch, ranges.yaw, ranges.roll])
        angles = random.uniform(-most, most)
        width = random.uniform(*ranges.width)
        shift = random.uniform(-ranges.shift, ranges.shift, 2)
        distance = math.exp(random.uniform(*np.log(ranges.distance or (1e3, 1e3))))
        level = 0.0 if chosen == "neutral" else level
        return cls(chosen, level, tuple(angles), width, tuple(shift), distance)


def _exposed(light: Light, skin: Skin) -> Light:
    """The light as a camera exposes that meters the face: dark skin longer, fair skin shorter.

    It goes part of the way only, so that dark skin stays dark in the picture.
    """
    albedo = skin_colour(skin.melanin, skin.haemoglobin) @ light.ambient.new_tensor(_LUMINANCE)
    gain = (_MIDDLE_SKIN / albedo).pow(_METERED).clamp(*_GAINS)[:, None]
    return replace(
        light, ambient=light.ambient * gain[:, :, None], key_colour=light.key_colour * gain
    )


def _camera(drawn: list[_Draw], size: int, ranges: ShotRanges) -> Camera:
    columns = [[getattr(draw, name) for draw in drawn] for name in ("angles", "shift", "width")]
    angles, shift, width = (torch.tensor(column) for column in columns)
    angles, shift = angles.reshape(-1, 3).float(), shift.reshape(-1, 2).float()
    width = width.float()
    # The face's centre, not the head's origin between the ears, is what a photographer centres.
    centre = (rotation_matrix(angles) @ angles.new_tensor(_CENTRE))[:, :2]
    camera = WeakPerspective(
        angles, shift * width[:, None] - centre, size, size, scale=size / width
    )
    if ranges.distance is None:
        return camera
    return camera.at_distance(torch.tensor([draw.distance for draw in drawn]).float())
