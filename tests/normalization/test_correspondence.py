"""Votes for the landmarks' vertices."""

import pytest
import torch

from visage.faces.camera import Perspective
from visage.faces.shape import MorphableModel
from visage.normalization import correspondence
from visage.normalization.correspondence import (
    Correspondence,
    JitteredCameras,
    find_correspondence,
    nearest_visible,
    tally,
)
from visage.normalization.errors import NormalizationError


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def test_votes_are_counted():
    choices = torch.tensor([[1, 9, 4], [1, 8, 4], [2, 8, 3], [1, 7, 3]])
    winners, share = tally(choices)
    assert winners.tolist() == [1, 8, 3]
    torch.testing.assert_close(share, torch.tensor([0.75, 0.5, 0.5]))


def test_the_nearest_vertex_that_is_seen(model):
    camera = Perspective(
        torch.tensor([[0.0, 0.2, 0.0]]), torch.zeros(1, 2), 200, 200,
        focal=torch.tensor([900.0]), distance=torch.tensor([1200.0]),
    )  # fmt: skip
    points = camera.project(model.mean[None])
    inner = model.landmarks[17:]
    everything = torch.ones(len(model.mean), dtype=torch.bool)
    found = nearest_visible(model, points, points[0, inner, :2], everything, 200)
    # A landmark at a vertex's own place elects it, or one that hides it.
    offset = (points[0, found, :2] - points[0, inner, :2]).norm(dim=1)
    same = found == inner
    assert same.float().mean() > 0.8
    assert (points[0, found, 2][~same] <= points[0, inner, 2][~same] + 3).all()
    assert offset.max() < 4
    # A point behind the ear elects no vertex of the hidden back.
    back = model.mean[:, 2].argmin()
    hidden = nearest_visible(model, points, points[0, back : back + 1, :2], everything, 200)
    assert model.mean[hidden, 2] > model.mean[back, 2] + 50


def test_a_few_views_elect_vertices_near_the_model_s_own(model):
    found = find_correspondence(model, JitteredCameras(count=3, size=200), looks=(3,))
    assert found.views == 3
    away = found.distance_mm(model, model.landmarks)
    assert away[17:].mean() < 5
    assert away[27:].median() < 3
    skin = model.triangles[model.part_triangles["skin"]]
    assert torch.isin(found.vertices, skin).all()


def test_distance_is_along_the_mean_head(model):
    same = Correspondence(model.landmarks, torch.ones(68), 1)
    assert same.distance_mm(model, model.landmarks).max() == 0


def test_no_face_is_an_error(model, monkeypatch):
    monkeypatch.setattr(correspondence, "detect_faces", lambda picture: [])
    with pytest.raises(NormalizationError, match="no face"):
        find_correspondence(model, JitteredCameras(count=1, size=64), looks=(3,))
