"""Are filters edges of one direction? A measure in place of figure 5's impression.

Figure 5 shows the encoder's first filters and says that those learnt with the perceptual loss have
"more Gabor like edges". A filter that is an edge or a bar answers to gratings of one direction and
not to others. Its orientation selectivity is 1 minus the circular variance of its answers (Ringach,
Shapley and Hawken 2002): 0 for a blob or a centre with a ring, 1 for one that answers to a single
direction only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visage.nfgan.errors import OrientationError

DIRECTIONS = 36
FREQUENCIES = (0.08, 0.12, 0.17, 0.25)
"""Cycles a pixel: from a third of a period over a kernel of 3 to what a stride of 2 still shows."""

_ACTIVE = 0.1  # of the strongest filter's answer; those below are noise that did not learn


def grating_answers(filters: Tensor) -> Tensor:
    """How strongly filters answer to gratings: |Σ k(x, y) exp(2πi f (x cos θ + y sin θ))|.

    A sine grating of any phase is answered with at most this amplitude.

    Args:
        filters: (F, 1, K, K), or with more inputs, each answered by itself and added in energy.

    Returns:
        (F, `DIRECTIONS`), of the frequency that each filter answers most to; θ goes from 0 to π.

    Raises:
        OrientationError: the filters are not (F, C, K, K).
    """
    if filters.ndim != 4 or 0 in filters.shape:
        raise OrientationError(f"filters are {tuple(filters.shape)}; expected (F, C, K, K)")
    filters = filters.detach().double()
    height, width = filters.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height).double(), torch.arange(width).double(), indexing="ij"
    )
    theta = torch.arange(DIRECTIONS).double() * math.pi / DIRECTIONS
    along = theta.cos()[:, None, None] * x + theta.sin()[:, None, None] * y  # (T, K, K)
    phase = 2 * math.pi * torch.tensor(FREQUENCIES).double()[:, None, None, None] * along
    grating = torch.polar(torch.ones_like(phase), phase)  # (R, T, K, K)
    answer = torch.einsum("fckl,rtkl->frtc", filters.to(grating.dtype), grating)
    strength = answer.abs().square().sum(-1).sqrt()  # (F, R, T)
    best = strength.amax(2).argmax(1)
    return strength[torch.arange(len(filters)), best].float()


def orientation_selectivity(filters: Tensor) -> Tensor:
    """1 minus the circular variance of each filter's answers: |Σ R(θ) e^{2iθ}| / Σ R(θ).

    Args:
        filters: (F, C, K, K).

    Returns:
        (F,) in [0, 1]; 0 for a filter that is zero.

    Raises:
        OrientationError: as `grating_answers`.

    >>> blob = torch.ones(1, 1, 3, 3)
    >>> edge = torch.tensor([-1.0, 0.0, 1.0]).expand(1, 1, 3, 3)
    >>> orientation_selectivity(torch.cat([blob, edge])).round(decimals=1)
    tensor([0.0000, 0.4000])
    """
    answers = grating_answers(filters).double()
    theta = torch.arange(DIRECTIONS).double() * math.pi / DIRECTIONS
    turned = torch.polar(torch.ones_like(theta), 2 * theta)
    pull = (answers.to(turned.dtype) * turned).sum(1).abs()
    return (pull / answers.sum(1).clamp(min=1e-12)).float()


def active(filters: Tensor) -> Tensor:
    """Which filters (F,) answer to some grating with a tenth of the strongest one's answer."""
    strength = grating_answers(filters).amax(1)
    return strength >= _ACTIVE * strength.max()
