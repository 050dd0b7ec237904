"""People to learn a fit's priors from, and to measure fits on; and the learning.

Pictures are taken by weak perspective, 256 pixels a side, within 30 degrees, with everything that
the world has: hair, beards, glasses, clothes, all lights and all expressions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from visage.faces.camera import WeakPerspective
from visage.faces.expressions import EXPRESSIONS, sample_expressions
from visage.faces.fitting import FittingConfig, unexplained
from visage.faces.fitting.albedo_model import learn_albedo
from visage.faces.fitting.cascade import Cascade
from visage.faces.fitting.landmarks import landmark_statistics
from visage.faces.fitting.mirror import Mirror
from visage.faces.fitting.pixels import PixelStatistics, learn_pixel_statistics
from visage.faces.fitting.priors import FittingPriors, learn_expression
from visage.faces.fitting.regression import (
    RegressionStatistics,
    guess_faces,
    regression_statistics,
)
from visage.faces.light import Light
from visage.faces.population import SPLITS, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, ShotRanges, shots
from visage.faces.skin import skin_maps

SIZE = 256
WEAK = replace(EVERYDAY, yaw=30.0, distance=None)

_DETAIL = Detail(texture=512, strands=5000, supersample=2)
_COARSE = 4  # texels a side whose mean a vertex's albedo is: vertices are millimetres apart
_TOGETHER = 10
_ALBEDO_COMPONENTS = 30  # 99.9% of the sampled variance
_PATTERNS = 60  # four fifths of what light and albedo do not explain
_POINTS = 1200  # 3 to 6 mm apart; half as many more changed no error by more than noise
_EXPRESSIONS = 3000
_UNTAUGHT_STD = 0.03  # sRGB, of a pixel before anything is known
# The light and the albedo alone converge quickly.
_APPEARANCE = FittingConfig(pixel_weights=(0.1, 0.1), blur=(1.0, 0.5), steps=(8, 6))


@dataclass(frozen=True, eq=False)
class Portraits:
    """N pictures of N people, and their answers."""

    image: Tensor  # (N, 3, H, W), sRGB
    identity: Tensor  # (N, 80)
    expression: Tensor  # (N, 52)
    camera: WeakPerspective
    light: Light
    albedo: Tensor  # (N, V, 3), linear
    landmarks: Tensor  # (N, 68, 2), pixels, the model's

    def __len__(self) -> int:
        """N."""
        return len(self.image)

    def __getitem__(self, index: slice | Tensor) -> "Portraits":
        """Some of them; a slice, or a tensor of indices."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        camera = parts.pop("camera")
        chosen = {name: getattr(camera, name)[index] for name in ("angles", "translation", "scale")}
        parts = {name: part[index] for name, part in parts.items()}
        return Portraits(camera=replace(camera, **chosen), **parts)

    @classmethod
    def joined(cls, several: Sequence["Portraits"]) -> "Portraits":
        """All of several, in order."""

        def join(name: str, of: Sequence) -> Tensor:
            return torch.cat([getattr(one, name) for one in of])

        cameras, lights = [one.camera for one in several], [one.light for one in several]
        names = ("angles", "translation", "scale")
        camera = replace(cameras[0], **{name: join(name, cameras) for name in names})
        light = Light(*(join(field.name, lights) for field in fields(Light)))
        rest = {field.name: join(field.name, several) for field in fields(cls)
                if field.name not in ("camera", "light")}  # fmt: skip
        return cls(camera=camera, light=light, **rest)


@torch.no_grad()
def draw_portraits(
    model: MorphableModel,
    seed: int,
    indices: Sequence[int],
    *,
    split: str,
    size: int = SIZE,
    ranges: ShotRanges = WEAK,
    detail: Detail = _DETAIL,
) -> Portraits:
    """Take one picture of each person.

    Args:
        model: not subdivided.
        seed: of the world.
        indices: of the people.
        split: of `visage.faces.population.SPLITS`.
        size: of the square pictures, pixels.
        ranges: what shots are drawn from; weak perspective.
        detail: how finely people are made.
    """
    drawn = [
        _draw(model, seed, indices[start : start + _TOGETHER], split, size, ranges, detail)
        for start in range(0, len(indices), _TOGETHER)
    ]
    return Portraits.joined(drawn)


