"""The frame of a normalized face: the crop of Cole et al. (2017), section 6.1, at any size."""

from __future__ import annotations

import torch
from torch import Tensor

from visage.normalization.errors import NormalizationError
from visage.photos.alignment import COLE_CROP, Crop

SMALLEST = 16
"""Pixels: below, the eyes are four pixels apart and no landmark means anything."""


_UPPER, _LOWER = [61, 62, 63], [67, 66, 65]


def normal_crop(size: int) -> Crop:
    """The paper's crop at another size: the same part of the picture in more or fewer pixels.

    Pixel x of 224 covers the same place as (x + 0.5) s - 0.5 of a crop s times as large.

    Args:
        size: pixels, both sides.

    Raises:
        NormalizationError: the size is below `SMALLEST`.

    >>> normal_crop(112).template
    ((41.75, 45.5), (69.25, 45.5))
    """
    if size < SMALLEST:
        raise NormalizationError(f"a face of {size} pixels is too small; give at least {SMALLEST}")
    scale = size / COLE_CROP.size
    template = tuple(
        ((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5) for x, y in COLE_CROP.template
    )
    return Crop(f"normal_{size}", size, 3, COLE_CROP.anchors, template)


def eye_distance(size: int) -> float:
    """Pixels between the eyes of `normal_crop`: the unit in which landmarks can be compared.

    >>> eye_distance(224), eye_distance(112)
    (55.0, 27.5)
    """
    (left, _), (right, _) = normal_crop(size).template
    return right - left


def rescale_landmarks(landmarks: Tensor, size: int, to: int) -> Tensor:
    """Landmarks (..., 68, 2) of a crop of one size, in the pixels of another.

    >>> rescale_landmarks(torch.tensor([[84.0, 91.5]]), 224, 112)
    tensor([[41.7500, 45.5000]])
    """
    return (landmarks + 0.5) * (to / size) - 0.5


def part_lips(landmarks: Tensor, gap: float) -> Tensor:
    """Keep the inner points of upper and lower lip apart, which a closed mouth puts on one spot.

    A spline has one value at a point, and a warp between lips that cross folds the picture. Each
    of the three pairs is moved apart, half of what lacks each, straight up and down; averages and
    morphs of what is so apart are as far apart.

    Args:
        landmarks: (..., 68, 2), pixels of an upright face.
        gap: pixels, at least so far the lower lip is below the upper.

    Returns:
        (..., 68, 2).

    >>> closed = torch.full((68, 2), 5.0)
    >>> part_lips(closed, 1.0)[[61, 67], 1]
    tensor([4.5000, 5.5000])
    """
    upper, lower = landmarks[..., _UPPER, 1], landmarks[..., _LOWER, 1]
    lacking = (gap - (lower - upper)).clamp(min=0) / 2
    parted = landmarks.clone()
    parted[..., _UPPER, 1] = upper - lacking
    parted[..., _LOWER, 1] = lower + lacking
    return parted


def lip_gap(size: int) -> float:
    """Pixels between closed lips in a crop of `size`: a hundredth of the distance of the eyes."""
    return 0.01 * eye_distance(size)


def mean_landmarks(landmarks: Tensor) -> Tensor:
    """The global mean L̄ (68, 2) of landmarks (N, 68, 2): where all textures' landmarks lie.

    Raises:
        NormalizationError: there are none, or some are not finite.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (68, 2) or len(landmarks) == 0:
        raise NormalizationError(
            f"landmarks are {tuple(landmarks.shape)}; expected (N, 68, 2), N at least 1"
        )
    mean = landmarks.double().mean(0).to(torch.float32)
    if not mean.isfinite().all():
        raise NormalizationError("some landmarks are not finite; leave those faces out")
    return mean
