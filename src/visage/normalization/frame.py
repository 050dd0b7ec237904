"""The frame of a normalized face: the crop of Cole et al. (2017), section 6.1, at any size."""

from __future__ import annotations

import torch
from torch import Tensor

from visage.normalization.errors import NormalizationError
from visage.photos.alignment import COLE_CROP, Crop

SMALLEST = 16
"""Pixels: below, the eyes are four pixels apart and no landmark means anything."""


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
