"""Local binary patterns at many landmarks and scales: a descriptor without a network.

The patches of `visage.recognition.landmark_patches`, and in each cell a histogram of the uniform
local binary patterns of Ahonen, Hadid and Pietikäinen (2006), as in Chen et al. (CVPR 2013):
127,440 numbers a face. Square roots are taken of the shares, so that Euclidean distances are
Hellinger distances.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.recognition.landmark_patches import CELL, cell_histograms, scales

BINS = 59  # 58 uniform patterns, and one for all others


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
def describe_patterns(chips: Tensor, landmarks: Tensor) -> Tensor:
    """Square roots of pattern shares in every cell of every patch.

    Args:
        chips: (B, 3, 150, 150), in [0, 1].
        landmarks: (B, 68, 2), (x, y) pixels of the chips, see `chips.chip_landmarks`.

    Returns:
        (B, 5, 27, 944): scale, landmark, and 4 x 4 cells (row by row) x 59 bins.

    Raises:
        DescriptorInputError: the shapes do not fit.
    """
    found = [
        cell_histograms(binary_patterns(grey), points, BINS).flatten(2)
        for grey, points in scales(chips, landmarks)
    ]
    return (torch.stack(found, 1) / CELL**2).sqrt()
