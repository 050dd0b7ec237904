"""Polyharmonic splines in the plane, differentiable in everything (Cole et al. 2017, section 4.1).

A spline through values g_i at control points p_i is

    s(q) = Σ_i w_i φ_k(‖q − p_i‖) + v_1 x + v_2 y + v_3        (eq. 1)

with φ_1(r) = r or φ_2(r) = r² log r, the thin-plate spline. `fit_spline` finds w and v (the first
lines of algorithm 1), `Spline.at` evaluates (its last line).

Neither φ cares about the unit of length: shifting or scaling the plane changes w and v, and not s.
So points are centred and scaled before anything is squared, and the system, a few dozen equations,
is solved in float64 whatever the points are. What is left in float32 is the rounding of the sum: on
224 pixels about 2e-4 of a pixel with φ_1 and 2e-3 with φ_2, whose terms are larger and cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.normalization.errors import (
    CoincidentPointsError,
    CollinearPointsError,
    NormalizationError,
)
from visage.normalization.radial import (
    fold,
    radial_function,
    sum_of_radials,
    sum_of_radials_on_grid,
)

Order = Literal[1, 2]

_COINCIDENT = 1e-6
"""Of the points' extent: nearer to each other, two float32 points differ by their rounding."""

_FLAT = 1e-10
"""Of the variance along the line: less than that across it, and the points lie on the line."""


@dataclass(frozen=True)
class Spline:
    """Eq. 1 with its parameters, for B sets of control points.

    Attributes:
        points: (B or 1, n, 2) control points, in units of `scale` from `centre`.
        weights: (B, n, c), w, in units of the values.
        plane: (B, 3, c), v_3, v_1 and v_2.
        centre: (B or 1, 1, 2), in the unit of the points that were given.
        scale: (B or 1, 1, 1), in the same unit.
        order: k of φ_k.
    """

    points: Tensor
    weights: Tensor
    plane: Tensor
    centre: Tensor
    scale: Tensor
    order: Order

    def at(self, queries: Tensor) -> Tensor:
        """Evaluate s.

        Args:
            queries: (B or 1, m, 2), in the unit of the points that were given.

        Returns:
            (B, m, c).
        """
        places = (queries - self.centre) / self.scale
        linear = self.plane[:, :1] + places @ self.plane[:, 1:]
        return linear + sum_of_radials(self.points, self.weights, places, self.order)

    def at_pixels(self, height: int, width: int) -> Tensor:
        """Evaluate s at all pixels of a picture, faster than `at`: (B, c, height, width)."""
        columns = torch.arange(width, dtype=self.points.dtype, device=self.points.device)
        rows = torch.arange(height, dtype=self.points.dtype, device=self.points.device)
        x = (columns - self.centre[:, :, 0]) / self.scale[:, 0]  # (B, W)
        y = (rows - self.centre[:, :, 1]) / self.scale[:, 0]
        level, across, down = self.plane[..., None, None].unbind(1)  # (B, c, 1, 1)
        linear = level + across * x[:, None, None] + down * y[:, None, :, None]
        return linear + sum_of_radials_on_grid(self.points, self.weights, x, y, self.order)


def polyharmonic_spline(
    points: Tensor, values: Tensor, queries: Tensor, order: Order = 1
) -> Tensor:
    """Interpolate scattered values: algorithm 1 of Cole et al. (2017).

    Where all items of a batch have the same points, give them once: one system is then solved for
    all of them.

    Args:
        points: (B or 1, n, 2) control points, n at least 3, not all on one line.
        values: (B, n, c), what the spline is at the control points.
        queries: (B or 1, m, 2), where it is wanted, in the unit of the points.
        order: 1 for φ(r) = r, as in the paper; 2 for the thin-plate spline, r² log r.

    Returns:
        (B, m, c), differentiable in points, values and queries. At a control point, where φ_1 has
        a kink, its derivative is taken as zero.

    Raises:
        CoincidentPointsError: two control points are the same.
        CollinearPointsError: all control points lie on one line.
        NormalizationError: shapes, devices or types do not fit, or something is not finite.

    >>> corners = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]])
    >>> height = torch.tensor([[[0.0], [2.0], [2.0], [4.0]]])  # x + y
    >>> polyharmonic_spline(corners, height, torch.tensor([[[0.5, 1.0]]]))
    tensor([[[1.5000]]])
    """
    _check_queries(queries, points, len(values))
    return fit_spline(points, values, order).at(queries)


