"""One damped Gauss-Newton step, with some unknowns kept in [0, 1].

In float64, because the precisions of the priors are ten orders of magnitude apart.
"""

import torch
from torch import Tensor

_TOLERANCE = 1e-4


def damped_step(matrix: Tensor, right: Tensor, damping: Tensor) -> Tensor:
    """Solve (JᵀWJ + λ diag JᵀWJ) step = JᵀWr (Marquardt 1963).

    Args:
        matrix: (B, P, P), JᵀWJ.
        right: (B, P), JᵀWr.
        damping: (B,), λ.

    Returns:
        (B, P), float32.
    """
    return torch.linalg.solve(_damped(matrix, damping), right.double()).float()


def bounded_step(
    matrix: Tensor, right: Tensor, damping: Tensor, values: Tensor, place: slice
) -> Tensor:
    """As `damped_step`, with some unknowns kept in [0, 1] by an active set.

    What would leave its range goes to the end of it, and the rest is solved again, twice.

    Args:
        matrix: (B, P, P).
        right: (B, P).
        damping: (B,).
        values: (B, N) in [0, 1], the bounded unknowns before the step.
        place: which N of the P they are.

    Returns:
        (B, P), float32.
    """
    matrix, right, values = _damped(matrix, damping), right.double(), values.double()
    low = high = torch.zeros_like(values, dtype=torch.bool)
    step = torch.linalg.solve(matrix, right)
    for _ in range(2):
        after = values + step[:, place]
        low, high = low | (after < -_TOLERANCE), high | (after > 1 + _TOLERANCE)
        held, ends = torch.zeros_like(right), torch.zeros_like(right)
        held[:, place] = (low | high).double()
        ends[:, place] = high.double() - values
        step = _solve_around(matrix, right, held, held * ends)
    return step.float()


def _damped(matrix: Tensor, damping: Tensor) -> Tensor:
    matrix = matrix.double()
    return matrix + torch.diag_embed(matrix.diagonal(dim1=1, dim2=2) * damping[:, None])


def _solve_around(matrix: Tensor, right: Tensor, held: Tensor, values: Tensor) -> Tensor:
    """Solve (B, P) equations for what is not held (1 in `held`) at `values`, (B, P) each."""
    free = 1 - held
    right = (right - (matrix @ values[..., None])[..., 0]) * free + values
    return torch.linalg.solve(matrix * free[:, None] * free[..., None] + held.diag_embed(), right)
