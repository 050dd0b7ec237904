"""Grey 64-pixel faces of synthetic people: as they came, and as they should come out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.expressions import sample_expressions
from visage.faces.light import Light
from visage.faces.population import SPLITS, People, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import render
from visage.faces.shape import MorphableModel
from visage.faces.shots import ShotRanges, Shots, shots
from visage.faces.skin import Skin, skin_colour, skin_maps
from visage.faces.surface import SurfaceMaps
from visage.nfgan.errors import NfganError
from visage.nfgan.frame import aligned

SEED = 0
"""Of the world that all people of this part live in."""

_SIZE = 144  # pixels of the picture that a face is cut from: 1.5 for one of the cut
_WIDTH = (250.0, 270.0)  # mm that it shows; the cut shows about 170
_DETAIL = Detail(texture=256, strands=1200)
_PLAIN = replace(_DETAIL, supersample=2, background=False)
_BACKDROP = 0.5  # linear
_ABOVE = math.radians(30)  # of the targets' light, over the camera
# The camera's exposure for a skin, as `visage.faces.shots` has it.
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_MIDDLE_SKIN, _METERED, _GAINS = 0.28, 0.3, (0.85, 1.6)
_NORMAL_SHOT = 2**20  # the number of the shot that is a person's target
_FRONTAL = ShotRanges(yaw=0, pitch=0, roll=0, width=_WIDTH, shift=0)


@dataclass(frozen=True)
class ShotPlan:
    """What is to be drawn: shot i is of `people[i]`, who makes an expression."""

    people: tuple[int, ...]  # N numbers of people, equal ones in a row
    shots: tuple[int, ...]  # N numbers of shots, which the rest of a picture follows from
    expressions: tuple[str, ...]  # N of `visage.faces.expressions.EXPRESSIONS`
    intensities: tuple[float, ...]  # N in [0, 1]

    def __post_init__(self):
        counts = {len(self.people), len(self.shots), len(self.expressions), len(self.intensities)}
        if len(counts) > 1:
            raise NfganError("a plan needs as many shots, expressions and intensities as people")

    def __len__(self) -> int:
        return len(self.people)


def near(ranges: ShotRanges) -> ShotRanges:
    """The same shots, with the camera so near that the face fills the picture."""
    return replace(ranges, width=_WIDTH, shift=0.02)


@torch.no_grad()
def draw_inputs(split: str, plan: ShotPlan, ranges: ShotRanges) -> tuple[Tensor, Tensor]:
    """Draw people as the plan has them, with the clothes, hair and glasses that they have.

    Args:
        split: of `visage.faces.population.SPLITS`.
        plan: of N pictures; those of one person are drawn together.
        ranges: of pose and light; expression and intensity are the plan's.

    Returns:
        (N, 1, 64, 64) in [0, 1], and yaw (N,), radians.
    """
    persons, maps = _people(split, plan)
    taken = _shots(split, persons, plan, near(ranges))
    picture = render(_model(), portray(_model(), persons, taken, _DETAIL, maps=maps))
    return aligned(picture.image, picture.landmarks), taken.camera.angles[:, 1]


@torch.no_grad()
def draw_targets(split: str, numbers: Sequence[int]) -> Tensor:
    """Draw people as a normalized face should show them.

    Frontal, at rest, looking into the camera, evenly lit, before a plain background, without
    glasses; with the hair, brows and beard that they have.

    Args:
        split: of `visage.faces.population.SPLITS`.
        numbers: of the people.

    Returns:
        (P, 1, 64, 64) in [0, 1].
    """
    count = len(numbers)
    plan = ShotPlan(tuple(numbers), (_NORMAL_SHOT,) * count, ("neutral",) * count, (0.0,) * count)
    return _draw_plainly(split, plan, _FRONTAL, gaze=False)[0]


@torch.no_grad()
def draw_plainly(split: str, plan: ShotPlan, ranges: ShotRanges) -> tuple[Tensor, Tensor]:
    """Draw expressions in the targets' light, before their background, without glasses.

    Args:
        split: of `visage.faces.population.SPLITS`.
        plan: of N pictures.
        ranges: of pose; expression and intensity are the plan's.

    Returns:
        (N, 1, 64, 64) in [0, 1], and yaw (N,), radians.
    """
    return _draw_plainly(split, plan, near(ranges), gaze=True)


def _draw_plainly(
    split: str, plan: ShotPlan, ranges: ShotRanges, *, gaze: bool
) -> tuple[Tensor, Tensor]:
    persons, maps = _people(split, plan)
    bare = replace(persons.glasses, worn=torch.zeros(len(persons), dtype=torch.bool))
    persons = replace(persons, glasses=bare)
    taken = replace(_shots(split, persons, plan, ranges), light=even_light(persons.skin))
    if not gaze:
        looks = [name.startswith("eyeLook") for name in _model().expression_names]
        straight = taken.expression.masked_fill(torch.tensor(looks), 0)
        taken = replace(taken, expression=straight)
    scene = portray(_model(), persons, taken, _PLAIN, maps=maps)
    backdrop = torch.full((len(persons), 3, _SIZE, _SIZE), _BACKDROP)
    scene = replace(scene, background=backdrop)
    picture = render(_model(), scene, supersample=_PLAIN.supersample)
    return aligned(picture.image, picture.landmarks), taken.camera.angles[:, 1]


def hidden_right(faces: Tensor, yaw: Tensor) -> Tensor:
    """Mirror faces (B, 1, H, W) whose hidden side is on the picture's left: yaw (B,) below 0.

    Section 4.2: "images are flipped so that the occluded parts are on the right side".
    """
    return torch.where((yaw < 0)[:, None, None, None], faces.flip(-1), faces)


def even_light(skin: Skin) -> Light:
    """Soft white light from above and the front, alike on both sides, as bright as skin wants it.

    Light from everywhere (`visage.normalization.normal_people`) leaves no shape in a grey picture;
    this one shades gently, and a symmetric face stays symmetric. The camera meters the face as in
    `visage.faces.shots`: dark skin is exposed longer, and stays dark.
    """
    count = len(skin.melanin)
    albedo = skin_colour(skin.melanin, skin.haemoglobin) @ torch.tensor(_LUMINANCE)
    gain = (_MIDDLE_SKIN / albedo).pow(_METERED).clamp(*_GAINS)[:, None]
    ambient = torch.zeros(count, 9, 3)
    ambient[:, 0] = 0.7 * math.sqrt(4 * math.pi) * gain
    direction = torch.tensor([0.0, math.sin(_ABOVE), math.cos(_ABOVE)])
    return Light(
        ambient,
        direction.expand(count, 3),
        0.45 * gain.expand(count, 3),
        torch.full((count,), math.radians(30)),
    )


def _people(split: str, plan: ShotPlan) -> tuple[People, SurfaceMaps]:
    """The person of each picture, and their textures; each is made once."""
    once = sorted(set(plan.people))
    persons = people(_model(), SEED, once, split=split)
    maps = skin_maps(_model(), persons.skin, _DETAIL.texture)
    row = torch.tensor([once.index(number) for number in plan.people])
    return persons[row], maps[row]


def _shots(split: str, persons: People, plan: ShotPlan, ranges: ShotRanges) -> Shots:
    place = SPLITS.index(split)
    numbers = zip(plan.people, plan.shots, strict=True)
    seeds = torch.tensor([seed_of(SEED, place, n, k) for n, k in numbers], dtype=torch.int64)
    level = torch.tensor(plan.intensities)
    actions = sample_expressions(_model(), list(plan.expressions), level, persons.seeds, seeds)
    taken = shots(_model(), persons, seeds, _SIZE, ranges)
    return replace(taken, expression=actions, names=plan.expressions, intensity=level)


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()
