"""The crop at other sizes."""

import pytest
import torch

from visage.normalization.errors import NormalizationError
from visage.normalization.frame import (
    eye_distance,
    lip_gap,
    mean_landmarks,
    normal_crop,
    part_lips,
    rescale_landmarks,
)
from visage.photos.alignment import COLE_CROP, apply_transform, crop_transform


def test_224_is_the_papers():
    assert normal_crop(224).template == COLE_CROP.template
    assert eye_distance(224) == 55


def test_sizes_show_the_same_part_of_the_picture():
    landmarks = 100 + 50 * torch.rand(1, 68, 2, generator=torch.Generator().manual_seed(0))
    points = {}
    for size in (112, 224):
        crop = normal_crop(size)
        points[size] = apply_transform(crop_transform(landmarks, crop), landmarks)
    assert torch.allclose(rescale_landmarks(points[224], 224, 112), points[112], atol=1e-3)


def test_mean():
    landmarks = torch.rand(5, 68, 2)
    assert torch.allclose(mean_landmarks(landmarks), landmarks.mean(0), atol=1e-6)


def test_lips_are_parted_no_farther_than_needed():
    landmarks = torch.rand(3, 68, 2, generator=torch.Generator().manual_seed(0)) * 9
    parted = part_lips(landmarks, 0.5)
    upper, lower = [61, 62, 63], [67, 66, 65]
    apart = landmarks[:, lower, 1] - landmarks[:, upper, 1]
    assert torch.allclose(parted[:, lower, 1] - parted[:, upper, 1], apart.clamp(min=0.5))
    middle = landmarks[:, lower, 1] + landmarks[:, upper, 1]
    assert torch.allclose(parted[:, lower, 1] + parted[:, upper, 1], middle)
    rest = [i for i in range(68) if i not in upper + lower]
    assert torch.equal(parted[:, rest], landmarks[:, rest])
    assert torch.equal(parted[..., 0], landmarks[..., 0])
    assert lip_gap(224) == pytest.approx(0.55)


def test_refuses():
    with pytest.raises(NormalizationError, match="too small"):
        normal_crop(8)
    with pytest.raises(NormalizationError, match="at least 1"):
        mean_landmarks(torch.zeros(0, 68, 2))
    with pytest.raises(NormalizationError, match="not finite"):
        mean_landmarks(torch.full((1, 68, 2), torch.nan))
