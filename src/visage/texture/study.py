"""What the measurements of this part have in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from visage.ledger import Row
from visage.measured import mean_row, measured_result
from visage.texture.backbones import Backbone
from visage.texture.measures import band_energy_ratio, gram_distance, ssim
from visage.texture.observation import Observation
from visage.texture.window import face_region, resized
from visage.texture.yiq import luminance

PAPER = "saito2017photorealistic"

part_result = partial(measured_result, paper=PAPER)
"""`visage.measured.measured_result` of Saito et al. (2017)."""

Scores = dict[str, float]
"""Numbers of one texture, by name."""

BAND_NAMES = ("high", "middle", "low")

_FACE = (0.08, 0.14, 0.72)  # top, left and side of what is shown of a window, in sides
_LEAST = 0.01  # of the face, below which a region is too small to measure on


def scores(made: Tensor, true: Tensor, seen: Observation, backbone: Backbone) -> Scores:
    """Measure a texture against the true one.

    Args:
        made: (1, 3, S, S), sRGB-encoded.
        true: (1, 3, S, S).
        seen: what it was made from.
        backbone: of the correlations.

    Returns:
        ``high``, ``middle``, ``low``: energy of each band over the true one's, on the whole face;
        ``gram``, ``gram_visible``, ``gram_invented``: `gram_distance` on the whole face, on what
        was visible and on the rest; ``ssim_visible``, ``ssim_invented`` likewise. A region of less
        than a hundredth of the face gives NaN.
    """
    region = face_region(seen.size)
    a, b = luminance(made), luminance(true)
    found = dict(zip(BAND_NAMES, band_energy_ratio(a, b, region)[0].tolist(), strict=True))
    found["gram"] = float(gram_distance(backbone, a, b, region))
    parts = {"visible": seen.visible * region, "invented": region * (1 - seen.visible)}
    for name, part in parts.items():
        enough = float(part.sum()) >= _LEAST * float(region.sum())
        found[f"gram_{name}"] = float(gram_distance(backbone, a, b, part)) if enough else torch.nan
        found[f"ssim_{name}"] = float(ssim(a, b, part)) if enough else torch.nan
    return found


def joined(several: Sequence[Scores]) -> dict[str, Tensor]:
    """Scores of N textures, (N,) by name."""
    return {name: torch.tensor([one[name] for one in several]) for name in several[0]}


def finite_mean(
    name: str,
    values: Tensor,
    better: Literal["lower", "higher"] | None = None,
    unit: str = "",
) -> Row:
    """A row of the mean of those of values (N,) that are finite."""
    return mean_row(name, values[values.isfinite()], unit, better)


def shown(textures: Tensor, size: int | None = None) -> Tensor:
    """The face in windows (B, 3, S, S), without its surroundings, for figures.

    Args:
        textures: to cut.
        size: pixels of the pictures' side; what is cut, if None.
    """
    side = textures.shape[-1]
    top, left, width = (round(side * part) for part in _FACE)
    cut = textures[:, :, top : top + width, left : left + width]
    return (cut if size is None else resized(cut, size)).clamp(0, 1)
