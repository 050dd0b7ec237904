"""Colours of a fitted head: eqs. 9 to 12."""

import math

import pytest
import torch
from torch.nn.functional import interpolate

from visage.faces.shape import MorphableModel
from visage.normalization.colour_basis import ColourBasis, learn_colours, sample_colours
from visage.normalization.errors import TextureFitError
from visage.normalization.normal_people import normal_camera
from visage.normalization.texture_fitting import (
    TextureFitting,
    confidence,
    explain_colours,
    fit_texture,
    hull_mask,
    project_colours,
)

SIZE = 112


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def head(model):
    identity = model.sample_identity(2, torch.Generator().manual_seed(3))
    vertices = model.vertices(identity)
    camera = normal_camera(model, vertices, SIZE)
    return vertices, camera, camera.project(vertices[:, model.landmarks])[..., :2]


@pytest.fixture(scope="module")
def basis():
    return ColourBasis.standard()


@pytest.fixture(scope="module")
def images():
    noise = torch.rand(2, 3, 7, 7, generator=torch.Generator().manual_seed(5))
    return interpolate(noise, (SIZE, SIZE), mode="bilinear")


# Eq. 9.


def naive_outside(point, corners):
    """Distance from a convex polygon, edge by edge; corners counter-clockwise on the screen."""
    best, inside = math.inf, True
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        ex, ey, px, py = bx - ax, by - ay, point[0] - ax, point[1] - ay
        inside = inside and ex * py - ey * px >= 0
        t = min(1, max(0, (px * ex + py * ey) / (ex * ex + ey * ey)))
        best = min(best, math.hypot(px - t * ex, py - t * ey))
    return 0 if inside else best


def test_the_mask_is_one_inside_and_a_gaussian_of_the_distance_outside():
    corners = [(10.0, 10.0), (50.0, 14.0), (60.0, 40.0), (30.0, 60.0), (8.0, 42.0)]
    inner = [(30.0, 30.0), (20.0, 20.0)]
    generator = torch.Generator().manual_seed(0)
    points = 80 * torch.rand(1, 50, 2, generator=generator)
    found = hull_mask(points, torch.tensor([corners + inner]), 0.1)[0]
    width = 0.1 * (60 - 8)
    for point, value in zip(points[0].tolist(), found.tolist(), strict=True):
        expected = math.exp(-0.5 * (naive_outside(point, corners) / width) ** 2)
        assert value == pytest.approx(expected, abs=1e-5)
    assert (found == 1).any()
    assert (found < 0.5).any()


def test_confidence_favours_what_faces_the_camera(model, head):
    vertices, camera, _ = head
    trust = confidence(model, vertices, camera, torch.ones(vertices.shape[:2]))
    assert trust.min() >= 0
    assert trust.max() <= 1
    nose, ear = model.landmarks[30], model.regions["ears"].argmax()
    jaw = model.landmarks[2]
    assert (trust[:, nose] > 0.8).all()
    assert (trust[:, nose] > trust[:, jaw]).all()
    assert (trust[:, ear] < 0.5).all()
    back = model.mean[:, 2] < model.mean[model.parts["skin"], 2].min() + 5
    assert (trust[:, back] == 0).all()


def test_hidden_vertices_are_not_trusted(model, head):
    vertices, camera, _ = head
    trust = confidence(model, vertices, camera, torch.ones(vertices.shape[:2]))
    tongue = model.parts["tongue"]  # behind closed lips, though much of it faces the camera
    normals = model.normals(vertices)[:, tongue, 2]
    assert (normals > 0.5).any()
    assert trust[:, tongue].mean() < 0.02


# Eqs. 10 and 11.


def test_what_the_basis_says_is_found(basis):
    z = torch.randn(3, len(basis.basis), generator=torch.Generator().manual_seed(1))
    trust = torch.rand(3, len(basis.mean), generator=torch.Generator().manual_seed(2))
    found = explain_colours(basis.colours(z), trust, basis, 1e-3)
    torch.testing.assert_close(found, z, atol=1e-2, rtol=0)


def test_least_squares_are_the_printed_ones():
    generator = torch.Generator().manual_seed(0)
    small = ColourBasis(torch.rand(9, 3, generator=generator),
                        torch.randn(4, 9, 3, generator=generator))  # fmt: skip
    colours = torch.rand(1, 9, 3, generator=generator)
    trust = torch.rand(1, 9, generator=generator)
    a = trust[0].repeat_interleave(3).double()
    b = small.basis.flatten(1).T.double()
    top = torch.cat([b * a[:, None], 0.7 * torch.eye(4).double()])
    wanted = (colours[0] - small.mean).flatten().double() * a
    side = torch.cat([wanted, torch.zeros(4).double()])
    expected = torch.linalg.lstsq(top, side[:, None]).solution[:, 0]
    found = explain_colours(colours, trust, small, 0.7)[0]
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


