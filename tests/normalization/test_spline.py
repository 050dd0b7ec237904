"""Splines against a naive loop, scipy, known values, and what must hold for any points."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator

from visage.normalization.errors import (
    CoincidentPointsError,
    CollinearPointsError,
    NormalizationError,
)
from visage.normalization.spline import fit_spline, polyharmonic_spline

PHI = {1: lambda r: r, 2: lambda r: r * r * math.log(r) if r > 0 else 0.0}
SCIPY = {1: "linear", 2: "thin_plate_spline"}

orders = pytest.mark.parametrize("order", [1, 2])
seeds = st.integers(0, 2**31)


def scattered(count, seed=0, *, batch=1, extent=100.0, dtype=torch.float64):
    """Points on a shaken grid, so that none come close to each other: (B, n, 2)."""
    generator = torch.Generator().manual_seed(seed)
    side = math.ceil(math.sqrt(count))
    cells = torch.stack(torch.meshgrid(*2 * [torch.arange(side)], indexing="xy"), -1).flatten(0, 1)
    shaken = cells[:count] + 0.5 * torch.rand(batch, count, 2, generator=generator)
    return (shaken * extent / side).to(dtype)


def random(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def naive_spline(points, values, queries, order):
    """Algorithm 1 as it is printed, one item, one value, number by number."""
    count = len(points)
    system, right = np.zeros((count + 3, count + 3)), np.zeros(count + 3)
    for i in range(count):
        for j in range(count):
            system[i, j] = PHI[order](math.dist(points[i], points[j]))
        system[i, count:] = system[count:, i] = 1, points[i][0], points[i][1]
        right[i] = values[i]
    solution = np.linalg.solve(system, right)
    result = []
    for x, y in queries:
        total = solution[count] + solution[count + 1] * x + solution[count + 2] * y
        for i in range(count):
            total += solution[i] * PHI[order](math.dist((x, y), points[i]))
        result.append(total)
    return np.array(result)


@orders
def test_naive_loop(order):
    points, values, queries = scattered(12, batch=2), random(2, 12, 3), scattered(7, 5, batch=2)
    found = polyharmonic_spline(points, values, queries, order)
    for b in range(2):
        for c in range(3):
            expected = naive_spline(
                points[b].tolist(), values[b, :, c].tolist(), queries[b].tolist(), order
            )
            np.testing.assert_allclose(found[b, :, c], expected, atol=1e-9)


@orders
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-9), (torch.float32, 5e-4)])
def test_scipy(order, dtype, atol):
    """Whose linear kernel is −r: the sign goes into the weights, the spline is the same."""
    points, values, queries = scattered(84), random(1, 84, 2), scattered(500, 3)
    theirs = RBFInterpolator(points[0], values[0], kernel=SCIPY[order], degree=1)(queries[0])
    found = polyharmonic_spline(points.to(dtype), values.to(dtype), queries.to(dtype), order)
    np.testing.assert_allclose(found[0], theirs, atol=atol)


@orders
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_exact_at_control_points(order, seed):
    points, values = scattered(30, seed, dtype=torch.float32), random(1, 30, 2, seed=seed).float()
    found = polyharmonic_spline(points, values, points, order)
    torch.testing.assert_close(found, values, atol=1e-4, rtol=0)


@orders
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_affine_values_are_continued(order, seed):
    points, queries = scattered(20, seed), scattered(50, seed, extent=300.0)
    matrix, shift = random(2, 2, seed=seed), random(2, seed=seed + 1)
    found = polyharmonic_spline(points, points @ matrix + shift, queries, order)
    torch.testing.assert_close(found, queries @ matrix + shift, atol=1e-6, rtol=0)


@orders
@settings(max_examples=20, deadline=None)
@given(seed=seeds, scale=st.floats(1e-3, 1e3), shift=st.floats(-1e4, 1e4))
def test_unit_and_origin_do_not_matter(order, seed, scale, shift):
    points, values, queries = (
        scattered(15, seed),
        random(1, 15, 1, seed=seed),
        scattered(9, seed + 1),
    )
    one = polyharmonic_spline(points, values, queries, order)
    other = polyharmonic_spline(points * scale + shift, values, queries * scale + shift, order)
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


@orders
def test_side_conditions(order):
    spline = fit_spline(scattered(20), random(1, 20, 2), order)
    assert spline.weights.sum(1).abs().max() < 1e-9
    assert (spline.points.mT @ spline.weights).abs().max() < 1e-9


def test_bends_least():
    """Of all ways to extend the values by one more, the spline's own costs the least energy.

    The energy of φ_2 is wᵀAw, and so is that of φ_1, but for the sign.
    """
    points, values = scattered(15), random(1, 15, 1)
    for order, sign in ((1, -1), (2, 1)):

        def energy(extra, order=order, sign=sign):
            place = points.new_tensor([[[55.0, 47.0]]])
            middle = polyharmonic_spline(points, values, place, order) + extra
            more = fit_spline(torch.cat([points, place], 1), torch.cat([values, middle], 1), order)
            goes_through = torch.cat([values, middle], 1)
            return sign * (more.weights * goes_through).sum()

        assert energy(0.0) < min(energy(0.1), energy(-0.1))


@orders
def test_shared_points_are_solved_once(order, monkeypatch):
    points, values, queries = scattered(20), random(6, 20, 2), scattered(30, 2)
    one_by_one = torch.cat([polyharmonic_spline(points, v[None], queries, order) for v in values])
    solved = []
    solve = torch.linalg.solve
    monkeypatch.setattr(torch.linalg, "solve", lambda a, b: solved.append(a.shape) or solve(a, b))
    torch.testing.assert_close(polyharmonic_spline(points, values, queries, order), one_by_one)
    assert solved == [(1, 23, 23)]
    of_each = queries + random(6, 1, 2)
    found = polyharmonic_spline(points, values, of_each, order)
    again = polyharmonic_spline(points.expand(6, -1, -1), values, of_each, order)
    torch.testing.assert_close(found, again)


@orders
def test_gradients(order):
    points, values, queries = scattered(6, batch=2), random(2, 6, 2), scattered(5, 9, batch=2)
    leaves = [t.clone().requires_grad_() for t in (points, values, queries)]
    assert torch.autograd.gradcheck(lambda p, v, q: polyharmonic_spline(p, v, q, order), leaves)
    shared = [leaves[0].detach()[:1].requires_grad_(), leaves[1], leaves[2].detach()[:1]]
    assert torch.autograd.gradcheck(lambda p, v, q: polyharmonic_spline(p, v, q, order), shared)


@orders
def test_gradients_at_control_points_are_finite(order):
    points, values = scattered(6).requires_grad_(), random(1, 6, 2).requires_grad_()
    polyharmonic_spline(points, values, points.detach().clone(), order).square().sum().backward()
    assert points.grad.isfinite().all()
    assert values.grad.isfinite().all()


@orders
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_pixels_are_places(order, dtype, atol):
    points, values = scattered(21, batch=2, dtype=dtype), random(2, 21, 2, dtype=dtype)
    spline = fit_spline(points, values, order)
    y, x = torch.meshgrid(torch.arange(7.0), torch.arange(11.0), indexing="ij")
    places = torch.stack([x, y], -1).view(1, -1, 2).to(dtype)
    expected = spline.at(places).mT.view(2, 2, 7, 11)
    torch.testing.assert_close(spline.at_pixels(7, 11), expected, atol=atol, rtol=0)


# Bad input.


def test_coincident_points_are_named():
    points = scattered(8, batch=3)
    points[1, 6] = points[1, 2]
    with pytest.raises(CoincidentPointsError, match="points 2 and 6 of item 1"):
        fit_spline(points, random(3, 8, 1))


def test_points_on_a_line():
    along = torch.arange(5.0)
    with pytest.raises(CollinearPointsError, match="item 0"):
        fit_spline(torch.stack([along, 2 * along + 1], 1)[None], torch.zeros(1, 5, 1))
    with pytest.raises(CoincidentPointsError):
        fit_spline(torch.ones(1, 5, 2), torch.zeros(1, 5, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": 3}, "order"),
        ({"points": torch.rand(1, 2, 2)}, "n at least 3"),
        ({"points": torch.rand(1, 8, 3)}, r"\(1, 8, 3\)"),
        ({"points": torch.rand(3, 8, 2)}, "3 sets of control points for 2"),
        ({"values": torch.rand(2, 7, 2)}, r"expected \(B, 8, c\)"),
        ({"values": torch.rand(2, 8, 2).double()}, "float64"),
        ({"values": torch.full((2, 8, 2), torch.nan)}, "values are NaN"),
        ({"points": torch.full((1, 8, 2), torch.inf)}, "control points are NaN"),
        ({"points": torch.zeros(1, 8, 2, dtype=torch.int64)}, "floating-point"),
        ({"values": torch.zeros(2, 8, 2, device="meta")}, "meta"),
        ({"queries": torch.rand(3, 5, 2)}, "queries"),
        ({"queries": torch.rand(1, 5, 2).double()}, "queries torch.float64"),
    ],
)
def test_bad_input(change, message):
    good = {
        "points": scattered(8, dtype=torch.float32),
        "values": random(2, 8, 2).float(),
        "queries": torch.rand(1, 5, 2),
        "order": 1,
    }
    with pytest.raises(NormalizationError, match=message):
        polyharmonic_spline(**good | change)
