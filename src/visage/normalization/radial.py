"""Sums of radial functions, Σ_i w_i φ(‖q − p_i‖), without their big matrix.

As one writes it first, every query has its distance to every point in memory: for a batch of 16
warps at 224 pixels that is 270 MB, which is written, read, and kept for the derivatives. Here
queries are taken a block at a time that fits the cache, and the backward pass, written out by hand,
computes distances again. For the pixels of a picture, in float32 on a CPU, compiled loops do the
same; both agree to 1e-5 of the sum of the terms' sizes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from visage.normalization import compiled_spline

_BLOCK = {"cpu": 1 << 17, "cuda": 1 << 25}
"""Distances of one block: half a megabyte on a CPU; on a GPU enough to keep it busy."""


def radial_function(squared: Tensor, order: int) -> Tensor:
    """φ of squared distances: φ_1(r) = r, φ_2(r) = r² log r = ½ r² log r².

    The derivative at r = 0 is zero, which is exact for φ_2, and for φ_1 the middle of its kink.

    >>> radial_function(torch.tensor([0.0, 4.0]), 1)
    tensor([0., 2.])
    """
    apart = squared > 0
    safe = torch.where(apart, squared, 1.0)
    return torch.where(apart, safe.sqrt() if order == 1 else 0.5 * squared * safe.log(), 0.0)


def sum_of_radials(points: Tensor, weights: Tensor, queries: Tensor, order: int) -> Tensor:
    """Σ_i w_i φ(‖q − p_i‖).

    Args:
        points: (B or 1, n, 2).
        weights: (B, n, c).
        queries: (B or 1, m, 2).
        order: 1 or 2.

    Returns:
        (B, m, c).
    """
    if len(points) == len(queries) == 1:
        return fold(lambda p, w: _SumOfRadials.apply(p, w, queries, order), points, weights)
    batch = len(weights)
    return _SumOfRadials.apply(
        points.expand(batch, -1, -1), weights, queries.expand(batch, -1, -1), order
    )


def fold(function: Callable[[Tensor, Tensor], Tensor], shared: Tensor, values: Tensor) -> Tensor:
    """Call a function that is linear in `values` once for a batch that shares the rest.

    Args:
        function: of (1, …) and (1, n, k), gives (1, m, k), column by column.
        shared: (1, …).
        values: (B, n, c), given as one item with B·c columns.

    Returns:
        (B, m, c).
    """
    result = function(shared, values.movedim(0, 1).flatten(1)[None])
    return result[0].unflatten(1, values.shape[::2]).movedim(1, 0)


def sum_of_radials_on_grid(
    points: Tensor, weights: Tensor, x: Tensor, y: Tensor, order: int
) -> Tensor:
    """The same at all crossings of columns x and rows y, which get no derivatives.

    Args:
        points: (B or 1, n, 2).
        weights: (B, n, c).
        x: (B or 1, W).
        y: (B or 1, H).
        order: 1 or 2.

    Returns:
        (B, c, H, W).
    """
    if points.device.type == "cpu" and points.dtype == torch.float32 and weights.shape[2] == 2:
        points, x, y = (each.expand(len(weights), *each.shape[1:]) for each in (points, x, y))
        filled = (0, 0, 0, -points.shape[1] % compiled_spline.FOUR)
        return _SumOnGrid.apply(F.pad(points, filled), F.pad(weights, filled), x, y, order)
    height, width = y.shape[1], x.shape[1]
    across, down = x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)
    queries = torch.stack([across, down], -1).flatten(1, 2)
    return sum_of_radials(points, weights, queries, order).mT.unflatten(2, (height, width))


class _SumOnGrid(Function):
    """`sum_of_radials_on_grid` by compiled loops."""

    @staticmethod
    def forward(ctx, points, weights, x, y, order):
        ctx.save_for_backward(points, weights, x, y)
        ctx.thin = order == 2
        result = weights.new_zeros(len(points), 2, y.shape[1], x.shape[1])
        compiled_spline.sum_on_grid(*_arrays(points, weights, x, y), ctx.thin, result.numpy())
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        points, weights, x, y = ctx.saved_tensors
        to_points, to_weights = torch.zeros(2, *points.shape, dtype=torch.float64)
        compiled_spline.sum_on_grid_backward(
            *_arrays(points, weights, x, y),
            ctx.thin,
            *_arrays(gradient, to_points, to_weights),
        )
        return to_points.float(), to_weights.float(), None, None, None


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


class _SumOfRadials(Function):
    @staticmethod
    def forward(ctx, points, weights, queries, order):
        ctx.save_for_backward(points, weights, queries)
        ctx.order = order
        out = queries.new_empty(*queries.shape[:2], weights.shape[2])
        for part in _blocks(points, queries):
            squared = _squared_distances(queries[:, part], points)
            out[:, part] = _radial(squared, order) @ weights
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        points, weights, queries = ctx.saved_tensors
        to_points, to_weights = torch.zeros_like(points), torch.zeros_like(weights)
        to_queries = torch.empty_like(queries)
        for part in _blocks(points, queries):
            here, along = queries[:, part], gradient[:, part]
            squared = _squared_distances(here, points)
            pull = _slope(squared, ctx.order) * (along @ weights.mT)  # (B, m, n)
            to_weights += _radial(squared, ctx.order).mT @ along
            to_queries[:, part] = pull.sum(2, keepdim=True) * here - pull @ points
            to_points += pull.sum(1)[..., None] * points - pull.mT @ here
        return to_points, to_weights, to_queries, None


def _blocks(points: Tensor, queries: Tensor) -> list[slice]:
    at_once = _BLOCK.get(points.device.type, 1 << 22)
    step = max(1, at_once // max(1, points.shape[0] * points.shape[1]))
    return [slice(k, k + step) for k in range(0, queries.shape[1], step)]


def _squared_distances(queries: Tensor, points: Tensor) -> Tensor:
    """(B, m, n). Differences first: |q|² − 2 q·p + |p|² would cancel where they are small."""
    across = queries[:, :, None, 0] - points[:, None, :, 0]
    down = queries[:, :, None, 1] - points[:, None, :, 1]
    return across.square_().add_(down.square_())


def _radial(squared: Tensor, order: int) -> Tensor:
    if order == 1:
        return squared.sqrt()
    return torch.special.xlogy(squared, squared).mul_(0.5)


def _slope(squared: Tensor, order: int) -> Tensor:
    """φ′(r)/r, zero at r = 0."""
    slope = squared.rsqrt() if order == 1 else squared.log().add_(1)
    return slope.masked_fill_(squared == 0, 0)
