"""Errors of fits whose errors are known."""

from dataclasses import replace

import pytest
import torch

from tests.texture.drawn_head import drawn_head
from visage.faces.light import Light
from visage.texture.fit_errors import colour_errors, face_vertices, head_errors, placing_errors
from visage.texture.fit_surface import shipped_surface
from visage.texture.model_fit import ModelFit


@pytest.fixture(scope="module")
def model():
    return shipped_surface().model


@pytest.fixture(scope="module")
def truth():
    head = drawn_head()
    albedo = torch.zeros(1, 30)
    return ModelFit(head.identity, head.expression, albedo, head.camera, head.light, ((),))


def _light(coefficients: torch.Tensor) -> Light:
    """A light of such coefficients, without a key light."""
    front = torch.tensor([[0.0, 0.0, 1.0]])
    return Light(coefficients, front, torch.zeros(1, 3), torch.zeros(1))


def _colours(model, fit: ModelFit, true: ModelFit) -> dict[str, torch.Tensor]:
    vertices = drawn_head().vertices
    albedo, light = true.vertex_albedo(), _light(true.light)
    return colour_errors(model, fit, vertices, true.camera, albedo, light)


def test_the_truth_has_no_errors(model, truth):
    vertices = drawn_head().vertices
    found = (
        head_errors(model, truth.vertices(model), vertices)
        | placing_errors(model, truth, vertices, truth.camera)
        | _colours(model, truth, truth)
    )
    for name, values in found.items():
        assert float(values) < (0.05 if name == "pose" else 2e-3), name


def test_size_counts_for_the_head_and_not_for_the_face(model):
    vertices = drawn_head().vertices
    found = head_errors(model, 1.1 * vertices, vertices)
    drawn = torch.unique(model.triangles)
    assert float(found["head"]) == pytest.approx(float(0.1 * vertices[0, drawn].norm(dim=1).mean()))
    assert float(found["face"]) < 1e-3


def test_a_shift_and_a_turn_are_measured(model, truth):
    camera = truth.camera
    moved = replace(camera, translation=camera.translation + torch.tensor([[3.0, 4.0]]))
    vertices = drawn_head().vertices
    found = placing_errors(model, replace(truth, camera=moved), vertices, camera)
    # The face is a little nearer than the head's origin, whose scale counts.
    assert 5 < float(found["placing"]) < 6
    turned = replace(camera, angles=camera.angles + torch.tensor([[0.0, 0.0, 0.1]]))
    found = placing_errors(model, replace(truth, camera=turned), vertices, camera)
    assert float(found["pose"]) == pytest.approx(5.73, abs=0.02)


def test_a_factor_between_light_and_albedo_is_no_error_of_their_patterns(model, truth):
    dim = replace(truth, light=0.8 * truth.light)
    found = _colours(model, dim, truth)
    assert float(found["light"]) == pytest.approx(0.2, abs=0.01)
    assert float(found["shading"]) < 1e-3
    assert float(found["albedo"]) < 1e-6
    tone = replace(truth, albedo=torch.eye(30)[:1])
    found = _colours(model, tone, truth)
    assert float(found["albedo"]) > 0.02
    assert float(found["pattern"]) < 0.6 * float(found["albedo"])


def test_face_vertices_are_skin_in_front(model):
    face = face_vertices(model)
    assert 1500 < len(face) < 3000
    assert model.regions["ears"][face].mean() < 0.1