def test_regularization_and_trust_hold_back(basis):
    z = torch.zeros(1, len(basis.basis))
    z[:, 0] = 2
    colours, full = basis.colours(z), torch.ones(1, len(basis.mean))
    sizes = [explain_colours(colours, full, basis, w).norm() for w in (0.1, 10.0, 1000.0)]
    assert sizes[0] > sizes[1] > sizes[2]
    assert explain_colours(colours, 0 * full, basis, 1.0).abs().max() == 0
    with pytest.raises(TextureFitError, match="regularization"):
        explain_colours(colours, full, basis, 0.0)


# Eq. 12.


def test_the_blend_is_the_picture_where_sure_and_the_basis_where_not(model, head, images, basis):
    vertices, camera, landmarks = head
    found = fit_texture(model, images, vertices, camera, landmarks, basis)
    blind = found.confidence == 0
    assert torch.equal(found.colours[blind], found.explained[blind])
    share = found.confidence[..., None]
    expected = share * found.projected + (1 - share) * found.explained
    torch.testing.assert_close(found.colours, expected)
    assert found.colours.min() >= 0
    assert found.colours.max() <= 1


def test_projection_reads_the_picture():
    ramp = torch.arange(8.0).expand(1, 1, 6, 8)
    points = torch.tensor([[[0.0, 0.0], [3.5, 2.0], [7.0, 5.0], [99.0, 0.0]]])
    found = project_colours(ramp, points)
    torch.testing.assert_close(found, torch.tensor([[[0.0], [3.5], [7.0], [7.0]]]))


def test_derivatives_reach_the_picture(model, head, images, basis):
    vertices, camera, landmarks = head
    given = images.clone().requires_grad_()
    found = fit_texture(model, given, vertices, camera, landmarks, basis)
    back = model.mean[:, 2].argmin()  # only known through the basis
    (slope,) = torch.autograd.grad(found.colours[0, back].sum(), given)
    assert slope[0].abs().sum() > 0
    assert slope[1].abs().sum() == 0


def test_items_are_fitted_alone(model, head, images, basis):
    vertices, camera, landmarks = head
    whole = fit_texture(model, images, vertices, camera, landmarks, basis)
    one = normal_camera(model, vertices[1:], SIZE)
    alone = fit_texture(model, images[1:], vertices[1:], one, landmarks[1:], basis)
    torch.testing.assert_close(whole.colours[1:], alone.colours, atol=1e-4, rtol=0)


def test_refuses(model, head, images, basis):
    vertices, camera, landmarks = head
    with pytest.raises(TextureFitError, match="images are"):
        fit_texture(model, images[..., :50], vertices, camera, landmarks, basis)
    with pytest.raises(TextureFitError, match="as many of all"):
        fit_texture(model, images[:1], vertices, camera, landmarks, basis)
    with pytest.raises(TextureFitError, match="landmarks are"):
        fit_texture(model, images, vertices, camera, landmarks[:, :5], basis)
    with pytest.raises(TextureFitError, match="NaN"):
        fit_texture(model, images * torch.nan, vertices, camera, landmarks, basis)
    config = TextureFitting(regularization=-1.0)
    with pytest.raises(TextureFitError, match="positive"):
        fit_texture(model, images, vertices, camera, landmarks, basis, config)


# The basis.


def test_components_are_principal():
    generator = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(15, 2, generator=generator))[0].T
    z = torch.randn(400, 2, generator=generator) * torch.tensor([3.0, 1.0])
    people = (0.5 + z @ directions).unflatten(1, (5, 3))
    found = learn_colours(people, 2)
    flat = found.basis.flatten(1)
    torch.testing.assert_close(flat.norm(dim=1), z.std(0), atol=0.05, rtol=0.05)
    for own, true in zip(flat, directions, strict=True):
        assert torch.cosine_similarity(own, true, dim=0).abs() > 0.99
    assert flat.gather(1, flat.abs().argmax(1, keepdim=True)).min() > 0


def test_the_standard_basis_explains_new_people(model, basis):
    from visage.faces.fitting.priors import FittingPriors

    generator = torch.Generator().manual_seed(9)
    others = sample_colours(FittingPriors.load().albedo, model, 20, generator)
    z = explain_colours(others, torch.ones(others.shape[:2]), basis, 0.1)
    left = (basis.colours(z) - others).square().mean()
    assert left < 0.02 * (others - basis.mean).square().mean()


def test_subdivided_basis_is_the_same_between(basis):
    fine = ColourBasis.standard(1)
    assert len(fine.mean) == len(MorphableModel.load(1).mean)
    assert (fine.mean[: len(basis.mean)] - basis.mean).abs().mean() < 0.01
    assert fine.mean.min() >= basis.mean.min() - 1e-6
    assert fine.mean.max() <= basis.mean.max() + 1e-6


def test_the_basis_refuses(basis):
    with pytest.raises(TextureFitError, match="components"):
        learn_colours(torch.rand(3, 4, 3), 3)
    with pytest.raises(TextureFitError, match="NaN"):
        learn_colours(torch.full((3, 4, 3), torch.nan), 2)
    with pytest.raises(TextureFitError, match="coefficients"):
        basis.colours(torch.zeros(1, 3))
