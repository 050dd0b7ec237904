"""Frontalization by warping: what section 7.1 of Cole et al. (2017) compares with.

In the manner of Hassner et al. (2015): the photograph is warped so that its landmarks come to lie
where those of a frontal face do, and the side of the face that was turned away is filled from the
other side, mirrored. It removes no occlusion, no light and no expression but by accident.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.normalization.warp import warp
from visage.photos.alignment import pixel_to_grid

_NOSE, _JAW_RIGHT, _JAW_LEFT = 30, 2, 14  # of the 68 landmarks; right is the picture's left
_TURNED = 0.35  # how unequal the sides must be before one is thought hidden
_SOFT = 0.08  # of the picture's width, over which one side goes over into the other


def frontalized(faces: Tensor, landmarks: Tensor, mean: Tensor) -> Tensor:
    """Warp faces to a frontal shape and fill the far side from the near one.

    Args:
        faces: (B, 3, S, S), aligned, in [0, 1].
        landmarks: (B, 68, 2), of the faces, pixels.
        mean: (68, 2), of a frontal face, likewise.

    Returns:
        (B, 3, S, S).

    Raises:
        NormalizationError: the shapes do not fit.
    """
    straight = warp(faces, landmarks, mean[None])
    far = far_side(landmarks)
    size = faces.shape[-1]
    middle = mean[27:31, 0].mean()
    x = torch.arange(size, device=faces.device, dtype=faces.dtype)
    # 1 at the picture's left, 0 at its right, soft across the nose.
    left = ((middle - x) / (_SOFT * size) + 0.5).clamp(0, 1)
    hidden = torch.where(far[:, None] < 0, left, 1 - left) * far.abs()[:, None]  # (B, S)
    hidden = hidden[:, None, None, :]
    return straight * (1 - hidden) + _mirrored_about(straight, middle) * hidden


def far_side(landmarks: Tensor) -> Tensor:
    """Which side of a face is turned away, (B,): -1 the picture's left, 1 its right, 0 neither.

    By how near the nose's tip is to either side of the jaw; in between where it is in doubt.
    """
    nose, right, left = (landmarks[:, i, 0] for i in (_NOSE, _JAW_RIGHT, _JAW_LEFT))
    to_left, to_right = (nose - right).clamp(min=0.0), (left - nose).clamp(min=0.0)
    unequal = (to_left - to_right) / (to_left + to_right).clamp(min=1e-6)
    return unequal.sign() * ((unequal.abs() - _TURNED / 2) / (_TURNED / 2)).clamp(0, 1)


def _mirrored_about(faces: Tensor, middle: Tensor) -> Tensor:
    """Faces mirrored about the vertical line x = middle; the border is repeated."""
    height, width = faces.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=faces.device, dtype=faces.dtype),
        2 * middle - torch.arange(width, device=faces.device, dtype=faces.dtype),
        indexing="ij",
    )
    grid = pixel_to_grid(torch.stack([x, y], -1), height, width).expand(len(faces), -1, -1, -1)
    return torch.nn.functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)
