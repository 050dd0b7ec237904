"""Equation 1's terms against plain loops, and what its sums run over."""

import math
from dataclasses import replace

import pytest
import torch

from tests.texture.drawn_head import drawn_head
from visage.faces.harmonics import shade
from visage.faces.reflectance import encode_srgb
from visage.texture.fit_config import FitConfig
from visage.texture.fit_light import light_prior
from visage.texture.fit_pyramid import pyramid
from visage.texture.fit_surface import shipped_surface
from visage.texture.fit_terms import Energy, reweighted, smooth_norm, thinned
from visage.texture.fit_unknowns import FitUnknowns

CONFIG = FitConfig(detector=False)


@pytest.fixture(scope="module")
def head():
    return drawn_head()


@pytest.fixture(scope="module")
def unknowns(head):
    shape = torch.cat([head.identity, head.expression], 1)
    generator = torch.Generator().manual_seed(0)
    return FitUnknowns(shape, head.camera, head.light, torch.randn(1, 30, generator=generator))


@pytest.fixture(scope="module")
def levels(head):
    return pyramid(head.image[0], None, 3, CONFIG.blur)


def _energy(head, config=CONFIG) -> Energy:
    return Energy(shipped_surface(), head.landmarks[0] + 1.5, config, unit=60.0)


def _bilinear(picture, x: float, y: float) -> torch.Tensor:
    left, top = math.floor(x), math.floor(y)
    right, down = x - left, y - top
    above = (1 - right) * picture[:, top, left] + right * picture[:, top, left + 1]
    below = (1 - right) * picture[:, top + 1, left] + right * picture[:, top + 1, left + 1]
    return (1 - down) * above + down * below


