"""Run with ``pytest tests/benchmarks/test_warp_speed.py --benchmark-enable``.

One thread, 16 pictures of 224 pixels, 68 landmarks and 16 boundary points, other landmarks in every
item. `visage reproduce normalization/warp_speed` runs the same in turn and keeps the ratios.
"""

import pytest
import torch

from visage.normalization.warp import SplineWarp, warp
from visage.normalization.warp_speed_reproduce import (
    BATCH,
    best_seconds,
    kornia_warp,
    plain_warp,
    warp_problem,
)

SMALL = 2


@pytest.fixture(autouse=True)
def one_core():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def problem(request):
    """Full size to measure; two pictures where the code only runs as a test."""
    enabled = request.config.getoption("benchmark_enable")
    return warp_problem(BATCH if enabled else SMALL, seed=0)


@pytest.mark.benchmark(group="warp, forwards")
@pytest.mark.parametrize("order", [1, 2])
def test_warp(benchmark, problem, order):
    result = benchmark(torch.no_grad()(warp), *problem, order=order)
    assert (result - plain_warp(*problem, order)).abs().mean() < 1e-3


@pytest.mark.benchmark(group="warp, forwards")
def test_prepared_warp(benchmark, problem):
    image, source, target = problem
    prepared = SplineWarp(target[0], image.shape[-1])
    result = benchmark(torch.no_grad()(prepared), image, source)
    assert (result - plain_warp(image, source, target[:1].expand_as(target))).abs().mean() < 1e-3


@pytest.mark.benchmark(group="warp, forwards and backwards")
@pytest.mark.parametrize("order", [1, 2])
def test_warp_with_gradients(benchmark, problem, order):
    def step():
        leaves = [tensor.clone().requires_grad_() for tensor in problem]
        return torch.autograd.grad(warp(*leaves, order=order).square().mean(), leaves)

    gradients = benchmark(step)
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


@pytest.mark.benchmark(group="warp, forwards")
def test_kornia(benchmark, problem):
    """Another spline through the same points, which differs from ours between them."""
    pytest.importorskip("kornia")
    image, source, _ = problem
    assert benchmark(torch.no_grad()(kornia_warp), *problem).shape == image.shape
    assert (kornia_warp(image, source, source) - image).abs().mean() < 1e-3


def test_faster_than_plain_torch(problem):
    """By far: both take turns, so that a busy machine slows both."""
    few = [tensor[:SMALL] for tensor in problem]
    calls = {"ours": lambda: warp(*few), "plain": lambda: plain_warp(*few)}
    with torch.no_grad():
        seconds = best_seconds(calls, 5)
    assert seconds["plain"] > 1.5 * seconds["ours"]
