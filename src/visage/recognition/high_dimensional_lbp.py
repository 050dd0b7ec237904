"""Local binary patterns at many landmarks and scales: a descriptor without a network.

Chen, Cao, Wen and Sun, "Blessing of dimensionality: high-dimensional feature and its efficient
compression for face verification" (CVPR 2013): at each of 27 landmarks and 5 scales, a patch of
4 x 4 cells of 10 x 10 pixels, and in each cell a histogram of the uniform local binary patterns of
Ahonen, Hadid and Pietikäinen (2006). 127,440 numbers a face.

Here the landmarks are 27 that dlib's 68 give, and square roots are taken of the shares, so that
Euclidean distances are Hellinger distances.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.photos.alignment import DLIB_CHIP, to_grey

SIZES = (150, 119, 94, 75, 60)
"""Sides of the chip at each scale: steps of a fifth, from a feature to most of the face."""

CELLS, CELL = 4, 10  # cells a side of a patch, pixels a side of a cell
BINS = 59  # 58 uniform patterns, and one for all others

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

_SWAPPED = ((17, 26), (18, 25), (19, 24), (20, 23), (21, 22), (31, 35), (32, 34), (36, 45))
_SWAPPED += ((37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52))
_SWAPPED += ((55, 59), (56, 58), (60, 64), (61, 63), (65, 67), *((i, 16 - i) for i in range(8)))
_TWIN = {a: b for pair in _SWAPPED for a, b in (pair, pair[::-1])}
MIRRORED = tuple(_TWIN.get(i, i) for i in range(68))
"""Which of dlib's landmarks each one becomes in a mirror."""


class DescriptorInputError(ValueError):
    """Chips or landmarks that cannot be described."""


def anchor_points(landmarks: Tensor) -> Tensor:
    """The 27 points (B, 27, 2) of dlib's landmarks (B, 68, 2)."""
    return torch.stack([landmarks[:, list(group)].mean(1) for group in POINTS], 1)


def mirror(chips: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror images of chips (B, 3, H, W), with their landmarks (B, 68, 2) in dlib's order."""
    x, y = landmarks[:, MIRRORED].unbind(-1)
    return chips.flip(-1), torch.stack([chips.shape[-1] - 1 - x, y], -1)


def binary_patterns(grey: Tensor) -> Tensor:
    """Bin of the uniform local binary pattern at each pixel.

    Bit k says whether neighbour k of 8, clockwise from the top left, is at least as bright as the
    pixel. A pattern is uniform if it has at most two changes round the circle; the 58 uniform ones
    are numbered in the order of their bits' value, and all others share the last bin.

    Args:
        grey: (B, 1, H, W); its edge is repeated outside.

    Returns:
        (B, H, W), int64, 0 to 58.

    >>> binary_patterns(torch.zeros(1, 1, 1, 1))
    tensor([[[57]]])
    """
    height, width = grey.shape[-2:]
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")[:, 0]
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    code = torch.zeros(grey.shape[0], height, width, dtype=torch.uint8, device=grey.device)
    for bit, (y, x) in enumerate(around):
        brighter = padded[:, y : y + height, x : x + width] >= grey[:, 0]
        code += brighter.to(torch.uint8) << bit
    return uniform_bins().to(grey.device)[code.long()]


@lru_cache(maxsize=1)
def uniform_bins() -> Tensor:
    """Bin (256,) of each pattern; see `binary_patterns`."""
    bits = (torch.arange(256)[:, None] >> torch.arange(8)) & 1
    uniform = (bits != bits.roll(1, 1)).sum(1) <= 2
    return torch.where(uniform, uniform.cumsum(0) - 1, BINS - 1)


@torch.no_grad()
def describe(chips: Tensor, landmarks: Tensor) -> Tensor:
    """Square roots of pattern shares in every cell of every patch.

    Args:
        chips: (B, 3, 150, 150), in [0, 1].
        landmarks: (B, 68, 2), (x, y) pixels of the chips, see `chips.chip_landmarks`.

    Returns:
        (B, 5, 27, 944): scale, landmark, and 4 x 4 cells (row by row) x 59 bins.

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
    scales = []
    for size in SIZES:
        smaller = F.interpolate(
            grey, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
        scales.append(_patch_histograms(smaller, (points + 0.5) * (size / side) - 0.5))
    return torch.stack(scales, 1)


def _patch_histograms(grey: Tensor, points: Tensor) -> Tensor:
    """(B, 1, H, W) and (B, L, 2) to (B, L, 944); patches end where the chip's edge is repeated."""
    batch, count, height, width = len(grey), points.shape[1], *grey.shape[-2:]
    bins = binary_patterns(grey)
    offsets = torch.arange(CELLS * CELL, device=grey.device) - CELLS * CELL // 2
    # The middle of a patch lies between pixels, hence the ceiling.
    place = points.ceil().long()[..., None] + offsets  # (B, L, 2, 40)
    x, y = place[:, :, 0].clamp(0, width - 1), place[:, :, 1].clamp(0, height - 1)
    flat = bins.flatten(1).gather(1, (y[..., None] * width + x[..., None, :]).flatten(1))
    cell = torch.arange(CELLS * CELL, device=grey.device) // CELL
    number = cell[:, None] * CELLS + cell  # (40, 40), which cell of the patch
    patch = torch.arange(batch * count, device=grey.device).view(batch, count, 1, 1)
    index = (patch * CELLS**2 + number) * BINS + flat.view(batch, count, *number.shape)
    counts = torch.bincount(index.flatten(), minlength=batch * count * CELLS**2 * BINS)
    return (counts.view(batch, count, -1) / CELL**2).sqrt()
