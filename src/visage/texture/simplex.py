"""Weights of a blend: least squares on the simplex, without it, and the closest point.

Saito et al. (2017, eq. 2) look for weights, none negative and one in sum, with which K correlations
come nearest to what was observed. That is the point of a polytope nearest to another point, and
Wolfe ("Finding the nearest point in a polytope", 1976) finds it exactly in finitely many steps, one
linear system each: the weights that are not zero are kept as a set; a corner that lies nearer than
the current point joins it, and corners whose weight would turn negative leave.

Everything is in terms of inner products, so that the correlations themselves, which are large, are
not needed: with A their K columns and b the observation, ``normal`` is AᵀA and ``right`` is Aᵀb.
Computed in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from visage.texture.errors import SimplexError

_OPTIMAL = 1e-13  # how much nearer a corner must be, the longest edge's square being 1
_ROUNDS = 200  # of reweighting; some ten are usual


def simplex_least_squares(normal: Tensor, right: Tensor) -> Tensor:
    """Minimise ‖A w - b‖² over w ≥ 0 with Σ w = 1 (eq. 2, for squared norms).

    Args:
        normal: (K, K), AᵀA.
        right: (K,), Aᵀb.

    Returns:
        (K,) float64. Where several weights are as good, because columns of A depend on each other,
        one of them, on affinely independent columns.

    Raises:
        SimplexError: the two do not fit together, hold NaN, or cannot be inner products.

    >>> simplex_least_squares(torch.eye(3), torch.tensor([1.0, 0.5, -2.0]))
    tensor([0.7500, 0.2500, 0.0000], dtype=torch.float64)
    """
    normal, right = _checked(normal, right)
    edges, towards, first = _edges(normal, right)
    weights = torch.zeros_like(right)
    weights[first] = 1
    longest = edges.diagonal().max()
    if longest <= 0:
        return weights  # all columns are one
    edges, towards = edges / longest, towards / longest
    value = _value(edges, towards, weights)
    useless = torch.zeros_like(right, dtype=torch.bool)
    while True:
        slope = edges @ weights - towards
        slope = slope - weights @ slope
        slope[(weights > 0) | useless] = 0
        joining = int(slope.argmin())
        if slope[joining] >= -_OPTIMAL:
            return weights / weights.sum()
        found = _joined(edges, towards, weights, joining)
        reached = _value(edges, towards, found)
        if reached < value:
            weights, value = found, reached
            useless[:] = False
        else:
            useless[joining] = True  # nearer by no more than a rounding


def simplex_sum_of_norms(normals: Tensor, rights: Tensor, squares: Tensor) -> Tensor:
    """Minimise Σ_l ‖A_l w - b_l‖ over w ≥ 0 with Σ w = 1: eq. 2 as printed, norms not squared.

    Iteratively reweighted least squares (Weiszfeld 1937): each round is a problem of
    `simplex_least_squares` in which layer l counts 1 / ‖A_l w - b_l‖; the sum falls in every one.

    Args:
        normals: (L, K, K), A_lᵀA_l.
        rights: (L, K), A_lᵀb_l.
        squares: (L,), b_lᵀb_l.

    Returns:
        (K,) float64.

    Raises:
        SimplexError: as `simplex_least_squares`.
    """
    normals, rights, squares = normals.double(), rights.double(), squares.double()
    weights = simplex_least_squares(normals.sum(0), rights.sum(0))
    floor = 1e-9 * squares.sqrt().clamp_min(1e-300)  # a layer that is met counts no infinity
    norms = _norms(normals, rights, squares, weights)
    for _ in range(_ROUNDS):
        share = 1 / torch.maximum(norms, floor)
        found = simplex_least_squares(
            torch.einsum("l,lkj->kj", share, normals), torch.einsum("l,lk->k", share, rights)
        )
        reached = _norms(normals, rights, squares, found)
        gain = norms.sum() - reached.sum()
        if gain > 0:
            weights, norms = found, reached
        if gain <= 1e-13 * norms.sum():
            break
    return weights


def residuals(normals: Tensor, rights: Tensor, squares: Tensor, weights: Tensor) -> Tensor:
    """‖A_l w - b_l‖² by layer, (L,), from (L, K, K), (L, K), (L,) and (K,)."""
    quadratic = torch.einsum("k,lkj,j->l", weights, normals, weights)
    return quadratic - 2 * rights @ weights + squares


def unconstrained(normal: Tensor, right: Tensor, *, sum_to_one: bool = False) -> Tensor:
    """Minimise ‖A w - b‖² over all w: the paper's "simple least squares" (section 4, figure 5).

    Where columns of A depend on each other, the shortest of the best weights.

    Args:
        normal: (K, K), AᵀA.
        right: (K,), Aᵀb.
        sum_to_one: whether weights sum to one, of any sign; the shortest are then those nearest
            to 1 / K.

    Returns:
        (K,) float64.

    Raises:
        SimplexError: as `simplex_least_squares`.

    >>> unconstrained(torch.eye(3), torch.tensor([1.0, 0.5, -2.0]))
    tensor([ 1.0000,  0.5000, -2.0000], dtype=torch.float64)
    """
    normal, right = _checked(normal, right)
    if not sum_to_one:
        return _pseudo_inverse(normal, normal.abs().max()) @ right
    count = len(right)
    even = torch.full_like(right, 1 / count)
    # Onto the plane Σ = 0: what is left of a change when its mean is taken out.
    plane = torch.eye(count, dtype=right.dtype, device=right.device) - 1 / count
    inverse = _pseudo_inverse(plane @ normal @ plane, normal.abs().max())
    change = plane @ (inverse @ (plane @ (right - normal @ even)))
    return even + change


def closest(normal: Tensor, right: Tensor) -> Tensor:
    """All weight on the column of A nearest to b: the paper's "closest feature correlation".

    Args:
        normal: (K, K), AᵀA.
        right: (K,), Aᵀb.

    Returns:
        (K,) float64, a one among zeros.

    Raises:
        SimplexError: as `simplex_least_squares`.
    """
    normal, right = _checked(normal, right)
    weights = torch.zeros_like(right)
    weights[(normal.diagonal() - 2 * right).argmin()] = 1
    return weights


SOLVERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "convex": simplex_least_squares,
    "unconstrained": unconstrained,
    "closest": closest,
}
"""By the name of the method in figures 5 and 16."""


def _checked(normal: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    if right.ndim != 1 or len(right) == 0 or normal.shape != (len(right), len(right)):
        raise SimplexError(
            f"AᵀA is {tuple(normal.shape)} and Aᵀb {tuple(right.shape)}; expected (K, K) and (K,)"
        )
    normal, right = normal.detach().double(), right.detach().double()
    if not (normal.isfinite().all() and right.isfinite().all()):
        raise SimplexError("AᵀA or Aᵀb hold NaN or infinity; look at the features upstream")
    size = normal.abs().max()
    if (normal - normal.mT).abs().max() > 1e-6 * size or normal.diagonal().min() < -1e-6 * size:
        raise SimplexError("AᵀA is not symmetric, or has a negative diagonal; give inner products")
    return (normal + normal.mT) / 2, right


def _edges(normal: Tensor, right: Tensor) -> tuple[Tensor, Tensor, int]:
    """Inner products of columns and b, seen from the column p nearest to b, and p.

    On the simplex nothing else counts, and small numbers come out of large ones only once.
    """
    p = int((normal.diagonal() - 2 * right).argmin())
    column = normal[p]
    edges = normal - column[:, None] - column + column[p]
    towards = right - right[p] - column + column[p]
    return edges, towards, p


def _joined(edges: Tensor, towards: Tensor, weights: Tensor, joining: int) -> Tensor:
    """The best weights on some of the columns in use and the joining one."""
    weights = weights.clone()
    used = weights > 0
    used[joining] = True
    while True:
        wanted = torch.zeros_like(weights)
        wanted[used] = _plane_minimum(edges[used][:, used], towards[used])
        if (wanted[used] > 0).all():
            return wanted
        # As far towards the wanted weights as none turns negative.
        falling = used & (wanted <= 0)
        steps = weights[falling] / (weights[falling] - wanted[falling]).clamp_min(1e-300)
        step = steps.min().clamp(0, 1)
        weights = torch.where(used, weights + step * (wanted - weights), 0).clamp_min(0)
        leaving = falling.nonzero()[:, 0][steps.argmin()]
        weights[leaving] = 0
        used = weights > 0
        if not used.any():  # only where roundings are all there is
            used[leaving] = True
            weights[leaving] = 1


def _plane_minimum(edges: Tensor, towards: Tensor) -> Tensor:
    """Weights of any sign that sum to one and come nearest to b."""
    ones = torch.ones_like(towards)
    # Adding a constant to every product moves nothing on the plane, and makes the matrix definite
    # wherever columns are affinely independent.
    system = edges + edges.diagonal().mean().clamp_min(1e-300)
    try:
        solved = torch.linalg.solve(system, torch.stack((towards, ones), 1))
    except torch.linalg.LinAlgError:
        solved = torch.linalg.pinv(system, hermitian=True) @ torch.stack((towards, ones), 1)
    free, along = solved.unbind(1)
    return free + along * (1 - free.sum()) / along.sum()


def _norms(normals: Tensor, rights: Tensor, squares: Tensor, weights: Tensor) -> Tensor:
    return residuals(normals, rights, squares, weights).clamp_min(0).sqrt()


def _value(edges: Tensor, towards: Tensor, weights: Tensor) -> float:
    return float(weights @ edges @ weights - 2 * towards @ weights)


def _pseudo_inverse(matrix: Tensor, size: Tensor) -> Tensor:
    """The inverse where the matrix is more than the rounding of numbers of that size."""
    rounding = 4 * len(matrix) * torch.finfo(matrix.dtype).eps * size
    return torch.linalg.pinv(matrix, atol=float(rounding), rtol=0.0, hermitian=True)
