import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.autograd import gradcheck

from visage.faces.directions import axes, golden_spiral, sphere_directions, unit
from visage.faces.harmonics import (
    COSINE_LOBE,
    disc_light,
    from_richardson,
    harmonics,
    radiance,
    rotate,
    shade,
    shading_factors,
    to_richardson,
)


def quadrature(polar=32, around=48):
    """Gauss-Legendre in z times evenly spaced longitudes: exact for the polynomials used here."""
    import numpy as np

    z, weight = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(polar))
    longitude = torch.arange(around, dtype=torch.float64) * 2 * math.pi / around
    ring = (1 - z * z).sqrt()[:, None]
    directions = torch.stack(
        [ring * longitude.cos(), ring * longitude.sin(), z[:, None].expand(-1, around)], -1
    )
    weights = (weight[:, None] * 2 * math.pi / around).expand(-1, around)
    return directions.reshape(-1, 3), weights.reshape(-1)


SPHERE, AREA = quadrature()


def pictures(directions):
    """Directions (N, 3) as normals (1, 3, N, 1)."""
    return directions.T[None, :, :, None]


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_orthonormal():
    basis = harmonics(SPHERE, 2)
    gram = basis.T @ (basis * AREA[:, None])
    assert torch.allclose(gram, torch.eye(9).double(), atol=1e-12)


def test_known_values():
    """Ramamoorthi and Hanrahan (2001), eq. 3, to the six digits that they print."""
    x, y, z = 0.36, 0.48, 0.8
    expected = [
        *(0.282095, 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z),
        *(0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y)),
    ]
    direction = torch.tensor([x, y, z], dtype=torch.float64)
    found = harmonics(direction, 2)
    assert torch.allclose(found, torch.tensor(expected, dtype=torch.float64), atol=1e-6)
    for order in (0, 1):
        assert torch.equal(harmonics(direction, order), found[: (order + 1) ** 2])


def test_clamped_cosine():
    """Its zonal coefficients, by integrating up to the horizon, are A_l = 2π ∫ P_l(t) t dt."""
    z, weight = quadrature(64, 1)[0][:, 2], quadrature(64, 1)[1]
    t, half = (z + 1) / 2, weight / 2  # nodes on [0, 1]
    for order, legendre in enumerate((t * 0 + 1, t, (3 * t * t - 1) / 2)):
        assert (half * legendre * t).sum().item() == pytest.approx(COSINE_LOBE[order], abs=1e-12)


def test_shade_integrates_the_light_above_the_horizon():
    """E/π of a smooth environment of order 2, by brute force over the hemisphere."""
    coefficients = random(1, 9, 3)
    normals = unit(random(7, 3), dim=1)
    found = shade(pictures(normals), coefficients)[0, :, :, 0].T
    fine, area = quadrature(200, 400)
    environment = radiance(pictures(fine), coefficients)[0, :, :, 0].T
    for normal, value in zip(normals, found, strict=True):
        irradiance = ((fine @ normal).clamp(min=0) * area) @ environment
        assert torch.allclose(value, irradiance / math.pi, atol=1e-3)


def test_constant_light_shades_everything_alike():
    coefficients = torch.zeros(1, 9, 3).double()
    coefficients[:, 0] = math.sqrt(4 * math.pi)
    normals = pictures(unit(random(5, 3), dim=1))
    assert torch.allclose(shade(normals, coefficients), torch.ones(1).double())
    assert torch.allclose(radiance(normals, coefficients), torch.ones(1).double())


@pytest.mark.parametrize("degrees", [0.0, 5.0, 40.0, 90.0])
def test_disc_light(degrees):
    """By quadrature over the disc, with the radiance that lights a facing surface with colour."""
    radius = math.radians(degrees)
    centre = unit(random(1, 3), dim=1)
    colour = torch.tensor([[0.7, 0.2, 1.5]], dtype=torch.float64)
    found = disc_light(centre, colour, torch.tensor([radius], dtype=torch.float64))
    if degrees == 0:
        expected = math.pi * harmonics(centre, 2)[..., None] * colour[:, None]
    else:
        local, area = quadrature(64, 64)
        low = math.cos(radius)
        height = low + (1 - low) * (local[:, 2] + 1) / 2  # from the rim to the centre
        ring = ((1 - height * height) / (1 - local[:, 2] ** 2)).sqrt()
        local = torch.stack([local[:, 0] * ring, local[:, 1] * ring, height], 1)
        light = colour / math.sin(radius) ** 2  # radiance: E = π L sin²
        basis = harmonics(local @ axes(centre)[0], 2)
        expected = ((area * (1 - low) / 2) @ basis)[None, :, None] * light[:, None]
    assert torch.allclose(found, expected)


