"""L-BFGS, one step at a time, so that it can be shown, stopped and continued anywhere.

Nocedal and Wright, "Numerical Optimization" (2006), algorithms 7.4 and 7.5, with the line search of
Lewis and Overton, "Nonsmooth optimization via quasi-Newton methods" (2013), algorithm 2.6, which
halves and doubles until Wolfe's two conditions hold. `torch.optim.LBFGS` runs all its steps in one
call, or evaluates the function once more for each; evaluations are all that a texture costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_SUFFICIENT = 1e-4  # of the decrease that the slope promises, Wolfe's first condition
_FLATTER = 0.9  # of the slope, at most, Wolfe's second
_TRIES = 20  # of steps along a direction
_CURVED = 1e-10  # s · y over |s| |y|, below which a pair says nothing about curvature

Value = tuple[float, Tensor, dict[str, float]]
"""Of a function: value, gradient, and terms to report."""


@dataclass(frozen=True, eq=False)
class DescentState:
    """Where a descent is: everything that the next step depends on."""

    point: Tensor  # (N,)
    value: float
    gradient: Tensor  # (N,)
    terms: dict[str, float]  # as reported at the point
    moves: tuple[Tensor, ...]  # last differences of points, s, oldest first
    turns: tuple[Tensor, ...]  # and of gradients, y
    steps: int  # done
    evaluations: int  # of the function
    stuck: bool  # no shorter step goes down: the end


def begin(function: Callable[[Tensor], Value], point: Tensor) -> DescentState:
    """The state at a point (N,), nothing known about curvature yet."""
    value, gradient, terms = function(point)
    stuck = not math.isfinite(value)
    return DescentState(point, value, gradient, terms, (), (), 0, 1, stuck)


def step(
    function: Callable[[Tensor], Value],
    state: DescentState,
    *,
    history: int = 10,
    first: float = 1e-2,
) -> DescentState:
    """One iteration of L-BFGS; the value never rises.

    Args:
        function: of a point (N,).
        state: where to begin.
        history: pairs that are kept, m.
        first: the largest change of a number that is tried first when there is no curvature yet
            to tell a length.
    """
    if state.stuck:
        return state
    direction = _direction(state)
    slope = float(direction @ state.gradient)
    if not slope < 0 and state.moves:
        state = replace(state, moves=(), turns=())
        direction = -state.gradient
        slope = float(direction @ state.gradient)
    if not slope < 0:  # flat, or not a number
        return replace(state, stuck=True)
    length = 1.0
    if not state.moves:
        length = first / max(float(direction.abs().max()), 1e-30)
    found, tries = _search(function, state, direction, slope, length)
    if found is None:
        tried = replace(state, evaluations=state.evaluations + tries)
        if not state.moves:
            return replace(tried, stuck=True)
        # Curvature may mislead; the steepest way down goes down if any does.
        return step(function, replace(tried, moves=(), turns=()), history=history, first=first)
    point, (value, gradient, terms) = found
    move, turn = point - state.point, gradient - state.gradient
    moves, turns = state.moves, state.turns
    if float(move @ turn) > _CURVED * float(move.norm() * turn.norm()):
        moves, turns = (*moves, move)[-history:], (*turns, turn)[-history:]
    return DescentState(point, value, gradient, terms, moves, turns, state.steps + 1,
                        state.evaluations + tries, False)  # fmt: skip


def _direction(state: DescentState) -> Tensor:
    """-H g by the two-loop recursion (algorithm 7.4)."""
    q = -state.gradient
    pairs = list(zip(state.moves, state.turns, strict=True))
    kept = []
    for s, y in reversed(pairs):
        rate = 1 / float(s @ y)
        along = rate * float(s @ q)
        q = torch.add(q, y, alpha=-along)
        kept.append((rate, along))
    if pairs:
        s, y = pairs[-1]
        q = q * (float(s @ y) / float(y @ y))
    for (s, y), (rate, along) in zip(pairs, reversed(kept), strict=True):
        q = torch.add(q, s, alpha=along - rate * float(y @ q))
    return q


def _search(
    function: Callable[[Tensor], Value],
    state: DescentState,
    direction: Tensor,
    slope: float,
    length: float,
) -> tuple[tuple[Tensor, Value] | None, int]:
    """A step that goes down enough, and far enough, or None; and how many were tried.

    When none is found that goes far enough, one that goes down enough will do.
    """
    low, high, best = 0.0, math.inf, None
    tries = 0
    while tries < _TRIES:
        tries += 1
        point = torch.add(state.point, direction, alpha=length)
        value, gradient, terms = function(point)
        if not value <= state.value + _SUFFICIENT * length * slope:  # nor if it is not a number
            high = length
        else:
            best = (point, (value, gradient, terms))
            if float(gradient @ direction) >= _FLATTER * slope:
                break
            low = length
        length = 2 * low if math.isinf(high) else (low + high) / 2
    return best, tries