def test_energy_is_that_of_a_plain_loop(head, unknowns, levels):
    energy, surface = _energy(head), shipped_surface()
    sight = energy.sight(unknowns, levels[1], 9)
    model, camera = surface.model, head.camera
    priors = surface.priors.albedo
    albedo = (priors.mean + torch.einsum("bk,kvc->vc", unknowns.albedo, priors.basis))[None]
    normals = model.normals(head.vertices)
    photo = 0.0
    for corners, weights in zip(sight.points.corners, sight.points.weights, strict=True):
        place, normal, tone = torch.zeros(3), torch.zeros(3), torch.zeros(3)
        for corner, weight in zip(surface.used[corners], weights, strict=True):
            place += weight * head.vertices[0, corner]
            normal += weight * normals[0, corner]
            tone += weight * albedo[0, corner]
        x, y, _ = camera.project(place[None, None])[0, 0].tolist()
        picture = levels[1].pictures.maps[0, :3]
        seen = _bilinear(picture, (x + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5)
        turned = camera.turn((normal / normal.norm())[None, None])
        lit = shade(turned.view(1, 3, 1, 1), unknowns.light)[0, :, 0, 0]
        photo += float((seen - encode_srgb(tone.exp() * lit)).norm()) / len(sight.points)
    landmark = 0.0
    for point, corner in zip(head.landmarks[0] + 1.5, sight.chosen, strict=True):
        found = camera.project(head.vertices[:, corner][:, None])[0, 0, :2]
        landmark += float(((point - found) / 60).square().sum()) / 68
    prior = surface.priors.expression
    away = head.expression[0] - prior.mean
    other = head.light[0].flatten().double() - light_prior().mean
    regular = head.identity.square().sum() + unknowns.albedo.square().sum()
    regular += away @ prior.precision @ away + other @ light_prior().precision @ other
    regular += (math.log(1100 / 1450) / 0.42) ** 2
    expected = photo + 10 * landmark + 2.5e-5 * float(regular)
    assert float(energy(unknowns, sight)) == pytest.approx(expected, rel=1e-3)
    without = float(energy(unknowns, sight, photo=False))
    assert without == pytest.approx(expected - photo, rel=1e-3)


def test_points_lie_under_the_pixels_that_saw_them(head, unknowns, levels):
    sight = _energy(head).sight(unknowns, levels[0], 10**6)
    vertices = head.vertices[0][shipped_surface().used]
    places = levels[0].places(head.camera.project(sight.points.of(vertices)[None])[0, :, :2])
    assert len(places) > 200
    torch.testing.assert_close(places, places.round(), rtol=0, atol=2e-3)
    assert len(places.round().unique(dim=0)) == len(places)


def test_points_are_thinned_out_and_masked(head, unknowns):
    mask = torch.ones(1, 160, 160)
    mask[:, :, :80] = 0
    levels = pyramid(head.image[0], mask, 1, CONFIG.blur)
    sight = _energy(head).sight(unknowns, levels[0], 300)
    vertices = head.vertices[0][shipped_surface().used]
    places = head.camera.project(sight.points.of(vertices)[None])[0, :, :2]
    assert len(places) == 300
    assert places[:, 0].min() > 79
    assert places[:, 1].std() > 15, "all from one end"


def test_thinned_pixels_are_spread_evenly():
    pixels = torch.arange(64 * 64)
    some = thinned(pixels, 64, 512)
    assert len(some) == 512
    assert torch.equal(some, some.unique())  # in order, none twice
    counts = torch.zeros(64 * 64).index_fill(0, some, 1).view(8, 8, 8, 8).sum((1, 3))
    assert int(counts.min()) >= 6  # of 8
    assert int(counts.max()) <= 10
    assert torch.equal(thinned(pixels[:512], 64, 512), pixels[:512])


def test_one_pixel_more_changes_one_place():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(40 * 50, generator=generator).lt(0.6).nonzero()[:, 0]
    whole = set(thinned(pixels, 50, 200).tolist())
    for gone in range(0, len(pixels), 7):
        rest = torch.cat([pixels[:gone], pixels[gone + 1 :]])
        left = set(thinned(rest, 50, 200).tolist())
        assert len(left) == 200
        assert len(whole - left) == int(int(pixels[gone]) in whole)


@pytest.mark.parametrize(("yaw", "left_out"), [(0.3, []), (0.8, [*range(8), *range(9, 17)])])
def test_jaw_of_a_turned_head_does_not_count(head, unknowns, levels, yaw, left_out):
    camera = replace(head.camera, angles=torch.tensor([[0.0, yaw, 0.0]]))
    for detector in (False, True):
        energy = _energy(head, replace(CONFIG, detector=detector))
        sight = energy.sight(replace(unknowns, camera=camera), levels[0], 10)
        assert (~sight.counted).nonzero()[:, 0].tolist() == left_out
        unseen = sight.weigh.view(136, 68, 2)[:, ~sight.counted]
        assert not unseen.any()


def test_a_detectors_bias_and_covariance_are_taken_out(head, unknowns, levels):
    surface = shipped_surface()
    statistics, camera = surface.priors.landmarks, head.camera
    scale, roll = camera.focal / camera.distance, camera.angles[0, 2]
    right, up = scale * statistics.mean.T
    # What the detector would say of an upright face, turned as the picture is.
    x, y = right * roll.cos() - up * roll.sin(), right * roll.sin() + up * roll.cos()
    detected = head.landmarks[0] + torch.stack([x, -y], 1)
    energy = Energy(surface, detected, FitConfig(), unit=60.0)
    sight = energy.sight(unknowns, levels[0], 10)
    torch.testing.assert_close(sight.targets, head.landmarks[0], rtol=0, atol=1e-3)
    # The whitened covariance of its errors is even, and of their mean size.
    turn = torch.tensor([[roll.cos(), -roll.sin()], [-roll.sin(), -roll.cos()]]).repeat(1, 1)
    pixels = torch.block_diag(*[turn] * 68)
    covariance = pixels @ statistics.covariance @ pixels.T
    found = 60**2 * sight.weigh @ covariance @ sight.weigh.T
    expected = statistics.covariance.diagonal().mean() * torch.eye(136)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=0.05)


def test_reweighted_squares_have_the_norms_slope():
    residual = torch.tensor([[0.3, 0.1, -0.2], [0.002, 0.001, 0.0]], dtype=torch.float64)
    residual.requires_grad_(True)
    smooth_norm(residual, 0.01).sum().backward()
    weights = reweighted(residual.detach(), 0.01)
    expected = 2 * weights[:, None] * residual.detach()
    torch.testing.assert_close(residual.grad, expected)
    assert float(smooth_norm(residual.detach(), 0.01)[0]) == pytest.approx(math.sqrt(0.14))