def test_order_two_keeps_a_lambertian_point_light():
    """Its shading is the clamped cosine, with the published error: 99% of the energy."""
    centre = torch.tensor([[0.0, 0.0, 1.0]]).double()
    coefficients = disc_light(centre, torch.ones(1, 1).double(), torch.zeros(1).double())
    found = shade(pictures(SPHERE), coefficients)[0, 0, :, 0]
    exact = SPHERE[:, 2].clamp(min=0)
    lost = ((found - exact).square() * AREA).sum() / (exact.square() * AREA).sum()
    assert 0.005 < lost < 0.01  # 0.78% (Basri and Jacobs 2003, table 1: 99.22% kept)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_rotate(count):
    coefficients = random(2, count, 3)
    turn = torch.from_numpy(Rotation.random(2, rng=0).as_matrix())
    normals = unit(random(2, 3, 6, 1, seed=1))
    before = shade((turn.mT @ normals.flatten(2)).unflatten(2, (6, 1)), coefficients)
    assert torch.allclose(shade(normals, rotate(coefficients, turn)), before)


@pytest.mark.parametrize("count", [4, 9])
def test_richardson(count):
    """Equation 8's ⟨l, Y⟩ with equation 9's Y = (1, n_x, n_y, n_z)."""
    coefficients = random(2, count, 3)
    normals = unit(random(2, 3, 5, 4, seed=1))
    lighting = to_richardson(coefficients)
    basis = torch.cat([torch.ones_like(normals[:, :1]), normals], 1)
    expected = shade(normals, coefficients[:, :4])
    assert torch.allclose(torch.einsum("bkc,bkhw->bchw", lighting, basis), expected)
    assert torch.allclose(from_richardson(lighting), coefficients[:, :4])


@pytest.mark.parametrize("count", [1, 4, 9])
def test_gradients(count):
    normals = random(2, 3, 2, 3).requires_grad_()
    coefficients = random(2, count, 3, seed=1).requires_grad_()
    assert gradcheck(shade, (normals, coefficients))
    assert gradcheck(unit, normals)


def test_unit_of_nothing_is_nothing():
    zero = torch.zeros(1, 3, 2, 2, requires_grad=True)
    result = unit(zero)
    result.sum().backward()
    assert (result == 0).all()
    assert zero.grad.isfinite().all()


def test_spread_evenly():
    sphere = sphere_directions(500)
    assert torch.allclose(sphere.norm(dim=1), torch.ones(1).double())
    assert sphere.mean(0).norm() < 0.005
    nearest = (sphere @ sphere.T - 2 * torch.eye(500)).amax(1).acos()
    assert nearest.min() > 0.6 * nearest.max()
    assert torch.allclose(golden_spiral(50).norm(dim=1), torch.ones(1).double())


def test_axes_are_rotations_with_the_direction_last():
    directions = torch.cat(
        [unit(random(20, 3), dim=1), torch.eye(3).double(), -torch.eye(3).double()]
    )
    turns = axes(directions)
    assert torch.allclose(turns @ turns.mT, torch.eye(3).double().expand_as(turns))
    assert torch.allclose(torch.linalg.det(turns), torch.ones(1).double())
    assert torch.equal(turns[:, 2], directions)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: harmonics(torch.zeros(3), 3), "order is 3"),
        (lambda: harmonics(torch.zeros(4), 1), "directions are"),
        (lambda: harmonics(torch.tensor(1.0), 1), "directions are"),
        (lambda: shade(torch.zeros(1, 2, 4, 4), torch.zeros(1, 9, 3)), "expected 3 along 1"),
        (lambda: shade(torch.zeros(1, 3, 4, 4), torch.zeros(1, 5, 3)), "K = 1, 4 or 9"),
        (lambda: shade(torch.zeros(1, 3, 4, 4), torch.zeros(9, 3)), "K = 1, 4 or 9"),
        (lambda: to_richardson(torch.zeros(1, 1, 3)), "no order 1"),
        (lambda: from_richardson(torch.zeros(1, 9, 3)), r"expected \(B, 4, C\)"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("count", [4, 9])
def test_factors_of_polynomials_shade_alike(count):
    light, normals = random(2, count, 3), pictures(sphere_directions(50))
    x, y, z = normals.unbind(1)
    basis = [x**0, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    shaded = torch.einsum("bkhw,bkc->bchw", torch.stack(basis, 1).expand(2, -1, -1, -1),
                          shading_factors(light))  # fmt: skip
    torch.testing.assert_close(shaded, shade(normals.expand(2, -1, -1, -1), light))
