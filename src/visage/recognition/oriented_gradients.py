"""Histograms of oriented gradients at many landmarks and scales: a descriptor without a network.

The patches of `visage.recognition.landmark_patches`, with histograms of gradient directions as in
Lowe (2004) and Dalal and Triggs (2005): 12 signed directions, each pixel weighing as much as its
gradient. A patch is divided by its sum, and square roots are taken, so that Euclidean distances are
Hellinger distances (Arandjelović and Zisserman 2012).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.recognition.landmark_patches import cell_histograms, scales

DIRECTIONS = 12


def gradients(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences of grey pictures (B, 1, H, W), their edges repeated outside.

    Returns:
        Which of `DIRECTIONS` sectors the gradient points into, (B, H, W), int64, counted from
        rightwards by way of downwards; and its length, (B, H, W).

    >>> ramp = torch.arange(3.0).expand(1, 1, 3, 3)
    >>> [v[0, 1].tolist() for v in gradients(ramp)]
    [[0, 0, 0], [1.0, 2.0, 1.0]]
    """
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")[:, 0]
    x = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    y = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    turn = torch.atan2(y, x) / (2 * math.pi)
    return (turn * DIRECTIONS).floor().long() % DIRECTIONS, torch.hypot(x, y)


@torch.no_grad()
def describe_gradients(chips: Tensor, landmarks: Tensor) -> Tensor:
    """Square roots of gradient shares in every patch.

    Args:
        chips: (B, 3, 150, 150), in [0, 1].
        landmarks: (B, 68, 2), (x, y) pixels of the chips, see `chips.chip_landmarks`.

    Returns:
        (B, 5, 27, 192): scale, landmark, and 4 x 4 cells (row by row) x 12 directions.

    Raises:
        DescriptorInputError: the shapes do not fit.
    """
    found = []
    for grey, points in scales(chips, landmarks):
        direction, length = gradients(grey)
        shares = cell_histograms(direction, points, DIRECTIONS, length).flatten(2)
        # A patch without any gradient stays 0.
        found.append((shares / (shares.sum(-1, keepdim=True) + 1e-6)).sqrt())
    return torch.stack(found, 1)
