"""How fast the warp is, beside kornia's and beside what one would write first.

`visage reproduce normalization/warp_speed` needs kornia (``pip install kornia``).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy.interpolate import RBFInterpolator
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import measured_result
from visage.normalization.spline import Order
from visage.normalization.warp import SplineWarp, boundary_points, dense_flow, pixel_places, warp
from visage.normalization.warp_examples import astronaut, person_landmarks
from visage.photos.alignment import pixel_to_grid

SIZE = 224
BATCH = 16
EDGE = len(boundary_points(SIZE, SIZE))
_SCIPY = {1: "linear", 2: "thin_plate_spline"}

Warp = Callable[[Tensor, Tensor, Tensor], Tensor]


def plain_warp(image: Tensor, source: Tensor, target: Tensor, order: Order = 1) -> Tensor:
    """The warp as one writes it first: algorithm 1 line by line, all distances at once."""
    height, width = image.shape[-2:]
    edge = boundary_points(height, width).to(target).expand(len(target), -1, -1)
    points = torch.cat([target, edge], 1)
    values = torch.cat([source - target, torch.zeros_like(edge)], 1)
    count, corner = points.shape[1], points.new_zeros(len(points), 3, 3)
    plane = torch.cat([torch.ones_like(points[..., :1]), points], 2)
    radial = _plain_radial(torch.cdist(points, points), order)
    system = torch.cat([torch.cat([radial, plane], 2), torch.cat([plane.mT, corner], 2)], 1)
    solution = torch.linalg.solve(system, torch.cat([values, corner[..., :2]], 1))
    weights, level, slope = solution.split([count, 1, 2], 1)
    queries = pixel_places(height, width, points).expand(len(points), -1, -1)
    flow = _plain_radial(torch.cdist(queries, points), order) @ weights + level + queries @ slope
    grid = pixel_to_grid(queries + flow, height, width).view(-1, height, width, 2)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def _plain_radial(distances: Tensor, order: Order) -> Tensor:
    if order == 1:
        return distances
    return distances.square() * distances.clamp_min(1e-12).log()


def kornia_warp(image: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Kornia's thin-plate warp through the same points.

    It places its radial functions at the source points, so that its flow is another one, which
    goes through all points as well.
    """
    from kornia.geometry.transform import get_tps_transform, warp_image_tps

    height, width = image.shape[-2:]
    edge = boundary_points(height, width).to(target).expand(len(target), -1, -1)
    there, here = (
        pixel_to_grid(torch.cat([points, edge], 1), height, width) for points in (source, target)
    )
    weights, affine = get_tps_transform(here, there)
    return warp_image_tps(image, there, weights, affine, padding_mode="border")


def warp_problem(batch: int, seed: int, size: int = SIZE) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, and landmarks of as many people, each to be moved to another person's."""
    image = astronaut(size).images.expand(batch, -1, -1, -1).contiguous()
    points = person_landmarks(2 * batch, seed=seed, split="test", size=size)
    return image, points[:batch], points[batch:]


def scipy_flow(source: Tensor, target: Tensor, height: int, width: int, order: Order) -> Tensor:
    """The dense flow (2, height, width) of one pair of landmarks (n, 2), in float64, by scipy."""
    edge = boundary_points(height, width).double()
    points = torch.cat([target.double(), edge]).numpy()
    values = np.concatenate([(source.double() - target.double()).numpy(), 0 * edge.numpy()])
    places = pixel_places(height, width, edge).numpy()
    flow = RBFInterpolator(points, values, kernel=_SCIPY[order], degree=1)(places)
    return torch.from_numpy(flow).T.unflatten(1, (height, width))


