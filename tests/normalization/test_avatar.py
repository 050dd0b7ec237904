"""Heads that turn."""

import math

import pytest
import torch

from visage.faces.portraits import Detail
from visage.faces.shape import MorphableModel
from visage.normalization.avatar import draw_avatars, make_avatars, spin
from visage.normalization.normal_people import draw_normal_people


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def person(model):
    plain = Detail(texture=128, strands=300)
    return draw_normal_people(model, 0, [3], size=112, detail=plain)


@pytest.fixture(scope="module")
def avatar(model, person):
    return make_avatars(person.image, person.landmarks, model=model)


def test_normal_people_stand_in_the_normal_crop(model, person):
    eyes = [person.landmarks[0, group].mean(0) for group in (slice(36, 42), slice(42, 48))]
    middle = (eyes[0] + eyes[1]) / 2
    torch.testing.assert_close(middle, torch.tensor([55.5, 45.5]), atol=0.3, rtol=0)
    assert (eyes[1] - eyes[0])[0].item() == pytest.approx(27.5, abs=0.1)
    assert person.image.shape == (1, 3, 112, 112)
    # Nothing but even light: known colours are what the picture shows of bare skin.
    cheek = model.landmarks[30]
    x, y = person.camera.project(person.vertices)[0, cheek, :2].round().long()
    shown = person.image[0, :, y, x]
    assert (shown - person.colours[0, cheek]).abs().max() < 0.05


def test_a_head_drawn_from_the_front_is_the_picture_again(model, person, avatar):
    error = (avatar.texture.colours - person.colours).abs().mean(2)
    face = model.regions["face"] > 0.5
    plain = (avatar.texture.explained.mean(1, keepdim=True) - person.colours).abs().mean(2)
    assert error[:, face].mean() < 0.04
    assert error[:, face].mean() < 0.9 * plain[:, face].mean()


def test_turning(model, avatar):
    angles = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.6, 0.0], [0.0, -0.6, 0.0]])
    heads = [part.expand(3, -1, -1) for part in (avatar.vertices, avatar.texture.colours)]
    shown = draw_avatars(model, *heads, angles, 64)
    assert shown.shape == (3, 3, 64, 64)
    assert (shown[1] - shown[2].flip(2)).abs().mean() < 0.03  # nearly symmetric
    assert (shown[0] - shown[1]).abs().mean() > 0.02
    assert shown[:, :, 0, 0].min() > 0.9  # paper


def test_light_shows_the_shape(model, avatar):
    angles = torch.zeros(1, 3)
    heads = avatar.vertices, torch.full_like(avatar.vertices, 0.6)
    flat = draw_avatars(model, *heads, angles, 64)
    lit = draw_avatars(model, *heads, angles, 64, lit=1.0)
    inside = slice(28, 36)
    assert flat[..., inside, inside].std() < 1e-3
    assert lit[..., inside, inside].std() > 0.01
    assert lit[..., 20:44, :32].mean() != lit[..., 20:44, 32:].mean()


def test_spin_returns_to_its_beginning():
    angles = spin(12, 0.9)
    assert angles.shape == (12, 3)
    assert angles[0].abs().max() == 0
    assert angles[3, 1].item() == pytest.approx(0.9)
    assert angles[9, 1].item() == pytest.approx(-0.9)
    step = angles[1, 1] - angles[0, 1]
    assert (angles[0, 1] - angles[-1, 1]).item() == pytest.approx(step.item(), abs=1e-6)
    assert math.isclose(spin(4)[1, 1].item(), math.radians(50), rel_tol=1e-6)
