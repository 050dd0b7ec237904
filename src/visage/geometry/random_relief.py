"""Wrinkles, folds and bumps at random, beside those that the world's people have.

The lines of the world's people are the same on every face, deeper or flatter: a network could learn
where they are instead of how light falls on them. Real faces have dimples, scars, bags and folds of
their own. So training faces get two more kinds of relief, both from smooth noise in the texture:
swellings, and grooves along the curves where a noise field is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from visage.faces.surface import SurfaceMaps


@dataclass(frozen=True)
class ReliefRanges:
    """What relief is drawn from; millimetres."""

    share: float = 0.6  # of the faces that get any
    swelling: tuple[float, float] = (0.03, 0.35)  # standard deviation, by its logarithm
    breadth: tuple[float, float] = (8.0, 30.0)  # of swellings, from one to the next
    depth: tuple[float, float] = (0.06, 0.7)  # of grooves, by its logarithm
    width: tuple[float, float] = (0.8, 2.8)  # half a groove's
    apart: tuple[float, float] = (16.0, 50.0)  # from groove to groove, where there are any
    texel: float = 512.0  # texels a side at which a texel of the face is about 1 mm


def with_random_relief(
    maps: SurfaceMaps, seeds: Sequence[int], ranges: ReliefRanges | None = None
) -> SurfaceMaps:
    """The same textures with more relief.

    Args:
        maps: of B faces.
        seeds: B; a face's relief depends on its own only.
        ranges: what to draw from.
    """
    ranges = ranges or ReliefRanges()
    more = [random_relief(seed, maps.size, ranges) for seed in seeds]
    return replace(maps, height=maps.height + torch.stack(more))


def random_relief(seed: int, size: int, ranges: ReliefRanges) -> Tensor:
    """Relief (1, size, size) mm of one face; zero for the share of faces that get none."""
    random = np.random.default_rng([seed, 17])
    if random.random() > ranges.share:
        return torch.zeros(1, size, size)
    mm = size / ranges.texel  # texels a millimetre
    swelling = _log_uniform(random, ranges.swelling)
    relief = swelling * _noise(random, size, mm * random.uniform(*ranges.breadth))
    for _ in range(2):
        apart, width = random.uniform(*ranges.apart), random.uniform(*ranges.width)
        field = _noise(random, size, mm * apart)
        where = (1.5 * _noise(random, size, 2 * mm * apart)).clamp(0, 1)
        # About the distance from the curve: the field's slope is about 4 a period.
        off = field * apart / 4 / width
        groove = 0.2 * (-((off.abs() - 2.2) ** 2)).exp() - (-(off**2)).exp()
        relief = relief + _log_uniform(random, ranges.depth) * where * groove
    return relief[None]


def _noise(random: np.random.Generator, size: int, wavelength: float) -> Tensor:
    """Smooth noise (size, size) of standard deviation 1, from `wavelength` texels to the next."""
    count = max(4, round(2 * size / wavelength))
    grid = torch.from_numpy(random.standard_normal((1, 1, count, count), dtype=np.float32))
    drawn = interpolate(grid, (size, size), mode="bicubic", align_corners=False)[0, 0]
    return drawn / drawn.std().clamp(min=1e-6)


def _log_uniform(random: np.random.Generator, between: tuple[float, float]) -> float:
    return float(np.exp(random.uniform(*np.log(between))))