def reproduce_warp_speed(profile: Profile, seed: int) -> Result:
    """All warps in turn, forwards, and forwards and backwards; one thread."""
    start = time.perf_counter()
    batch, rounds = (BATCH, 7) if profile == "full" else (2, 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = _rows(warp_problem(batch, seed), rounds)
    finally:
        torch.set_num_threads(threads)
    return measured_result(
        "normalization/warp_speed",
        "The interpolation is efficient and easy to implement.",
        f"{batch} pictures of {SIZE} x {SIZE} pixels, 68 landmarks and {EDGE} "
        "boundary points, other landmarks in every item, float32, one thread; all methods in turn, "
        f"{rounds} rounds, the best of each. ours: `warp` with other targets in every item; "
        "prepared: `SplineWarp`, one target for all. plain_torch: algorithm 1 line by line (cdist, "
        "φ, matmul, grid_sample). kornia: get_tps_transform and warp_image_tps. ratio_to_kornia is "
        "between thin-plate splines, ratio_to_plain_torch between φ_1, as in the paper; _thin: the "
        "thin-plate spline; _backward: forwards and backwards to picture, source and target. "
        "difference_to_scipy: between flows, ours in float32, scipy's RBFInterpolator in float64.",
        paper="cole2017synthesizing",
        profile=profile,
        seed=seed,
        start=start,
        rows=rows,
    )


def _rows(problem: tuple[Tensor, Tensor, Tensor], rounds: int) -> list[Row]:
    image, source, target = problem
    prepared = SplineWarp(target[0], SIZE)
    methods: dict[str, Warp] = {
        "ours": warp,
        "ours_thin": lambda i, s, t: warp(i, s, t, order=2),
        "prepared": lambda i, s, t: prepared(i, s) + 0 * t.sum(),
        "plain_torch": plain_warp,
        "plain_torch_thin": lambda i, s, t: plain_warp(i, s, t, 2),
        "kornia": kornia_warp,
    }
    calls = {name: _forward(method, problem) for name, method in methods.items()}
    calls |= {f"{name}_backward": _backward(method, problem) for name, method in methods.items()}
    ms = {name: 1e3 * seconds for name, seconds in best_seconds(calls, rounds).items()}
    count = len(image)

    def ratio(name: str, slow: str, fast: str) -> Row:
        return Row(name, None, ms[slow] / ms[fast], "times", "higher", count)

    worst = [_difference_to_scipy(source, target, order) for order in (1, 2)]
    return [
        ratio("ratio_to_kornia", "kornia", "ours_thin"),
        ratio("ratio_to_plain_torch", "plain_torch", "ours"),
        Row("max_abs_difference_to_scipy", None, max(worst), "px", "lower", count * SIZE**2),
        ratio("ratio_to_kornia_backward", "kornia_backward", "ours_thin_backward"),
        ratio("ratio_to_plain_torch_backward", "plain_torch_backward", "ours_backward"),
        ratio("ratio_to_plain_torch_thin", "plain_torch_thin", "ours_thin"),
        Row("max_abs_difference_to_scipy_linear", None, worst[0], "px", "lower", count * SIZE**2),
        *(Row(f"{name}_ms", None, value, "ms", "lower", count) for name, value in ms.items()),
    ]


def _forward(method: Warp, problem: tuple[Tensor, Tensor, Tensor]) -> Callable[[], None]:
    def call() -> None:
        with torch.no_grad():
            method(*problem)

    return call


def _backward(method: Warp, problem: tuple[Tensor, Tensor, Tensor]) -> Callable[[], None]:
    def call() -> None:
        leaves = [tensor.clone().requires_grad_() for tensor in problem]
        torch.autograd.grad(method(*leaves).square().mean(), leaves)

    return call


def best_seconds(calls: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Each call's best time over rounds in which all have their turn; the first one warms up."""
    best = dict.fromkeys(calls, float("inf"))
    for turn in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def _difference_to_scipy(source: Tensor, target: Tensor, order: Order) -> float:
    flow = dense_flow(source, target, SIZE, SIZE, order=order).double()
    return max(
        float((flow[i] - scipy_flow(source[i], target[i], SIZE, SIZE, order)).abs().max())
        for i in range(len(source))
    )


EXPERIMENTS: dict[str, Experiment] = {"normalization/warp_speed": reproduce_warp_speed}
