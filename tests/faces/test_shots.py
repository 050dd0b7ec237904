from dataclasses import replace

import pytest
import torch

from visage.faces.camera import Perspective, WeakPerspective
from visage.faces.population import PopulationError, people
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, shots
from visage.faces.skin import skin_colour


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def persons(model):
    return people(model, 0, range(40))


def test_a_shot_is_a_number(model, persons):
    several = shots(model, persons[:4], torch.tensor([5, 6, 7, 8]), 64)
    alone = shots(model, persons[2:3], torch.tensor([7]), 64)
    assert torch.equal(several.expression[2:3], alone.expression)
    assert several.names[2] == alone.names[0]
    assert torch.equal(several.camera.angles[2:3], alone.camera.angles)
    assert torch.equal(several.camera.focal[2:3], alone.camera.focal)
    # A matrix product of one row and of four may differ in the last digit.
    torch.testing.assert_close(several.light.ambient[2:3], alone.light.ambient)


def test_ranges_are_kept_and_used(model, persons):
    ranges = replace(EVERYDAY, yaw=20.0, pitch=5.0, roll=2.0, distance=(800.0, 900.0))
    taken = shots(model, persons, torch.arange(40), 64, ranges)
    most = torch.rad2deg(taken.camera.angles.abs().amax(0))
    assert (most <= torch.tensor([5.0, 20.0, 2.0])).all()
    assert (most > torch.tensor([4.0, 16.0, 1.6])).all()
    assert isinstance(taken.camera, Perspective)
    assert taken.camera.distance.min() >= 800
    assert taken.camera.distance.max() <= 900


def test_without_a_distance_it_is_weak_perspective(model, persons):
    taken = shots(
        model, persons, torch.arange(40), 64, replace(EVERYDAY, distance=None, width=(300.0, 300.0))
    )
    assert isinstance(taken.camera, WeakPerspective)
    torch.testing.assert_close(taken.camera.scale, torch.full((40,), 64 / 300))


def test_the_same_picture_at_any_size(model, persons):
    small = shots(model, persons[:3], torch.arange(3), 64)
    large = shots(model, persons[:3], torch.arange(3), 128)
    points = model.vertices(persons[:3].identity)[:, ::500]
    near = small.camera.project(points)[..., :2] + 0.5
    far = large.camera.project(points)[..., :2] + 0.5
    torch.testing.assert_close(2 * near, far, atol=1e-3, rtol=1e-5)


def test_faces_are_in_the_frame(model, persons):
    taken = shots(model, persons, torch.arange(40), 100)
    heads = model.vertices(persons.identity, taken.expression)
    marks = taken.camera.project(heads[:, model.landmarks])[..., :2]
    assert marks.min() > 3
    assert marks.max() < 96
    middle = marks.mean((0, 1))
    assert (middle - 50).abs().max() < 12


def test_expressions_can_be_chosen(model, persons):
    only = replace(EVERYDAY, expressions={"anger": 1.0})
    taken = shots(model, persons, torch.arange(40), 64, only)
    assert set(taken.names) == {"anger"}
    assert taken.intensity.min() >= 0.3
    plain = shots(model, persons, torch.arange(40), 64, replace(only, expressions={"neutral": 2.0}))
    assert not plain.intensity.any()


def test_all_expressions_occur(model, persons):
    taken = shots(model, persons, torch.arange(40), 64)
    assert len(set(taken.names)) >= 7


def test_the_camera_meters_the_face(model, persons):
    """Dark skin gets more light, in the same colours and places, and stays darker."""
    melanin = torch.tensor([0.1, 0.4, 0.6, 0.9])
    skin = replace(persons.skin[:4], melanin=melanin, haemoglobin=torch.full((4,), 0.4))
    four = replace(persons[[0, 0, 0, 0]], skin=skin)
    light = shots(model, four, torch.full((4,), 3), 64).light
    gain = light.key_colour[:, 0] / light.key_colour[1, 0]
    assert (gain.diff() > 0).all()
    assert gain[-1] / gain[0] < 2
    torch.testing.assert_close(light.ambient, light.ambient[:1] * (gain / gain[0])[:, None, None])
    assert torch.equal(light.key_direction, light.key_direction[:1].expand(4, 3))
    seen = gain[:, None] * skin_colour(melanin, skin.haemoglobin)
    assert (seen.diff(dim=0) < 0).all()


def test_one_seed_each(model, persons):
    with pytest.raises(PopulationError, match="3 seeds for 2"):
        shots(model, persons[:2], torch.arange(3), 64)
