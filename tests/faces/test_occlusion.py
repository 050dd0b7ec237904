import pytest
import torch

from visage.faces.occlusion import ambient_occlusion
from visage.faces.shape import MorphableModel


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def seen(model):
    return ambient_occlusion(model)


def test_hollows_see_less_than_the_nose(model, seen):
    nose = seen[model.landmarks[30]]
    assert nose > 0.9
    assert seen[model.parts["mouth"]].mean() < 0.15
    assert seen[model.parts["sockets"]].mean() < 0.1
    nostril = seen[model.landmarks[33]]
    inner_eye = seen[model.landmarks[39]]
    assert nostril < nose - 0.1
    assert inner_eye < nose - 0.1


def test_it_is_a_share(seen):
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_both_sides_alike(model, seen):
    assert (seen - seen[model.mirror]).abs().mean() < 0.02


def test_the_forehead_sees_what_a_plane_would(model, seen):
    """All of its half of the world."""
    forehead = (model.mean - torch.tensor([0.0, 70, 100])).norm(dim=1).argmin()
    assert seen[forehead] > 0.93


def test_loose_hair_is_not_dark(model, seen):
    loose = torch.ones(len(seen), dtype=torch.bool)
    loose[model.triangles.flatten()] = False
    assert (seen[loose] == 1).all()


def test_more_directions_change_little(model, seen):
    finer = ambient_occlusion(model, directions=300, size=420)
    assert (seen - finer).abs().mean() < 0.02


def test_the_model_holds_it(model, seen):
    assert (model.occlusion - seen).abs().max() < 0.01
    fine = MorphableModel.load(1)
    nearest = torch.cdist(model.mean[model.landmarks], fine.mean).argmin(1)
    assert (fine.occlusion[nearest] - seen[model.landmarks]).abs().mean() < 0.05
