"""Aligned faces and their textures."""

import pytest
import torch

from visage.normalization.faces import NormalFaces, NormalFacesError, spline_warp, stored
from visage.normalization.warp import warp


@pytest.fixture(scope="module")
def faces():
    generator = torch.Generator().manual_seed(0)
    images = stored(torch.rand(3, 3, 24, 24, generator=generator))
    landmarks = 3 + 18 * torch.rand(3, 68, 2, generator=generator)
    return NormalFaces(("a", "b", "a"), images, landmarks)


def test_textures_have_their_landmarks_at_the_mean(faces):
    mean = faces.landmarks.mean(0)
    expected = warp(faces.pictures(), faces.landmarks, mean[None])
    assert torch.allclose(faces.textures(mean), expected, atol=1e-3)
    assert torch.allclose(faces.textures(mean, [2]), expected[2:], atol=1e-3)


def test_kept_textures_are_returned_for_their_mean_only(faces):
    mean = faces.landmarks.mean(0)
    kept = torch.full_like(faces.images, 7)
    known = NormalFaces(faces.people, faces.images, faces.landmarks, kept, mean)
    assert torch.equal(known.textures(mean), kept.float() / 255)
    assert torch.allclose(known.textures(mean + 1), faces.textures(mean + 1))


def test_some_of_them(faces):
    some = faces[[2, 0]]
    assert some.people == ("a", "a")
    assert torch.equal(some.images, faces.images[[2, 0]])
    assert len(faces[1:]) == 2
    assert faces.size == 24


def test_storing_rounds_and_clips():
    values = torch.tensor([-0.1, 0.0, 0.5, 1.2])
    assert stored(values).tolist() == [0, 0, 128, 255]


def test_a_warp_is_prepared_once(faces):
    mean = faces.landmarks.mean(0)
    assert spline_warp(mean, 24) is spline_warp(mean.clone(), 24)


def test_refuses(faces):
    with pytest.raises(NormalFacesError, match="one for each of 2"):
        NormalFaces(("a", "b"), faces.images, faces.landmarks)
    with pytest.raises(NormalFacesError, match="uint8"):
        NormalFaces(faces.people, faces.images.float(), faces.landmarks)
    with pytest.raises(NormalFacesError, match="landmarks"):
        NormalFaces(faces.people, faces.images, faces.landmarks[:, :5])
    with pytest.raises(NormalFacesError, match="together"):
        NormalFaces(faces.people, faces.images, faces.landmarks, faces.images)
