"""Patches round a face's landmarks at several scales, and histograms of what is in their cells.

Chen, Cao, Wen and Sun, "Blessing of dimensionality: high-dimensional feature and its efficient
compression for face verification" (CVPR 2013): 27 landmarks, 5 scales, and at each a patch of 4 x 4
cells of 10 x 10 pixels. Here the 27 are made from dlib's 68.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.photos.alignment import DLIB_CHIP, to_grey

SIZES = (150, 119, 94, 75, 60)
"""Sides of the chip at each scale: steps of a fifth, from a feature to most of the face."""

CELLS, CELL = 4, 10  # cells a side of a patch, pixels a side of a cell

POINTS: tuple[tuple[int, ...], ...] = (
    *((i,) for i in (17, 19, 21, 22, 24, 26)),  # ends and arches of the brows
    *((i,) for i in (36, 39, 42, 45)),  # corners of the eyes
    (36, 37, 38, 39, 40, 41),
    (42, 43, 44, 45, 46, 47),
    *((i,) for i in (27, 29, 30, 31, 33, 35)),  # bridge, tip and base of the nose
    *((i,) for i in (48, 51, 54, 57)),  # corners and edges of the mouth
    (60, 61, 62, 63, 64, 65, 66, 67),
    (36, 48),  # cheeks
    (45, 54),
    (21, 22),  # between the brows
    (8, 57),  # chin
)
"""The 27 landmarks; each is the mean of a group of dlib's."""

PATCHES = len(SIZES) * len(POINTS)


class DescriptorInputError(ValueError):
    """Chips or landmarks that cannot be described."""


def anchor_points(landmarks: Tensor) -> Tensor:
    """The 27 points (B, 27, 2) of dlib's landmarks (B, 68, 2)."""
    return torch.stack([landmarks[:, list(group)].mean(1) for group in POINTS], 1)


def scales(chips: Tensor, landmarks: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Grey chips (B, 1, S, S) of each of `SIZES`, with the 27 points (B, 27, 2) in their pixels.

    Args:
        chips: (B, 3, 150, 150), in [0, 1].
        landmarks: (B, 68, 2), (x, y) pixels of the chips, see `chips.chip_landmarks`.

    Raises:
        DescriptorInputError: the shapes do not fit.
    """
    side = DLIB_CHIP.size
    if chips.ndim != 4 or chips.shape[1:] != (3, side, side):
        raise DescriptorInputError(
            f"chips are {tuple(chips.shape)}; expected (B, 3, {side}, {side})."
        )
    if landmarks.shape != (len(chips), 68, 2):
        raise DescriptorInputError(
            f"landmarks are {tuple(landmarks.shape)}; expected {(len(chips), 68, 2)}."
        )
    grey, points = to_grey(chips), anchor_points(landmarks)
    for size in SIZES:
        smaller = F.interpolate(
            grey, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
        yield smaller, (points + 0.5) * (size / side) - 0.5


def cell_histograms(
    bins: Tensor, points: Tensor, count: int, weights: Tensor | None = None
) -> Tensor:
    """Histograms in the cells of patches; outside the picture its edge is repeated.

    Args:
        bins: (B, H, W), int64, the bin of each pixel, 0 to ``count`` - 1.
        points: (B, L, 2), (x, y) pixels, the middles of the patches.
        count: of bins.
        weights: (B, H, W), what each pixel counts; 1 if None.

    Returns:
        (B, L, 16, count): cells row by row.
    """
    batch, patches, height, width = len(bins), points.shape[1], *bins.shape[-2:]
    side = CELLS * CELL
    # The middle of a patch lies between pixels, hence the ceiling.
    steps = torch.arange(side, device=bins.device) - side // 2
    place = points.ceil().long()[..., None] + steps  # (B, L, 2, 40)
    x, y = place[:, :, 0].clamp(0, width - 1), place[:, :, 1].clamp(0, height - 1)
    pixel = (y[..., None] * width + x[..., None, :]).flatten(1)
    cell = torch.arange(side, device=bins.device) // CELL
    number = cell[:, None] * CELLS + cell  # (40, 40), which cell of the patch
    patch = torch.arange(batch * patches, device=bins.device).view(batch, patches, 1, 1)
    bin_of = bins.flatten(1).gather(1, pixel).view(batch, patches, side, side)
    index = ((patch * CELLS**2 + number) * count + bin_of).flatten()
    if weights is not None:
        weights = weights.flatten(1).gather(1, pixel).flatten().double()
    found = torch.bincount(index, weights, minlength=batch * patches * CELLS**2 * count)
    return found.view(batch, patches, CELLS**2, count).float()
