"""Shape from landmarks: eqs. 4 to 8."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from visage.faces.shape import MorphableModel
from visage.normalization.errors import LandmarkFitError
from visage.normalization.model_fitting import (
    ModelFitting,
    fit_shape,
    fitting_loss,
    to_clip,
)
from visage.normalization.normal_people import normal_camera

SIZE = 224


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def truth(model):
    return model.sample_identity(6, torch.Generator().manual_seed(3))


def pictured(model, identity, size=SIZE):
    vertices = model.vertices(identity)
    camera = normal_camera(model, vertices, size)
    return camera.project(vertices[:, model.landmarks])[..., :2]


@pytest.fixture(scope="module")
def landmarks(model, truth):
    return pictured(model, truth)


def test_the_mean_face_fits_itself(model):
    found = fit_shape(model, pictured(model, torch.zeros(1, 80)), SIZE)
    assert found.identity.abs().max() < 1e-3
    assert found.loss.item() < 1e-8
    assert found.converged.all()


def test_projection_is_equations_4_to_7(model, truth, landmarks):
    """The printed matrices, in plain loops."""
    found = fit_shape(model, landmarks[:1], SIZE)
    camera, s = found.camera, found.identity[0].double()
    cot = 1 / math.tan(math.radians(5))
    assert camera.focal.item() == pytest.approx(cot * SIZE / 2, rel=1e-6)
    basis = (model.identity_basis * model.identity_std[:, None, None]).double()
    loss = 0.001 * float(s @ s)
    wanted = to_clip(landmarks[0].double(), SIZE, SIZE)
    tx, ty = camera.translation[0].tolist()
    modelview = torch.tensor(
        [[1, 0, 0, tx], [0, 1, 0, ty], [0, 0, 1, -camera.distance.item()], [0, 0, 0, 1]]
    ).double()
    projection = torch.tensor(
        [[cot, 0, 0, 0], [0, cot, 0, 0], [0, 0, -1, -1], [0, 0, -1, 0]]
    ).double()
    for n, vertex in enumerate(model.landmarks.tolist()):
        at = model.mean[vertex].double() + sum(s[k] * basis[k, vertex] for k in range(80))
        p = projection @ modelview @ torch.cat([at, torch.ones(1).double()])
        v = p[:2] / p[3]
        torch.testing.assert_close(
            to_clip(found.landmarks[0, n].double(), SIZE, SIZE), v, atol=1e-5, rtol=0
        )
        loss += float((wanted[n] - v).square().sum())
    assert found.loss.item() == pytest.approx(loss, rel=1e-4)


def test_it_is_a_minimum(model, landmarks):
    """No step in any direction lowers eq. 8, nor does what plain descent finds."""
    found = fit_shape(model, landmarks[:2], SIZE, ModelFitting(tolerance=1e-9))
    camera = found.camera
    s = found.identity.clone().requires_grad_()
    shift = camera.translation.clone().requires_grad_()
    distance = camera.distance.clone().requires_grad_()
    vertices = model.vertices(s)[:, model.landmarks]
    x, y, z = vertices.unbind(2)
    scale = camera.focal[:, None] / (SIZE / 2) / (distance[:, None] - z)
    seen = torch.stack([scale * (x + shift[:, :1]), scale * (y + shift[:, 1:])], 2)
    loss = fitting_loss(to_clip(landmarks[:2], SIZE, SIZE), seen, s, 0.001)
    slopes = torch.autograd.grad(loss.sum(), [s, shift, distance])
    for slope, unit in zip(slopes, (1.0, 10.0, 100.0), strict=True):
        assert slope.abs().max() * unit < 2e-4


def test_people_are_found(model, truth, landmarks):
    found = fit_shape(model, landmarks, SIZE)
    face = model.regions["face"] > 0.5
    true, fitted = model.vertices(truth)[:, face], model.vertices(found.identity)[:, face]
    error = (true - fitted).norm(dim=2).mean()
    mean = (true - model.mean[face]).norm(dim=2).mean()
    assert error < 0.75 * mean
    assert found.converged.all()
    assert (found.landmarks - landmarks).norm(dim=2).mean() < 1.5


def test_lambda_trades_landmarks_for_the_mean_face(model, landmarks):
    gaps, sizes = [], []
    for weight in (1.0, 1e-2, 1e-4):
        found = fit_shape(model, landmarks, SIZE, ModelFitting(regularization=weight))
        gaps.append((found.landmarks - landmarks).norm(dim=2).mean())
        sizes.append(found.identity.norm())
    assert gaps[0] > gaps[1] > gaps[2]
    assert sizes[0] < sizes[1] < sizes[2]


def test_items_are_fitted_alone_and_at_any_size(model, truth, landmarks):
    whole = fit_shape(model, landmarks, SIZE)
    alone = fit_shape(model, landmarks[2:3], SIZE)
    torch.testing.assert_close(whole.identity[2:3], alone.identity, atol=1e-5, rtol=0)
    half = fit_shape(model, pictured(model, truth, SIZE // 2), SIZE // 2)
    torch.testing.assert_close(whole.identity, half.identity, atol=1e-3, rtol=0)
    assert torch.equal(whole.identity, fit_shape(model, landmarks, SIZE).identity)


def test_a_shift_changes_hardly_more_than_the_camera(model, landmarks):
    found = fit_shape(model, landmarks[:1], SIZE)
    moved = fit_shape(model, landmarks[:1] + torch.tensor([6.0, -9.0]), SIZE)
    torch.testing.assert_close(found.identity, moved.identity, atol=0.15, rtol=0)
    assert (moved.camera.translation - found.camera.translation).abs().min() > 3


def test_fewer_modes(model, landmarks):
    assert fit_shape(model, landmarks, SIZE, ModelFitting(modes=20)).identity.shape == (6, 20)


def test_stopping_early_says_so(model, landmarks):
    found = fit_shape(model, landmarks, SIZE, ModelFitting(most_steps=1))
    assert not found.converged.any()
    assert (found.steps == 1).all()


def test_loss_is_differentiable():
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(2, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
             for shape in ((5, 2), (5, 2), (7,))]  # fmt: skip
    assert gradcheck(lambda a, b, s: fitting_loss(a, b, s, 0.3), parts)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda points: points[:, :60], r"expected \(B, 68, 2\)"),
        (lambda points: points[0], r"expected \(B, 68, 2\)"),
        (lambda points: points[:0], r"expected \(B, 68, 2\)"),
        (lambda points: torch.full_like(points, torch.nan), "NaN"),
        (lambda points: points * torch.tensor([1.0, 0.0]), "one line"),
        (lambda points: points.flip(2), "upright"),
        (lambda points: SIZE - points, "upright"),
        (lambda points: points[:, torch.randperm(68)], "upright"),
    ],
)
def test_bad_landmarks_are_named(model, landmarks, spoil, words):
    with pytest.raises(LandmarkFitError, match=words):
        fit_shape(model, spoil(landmarks[:1]), SIZE)