def _draw(model, seed, indices, split, size, ranges, detail) -> Portraits:
    persons = people(model, seed, indices, split=split)
    seeds = [seed_of(seed, SPLITS.index(split), index, 0) for index in indices]
    taken = shots(model, persons, torch.tensor(seeds), size, ranges)
    maps = skin_maps(model, persons.skin, detail.texture)
    scene = portray(model, persons, taken, detail, maps=maps)
    picture = render(model, scene, supersample=detail.supersample)
    albedo = vertex_colours(model, maps.albedo)
    return Portraits(picture.image, persons.identity, taken.expression, taken.camera, taken.light,
                     albedo, picture.landmarks)  # fmt: skip


def vertex_colours(model: MorphableModel, texture: Tensor) -> Tensor:
    """What a texture (B, C, R, R) has at the vertices, (B, V, C): one side of a seam of two."""
    place = model.uv.new_zeros(len(model.mean), 2)
    place[model.triangles.flatten()] = model.uv[model.uv_triangles.flatten()]
    grid = (2 * place - 1)[None, :, None].expand(len(texture), -1, -1, -1)
    coarse = avg_pool2d(texture, _COARSE)
    found = grid_sample(coarse, grid, align_corners=False, padding_mode="border")
    return found[..., 0].mT.contiguous()


def learn_priors(
    model: MorphableModel,
    portraits: Portraits,
    detected: Tensor,
    seed: int,
    cascade: Cascade | None = None,
) -> FittingPriors:
    """Learn what a fit knows beforehand.

    Args:
        model: the morphable model.
        portraits: of more than 60 people to learn from, none of whom is fitted later, nor known to
            the cascade.
        detected: (N, 68, 2), a detector's landmarks in their pictures.
        seed: of the expressions that are sampled.
        cascade: whose guesses are measured too.
    """
    names, levels = _expressions(torch.Generator().manual_seed(seed))
    whose = torch.arange(_EXPRESSIONS)
    expression = sample_expressions(model, names, levels, whose, whose + _EXPRESSIONS)
    untaught = FittingPriors(
        learn_albedo(portraits.albedo, min(_ALBEDO_COMPONENTS, len(portraits) - 1)),
        learn_expression(expression),
        landmark_statistics(detected, portraits.landmarks, portraits.camera),
        PixelStatistics.even(_POINTS, _UNTAUGHT_STD),
        None if cascade is None else _measured(model, portraits, detected, cascade),
    )
    left = [
        unexplained(some.image, model, untaught, some.identity, some.expression, some.camera,
                    _APPEARANCE)
        for some in (portraits[i : i + _TOGETHER] for i in range(0, len(portraits), _TOGETHER))
    ]  # fmt: skip
    residuals, seen = (torch.cat(parts) for parts in zip(*left, strict=True))
    patterns = min(_PATTERNS, len(portraits) // 4)
    return replace(untaught, pixels=learn_pixel_statistics(residuals, seen, patterns))


def _measured(model, portraits, detected, cascade) -> RegressionStatistics:
    guess = guess_faces(cascade, model, portraits.image, detected)
    shape = torch.cat([portraits.identity, portraits.expression], 1)
    return regression_statistics(guess, shape, portraits.camera, Mirror.of(model))


def _expressions(generator: torch.Generator) -> tuple[list[str], Tensor]:
    chosen = torch.randint(len(EXPRESSIONS), (_EXPRESSIONS,), generator=generator)
    names = [list(EXPRESSIONS)[index] for index in chosen]
    low, high = EVERYDAY.intensity
    levels = low + (high - low) * torch.rand(_EXPRESSIONS, generator=generator)
    neutral = torch.tensor([name == "neutral" for name in names])
    return names, levels.masked_fill(neutral, 0)
