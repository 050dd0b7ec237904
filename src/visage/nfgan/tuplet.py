"""The (N+M)-tuplet cluster loss, and the two branches that it shares a network with.

Liu, Vijaya Kumar, You and Jia (2017), "Adaptive Deep Metric Learning for Identity-Aware Facial
Expression Recognition", which Liu et al. (2018) take as it is. What their abstract says: a
"generalized adaptive (N+M)-tuplet clusters loss function together with the identity-aware
hard-negative mining and online positive mining scheme", which "reduces the computational burden of
deep metric learning, and alleviates the difficulty of threshold validation and anchor selection",
and "deep metric loss and softmax loss in a unified two fully connected layer branches framework
via joint optimization".

What is our reading of it, from the literature that it builds on:

- *No anchor.* A tuplet's one reference point is the mean of its N positives, as in the coupled
  clusters loss of Liu et al. (2016); positives and negatives alike are compared with it, so that a
  tuplet costs N + M distances.
- *A threshold instead of a ranking.* Every positive should lie nearer than T − τ/2, every negative
  farther than T + τ/2. Each side is averaged over the examples that break this, N* and M*, and
  those alone have a gradient: for us, this is the "online" mining.
- *Adaptive.* T is a symmetric quadratic function of the example and the reference, learned with
  the network, as in the decision functions of Li et al. (2013).
- *Identity-aware.* Negatives are, first of all, other expressions of the query's own person
  (`visage.nfgan.expression_tuplets`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from visage.nfgan.errors import TupletError

Threshold = Callable[[Tensor, Tensor], Tensor]
"""Examples (Q, K, D) and references (Q, D) to squared distances (Q, K) at which they are told
apart."""


def reference(positives: Tensor) -> Tensor:
    """The point that a tuplet is measured from: the positives' mean.

    Args:
        positives: (Q, N, D), features.

    Returns:
        (Q, D); gradients go through it to all N.
    """
    return positives.mean(1)


def squared_distances(examples: Tensor, centre: Tensor) -> Tensor:
    """‖f(x_k) − c‖² for each example of each tuplet.

    Where f ends in a linear layer W, this is the Mahalanobis distance with M = WᵀW of what enters
    that layer.

    Args:
        examples: (Q, K, D).
        centre: (Q, D).

    Returns:
        (Q, K).
    """
    return (examples - centre[:, None]).square().sum(2)


def tuplet_cluster_loss(
    positives: Tensor,
    negatives: Tensor,
    threshold: float | Threshold = 1.0,
    gap: float = 1.0,
    present: Tensor | None = None,
) -> Tensor:
    """Pull N positives together and push M negatives away from their centre.

    L = 1/N* Σᵢ max(0, D(xᵢ⁺, c⁺) − T + τ/2) + 1/M* Σⱼ max(0, T + τ/2 − D(xⱼ⁻, c⁺)), with D the
    squared distance of features, c⁺ their mean over the positives, and N*, M* how many terms of a
    sum are not zero. The module's text says whose this is.

    Args:
        positives: (Q, N, D), features of one expression a tuplet; the query is one of them.
        negatives: (Q, M, D), features of other expressions.
        threshold: T, a squared distance, or a function of examples and references to one for each.
        gap: τ, between positives and negatives; above 0.
        present: (Q, M), which negatives there are; all if None. A tuplet may have none.

    Returns:
        (Q,), one value a tuplet.

    Raises:
        TupletError: the shapes do not fit, or the gap is not positive.

    >>> pair = torch.tensor([[[-1.0, 0.0], [1.0, 0.0]]])  # the centre is 0, both 1 away
    >>> other = torch.tensor([[[0.0, 1.0]]])  # as near
    >>> tuplet_cluster_loss(pair, other, threshold=1.0, gap=1.0)
    tensor([1.])
    """
    _check_tuplets(positives, negatives, present)
    if not gap > 0:
        raise TupletError(f"gap is {gap}; give a positive number")
    centre = reference(positives)
    too_far = squared_distances(positives, centre) - _at(threshold, positives, centre) + gap / 2
    too_near = _at(threshold, negatives, centre) + gap / 2 - squared_distances(negatives, centre)
    if present is not None:
        too_near = too_near.masked_fill(~present, 0)
    return _mean_violation(too_far) + _mean_violation(too_near)


class AdaptiveThreshold(nn.Module):
    """T(f, c) = ½ fᵀAf + ½ cᵀAc + fᵀBc + wᵀ(f + c) + b, with A and B symmetric.

    The general quadratic function of two points that does not change when they change places
    (Li et al. 2013, eq. 6, whose threshold it is). A, B and w begin at zero: a constant.

    Args:
        features: D.
        start: b at first, a squared distance; with a gap of 2, positives shall lie within 1.
    """

    def __init__(self, features: int, start: float = 2.0):
        super().__init__()
        self.own = nn.Parameter(torch.zeros(features, features))
        self.cross = nn.Parameter(torch.zeros(features, features))
        self.slope = nn.Parameter(torch.zeros(features))
        self.offset = nn.Parameter(torch.tensor(float(start)))

    def forward(self, examples: Tensor, centre: Tensor) -> Tensor:
        """Examples (Q, K, D) and references (Q, D) to thresholds (Q, K)."""
        own = (self.own + self.own.T) / 2
        cross = (self.cross + self.cross.T) / 2
        of_examples = ((examples @ own) * examples).sum(2) / 2 + examples @ self.slope
        of_centres = ((centre @ own) * centre).sum(1) / 2 + centre @ self.slope
        between = ((centre @ cross)[:, None] * examples).sum(2)
        return of_examples + of_centres[:, None] + between + self.offset


def joint_loss(logits: Tensor, labels: Tensor, tuplets: Tensor, balance: float) -> Tensor:
    """Softmax loss of one branch plus the weighted tuplet loss of the other ("2B").

    Args:
        logits: (B, classes), of the softmax branch.
        labels: (B,) int64; −1 where an image has no class, as a generated neutral face.
        tuplets: (Q,), losses of the metric branch.
        balance: weight of their mean; 0 or more.

    Returns:
        (), the mean over labelled images plus `balance` times the mean over tuplets.

    Raises:
        TupletError: the balance is negative.
    """
    if balance < 0:
        raise TupletError(f"balance is {balance}; give 0 or more")
    return functional.cross_entropy(logits, labels, ignore_index=-1) + balance * tuplets.mean()


def _at(threshold: float | Threshold, examples: Tensor, centre: Tensor) -> Tensor | float:
    return threshold(examples, centre) if callable(threshold) else threshold


def _mean_violation(violations: Tensor) -> Tensor:
    """(Q, K) to (Q,): the mean over those above zero, 0 where there is none."""
    hinged = violations.clamp(min=0)
    return hinged.sum(1) / (hinged > 0).sum(1).clamp(min=1)


def _check_tuplets(positives: Tensor, negatives: Tensor, present: Tensor | None) -> None:
    p, n = tuple(positives.shape), tuple(negatives.shape)
    if len(p) != 3 or len(n) != 3 or p[0] != n[0] or p[2] != n[2] or not p[1]:
        raise TupletError(
            f"positives are {p} and negatives {n}; expected (Q, N, D) and (Q, M, D) with N above 0"
        )
    if present is not None and (present.dtype != torch.bool or tuple(present.shape) != n[:2]):
        raise TupletError(
            f"present is {present.dtype} {tuple(present.shape)}; expected bool {n[:2]}"
        )
