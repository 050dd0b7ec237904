"""Averages of one person's pictures."""

import pytest
import torch

from visage.normalization.averaging import average_face, average_people
from visage.normalization.errors import NormalizationError
from visage.normalization.warp import warp


@pytest.fixture(scope="module")
def pictures():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(3, 3, 6, 6, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (32, 32), mode="bicubic").clamp(0, 1)
    return images, 6 + 20 * torch.rand(3, 68, 2, generator=generator)


def test_one_picture_is_its_own_average(pictures):
    images, landmarks = pictures
    average = average_face(images[:1], landmarks[:1])
    assert torch.equal(average.image, images[0])
    assert torch.allclose(average.landmarks, landmarks[0])


def test_is_the_mean_of_warped_pictures(pictures):
    images, landmarks = pictures
    mean = landmarks.mean(0)
    expected = sum(warp(images[i : i + 1], landmarks[i : i + 1], mean[None])[0] for i in range(3))
    average = average_face(images, landmarks)
    assert torch.allclose(average.landmarks, mean, atol=1e-5)
    assert torch.allclose(average.image, expected / 3, atol=1e-3)


def test_copies_change_nothing(pictures):
    images, landmarks = pictures
    average = average_face(images[[0, 0]], landmarks[[0, 0]])
    assert torch.allclose(average.image, images[0], atol=1e-4)


def test_weights_choose(pictures):
    images, landmarks = pictures
    average = average_face(images, landmarks, torch.tensor([0.0, 1.0, 0.0]))
    assert torch.allclose(average.image, images[1], atol=1e-4)


def test_people_are_averaged_apart_in_their_order(pictures):
    images, landmarks = pictures
    stored = (255 * images).round().to(torch.uint8)
    faces = average_people(("b", "a", "b"), stored, landmarks)
    assert faces.people == ("b", "a")
    assert torch.equal(faces.images[1], stored[1])
    assert torch.allclose(faces.landmarks[0], landmarks[[0, 2]].mean(0), atol=1e-5)


def test_refuses(pictures):
    images, landmarks = pictures
    with pytest.raises(NormalizationError, match="one picture at least"):
        average_face(images[:0], landmarks[:0])
    with pytest.raises(NormalizationError, match="one picture at least"):
        average_face(images, landmarks[:2])
    with pytest.raises(NormalizationError, match="sum above 0"):
        average_face(images, landmarks, torch.zeros(3))
