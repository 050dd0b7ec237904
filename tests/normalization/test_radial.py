"""Compiled loops and blocked torch code are one function, with the same derivatives."""

import pytest
import torch

from visage.normalization import compiled_spline, radial
from visage.normalization.radial import radial_function, sum_of_radials, sum_of_radials_on_grid

orders = pytest.mark.parametrize("order", [1, 2])


def problem(count=21, batch=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    points = 2 * torch.rand(batch, count, 2, generator=generator) - 1
    weights = torch.randn(batch, count, 2, generator=generator)
    x = torch.linspace(-1, 1, 37).repeat(batch, 1) + 0.1 * torch.arange(batch)[:, None]
    y = torch.linspace(-1, 1, 19).repeat(batch, 1)
    points[0, 0] = torch.stack([x[0, 5], y[0, 7]])  # on a pixel
    return [each.to(dtype) for each in (points, weights, x, y)]


def run(points, weights, x, y, order):
    leaves = points.clone().requires_grad_(), weights.clone().requires_grad_()
    result = sum_of_radials_on_grid(*leaves, x, y, order)
    generator = torch.Generator().manual_seed(1)
    along = torch.randn(result.shape, generator=generator).to(result)
    return result, *torch.autograd.grad((result * along).sum(), leaves)


@orders
@pytest.mark.parametrize("count", [3, 4, 21])
def test_compiled_loops_agree_with_torch(order, count):
    compiled = run(*problem(count), order)
    in_torch = run(*problem(count, dtype=torch.float64), order)
    points, weights, x, y = problem(count, dtype=torch.float64)
    size = sum_of_radials_on_grid(points, weights.abs(), x, y, 1).max()
    for ours, exact in zip(compiled, in_torch, strict=True):
        assert ours.dtype == torch.float32
        scale = max(size, exact.abs().max())
        assert (ours - exact).abs().max() < 1e-5 * scale


@orders
def test_the_torch_path_in_float32(order):
    compiled = run(*problem(), order)
    points, weights, x, y = problem()
    grid = torch.stack(torch.meshgrid(x[0], y[0], indexing="xy"), -1).view(1, -1, 2)
    first = sum_of_radials(points[:1], weights[:1], grid, order).mT.view(2, 19, 37)
    torch.testing.assert_close(compiled[0][0], first, atol=1e-4, rtol=0)


@orders
@pytest.mark.parametrize("block", [1, 100, 1 << 20])
def test_blocks_do_not_show(order, block, monkeypatch):
    points, weights, x, y = problem(dtype=torch.float64)
    whole = run(points, weights, x, y, order)
    monkeypatch.setitem(radial._BLOCK, "cpu", block)
    for one, other in zip(whole, run(points, weights, x, y, order), strict=True):
        torch.testing.assert_close(one, other)


def test_shared_points_serve_all_items():
    points, weights, x, y = problem()
    alone = sum_of_radials_on_grid(points[:1], weights, x[:1], y[:1], 1)
    each = [t[:1].expand(2, *t.shape[1:]) for t in (points, x, y)]
    torch.testing.assert_close(alone, sum_of_radials_on_grid(each[0], weights, *each[1:], 1))


def test_logarithm():
    """Compiled, within two units of the last place of float32, from tiny to large."""
    for s in (1e-30, 1e-6, 0.5, 0.70710677, 0.7071069, 1.0, 1.0000001, 3.7, 8.0, 1e12):
        exact = torch.tensor(s).double().log().item()
        found = compiled_spline._log(torch.tensor(s).numpy()[()])
        assert abs(found - exact) <= 2.4e-7 * max(abs(exact), 1e-7 if s != 1 else 0)


@orders
def test_radial_function(order):
    squared = torch.tensor([0.0, 1.0, 4.0], dtype=torch.float64, requires_grad=True)
    expected = {1: [0, 1, 2], 2: [0, 0, 4 * 0.6931471805599453]}[order]
    value = radial_function(squared, order)
    torch.testing.assert_close(value, torch.tensor(expected, dtype=torch.float64))
    value.sum().backward()
    assert squared.grad[0] == 0
    assert squared.grad.isfinite().all()