def fit_spline(points: Tensor, values: Tensor, order: Order = 1) -> Spline:
    """Find the spline through values at points.

    Solves [[A, Bᵀ], [B, 0]] [w; v] = [g; 0] with A_ij = φ(‖p_i − p_j‖) and B = [1; x; y]: s goes
    through the values, and w has no part that a plane could do (Σ w = Σ w x = Σ w y = 0).

    Args:
        points: (B or 1, n, 2).
        values: (B, n, c).
        order: 1 or 2.

    Raises:
        CoincidentPointsError: two control points are the same.
        CollinearPointsError: all control points lie on one line.
        NormalizationError: shapes, devices or types do not fit, or something is not finite.
    """
    _check_controls(points, values, order)
    low, high = points.detach().aminmax(dim=1, keepdim=True)
    centre, scale = (low + high) / 2, (high - low).amax(2, keepdim=True) / 2
    placed = (points.double() - centre.double()) / scale.clamp_min(1e-30).double()
    squared = (placed[:, :, None] - placed[:, None]).square().sum(-1)
    _check_apart(placed.detach(), squared.detach())
    ones = torch.ones_like(placed[..., :1])
    plane = torch.cat([ones, placed], 2)
    system = torch.cat(
        [
            torch.cat([radial_function(squared, order), plane], 2),
            torch.cat([plane.mT, plane.new_zeros(len(plane), 3, 3)], 2),
        ],
        1,
    )
    right = F.pad(values.double(), (0, 0, 0, 3))
    if len(points) == 1:  # one system with B·c right sides
        solution = fold(torch.linalg.solve, system, right)
    else:
        solution = torch.linalg.solve(system, right)
    weights, plane = solution.to(values.dtype).split([points.shape[1], 3], 1)
    return Spline(placed.to(points.dtype), weights, plane, centre, scale, order)


def _check_controls(points: Tensor, values: Tensor, order: int) -> None:
    if order not in (1, 2):
        raise NormalizationError(f"the order of a spline is 1 or 2, not {order!r}.")
    if points.ndim != 3 or points.shape[-1] != 2 or points.shape[1] < 3:
        raise NormalizationError(
            f"control points are {tuple(points.shape)}, expected (B, n, 2) with n at least 3."
        )
    if values.ndim != 3 or values.shape[1] != points.shape[1]:
        raise NormalizationError(
            f"values are {tuple(values.shape)}, expected (B, {points.shape[1]}, c), a row for "
            "each control point."
        )
    if len(points) not in (1, len(values)) or len(values) == 0:
        raise NormalizationError(
            f"there are {len(points)} sets of control points for {len(values)} of values; give "
            "one for all, or one for each."
        )
    check_alike(points=points, values=values)
    for name, tensor in (("control points", points), ("values", values)):
        if not tensor.isfinite().all():
            raise NormalizationError(f"some {name} are NaN or infinite; check the landmarks.")


def _check_queries(queries: Tensor, points: Tensor, batch: int) -> None:
    if queries.ndim != 3 or queries.shape[-1] != 2 or len(queries) not in (1, batch):
        raise NormalizationError(
            f"queries are {tuple(queries.shape)}, expected (1, m, 2) or ({batch}, m, 2)."
        )
    check_alike(points=points, queries=queries)


def check_alike(**tensors: Tensor) -> None:
    """Refuse tensors of several types or devices, or of whole numbers.

    Raises:
        NormalizationError: they are.
    """
    kinds = {name: (tensor.dtype, tensor.device) for name, tensor in tensors.items()}
    floating = all(tensor.is_floating_point() for tensor in tensors.values())
    if len(set(kinds.values())) > 1 or not floating:
        said = ", ".join(f"{name} {dtype} on {device}" for name, (dtype, device) in kinds.items())
        raise NormalizationError(f"expected one floating-point type on one device, not {said}.")


def _check_apart(placed: Tensor, squared: Tensor) -> None:
    """Control points (B, n, 2) and their squared distances (B, n, n), both normalised."""
    count = placed.shape[1]
    own = torch.eye(count, dtype=torch.bool, device=placed.device)
    close = (squared <= _COINCIDENT**2) & ~own
    if close.any():
        item, first, second = close.nonzero()[0].tolist()
        raise CoincidentPointsError(
            f"control points {first} and {second} of item {item} coincide; a spline goes through "
            "one value at a point, so drop or move one of them."
        )
    offsets = placed - placed.mean(1, keepdim=True)
    variances = torch.linalg.eigvalsh(offsets.mT @ offsets)
    flat = variances[:, 0] <= _FLAT * variances[:, 1]
    if flat.any():
        raise CollinearPointsError(
            f"the control points of item {int(flat.nonzero()[0])} lie on one line; add one beside "
            "it, for instance the boundary points of the picture."
        )
