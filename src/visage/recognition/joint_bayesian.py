"""Joint Bayesian verification: how much likelier two vectors are of one person than of two.

Chen, Cao, Wang, Wen and Sun, "Bayesian face revisited: a joint formulation" (ECCV 2012): a feature
is x = m + μ + ε, with a person's own μ ~ N(0, S_μ) and a photograph's ε ~ N(0, S_ε). Ratios of
likelihoods then follow in closed form. Everything here works in the coordinates where S_ε is the
identity and S_μ diagonal, y = Wᵀ(x - m), so that each coordinate stands for itself: λ is the
variance between people over the variance within.

The covariances are fitted by expectation and maximisation with the posterior's own covariance,
which the paper leaves out; so a person with one photograph helps too, and the likelihood of the
training features never falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


class JointBayesianError(ValueError):
    """Features or labels that no model can be fitted to."""


@dataclass(frozen=True)
class JointBayesian:
    """A fitted model.

    Attributes:
        mean: (D,), of the features.
        projection: (D, K), W.
        ratio: (K,), λ, descending and at least 0.
    """

    mean: Tensor
    projection: Tensor
    ratio: Tensor

    def project(self, features: Tensor) -> Tensor:
        """Features (..., D) to coordinates (..., K) with unit variance within a person."""
        return (features - self.mean) @ self.projection

    def score(self, a: Tensor, b: Tensor) -> Tensor:
        """Log likelihood ratio of coordinates (..., K), one person against two; returns (...).

        Σ_k λab/(1+2λ) - λ²(a²+b²)/(2(1+λ)(1+2λ)) + log((1+λ)/√(1+2λ)).

        >>> model = JointBayesian(torch.zeros(1), torch.eye(1), torch.ones(1))
        >>> model.score(torch.tensor([0.0]), torch.tensor([0.0]))
        tensor(0.1438)
        """
        cross, square, constant = self._terms()
        return constant + (cross * a * b - square * (a.square() + b.square())).sum(-1)

    def score_all(self, a: Tensor, b: Tensor) -> Tensor:
        """`score` of each of A with each of B coordinates, (A, K) and (B, K); returns (A, B)."""
        cross, square, constant = self._terms()
        own_a, own_b = (v.square() @ square for v in (a, b))
        return constant + (a * cross) @ b.mT - own_a[:, None] - own_b

    def _terms(self) -> tuple[Tensor, Tensor, Tensor]:
        r = self.ratio
        cross = r / (1 + 2 * r)
        square = r.square() / (2 * (1 + r) * (1 + 2 * r))
        return cross, square, (torch.log1p(r) - 0.5 * torch.log1p(2 * r)).sum()


def fit_joint_bayesian(
    features: Tensor, people: Tensor, *, iterations: int = 20, dim: int | None = None
) -> JointBayesian:
    """Fit the model to the features of people.

    Args:
        features: (N, D), N well above D: S_ε must have an inverse.
        people: (N,), integers; equal ones are one person. Some have several photographs.
        iterations: of expectation and maximisation, after the start from plain scatter.
        dim: K, the coordinates kept, those with the largest ratios; all D if None.

    Raises:
        JointBayesianError: shapes differ, values are not finite, nobody has two photographs, or
            the features do not span their space within people.
    """
    _check(features, people)
    mean = features.double().mean(0)
    x = features.double() - mean
    _, index, counts = people.unique(return_inverse=True, return_counts=True)
    centres = x.new_zeros(len(counts), x.shape[1]).index_add_(0, index, x) / counts[:, None]
    within = x - centres[index]
    between = centres.mT @ centres / len(centres)
    # Of people with several photographs only: the others' deviation from themselves is 0.
    inside = within.mT @ within / (counts - 1).sum()
    for _ in range(iterations):
        projection, ratio = _diagonalised(between, inside)
        between, inside = _maximised(x @ projection, index, counts, ratio, projection)
    projection, ratio = _diagonalised(between, inside)
    kept = ratio.argsort(descending=True)[:dim]
    return JointBayesian(
        mean.to(features.dtype), projection[:, kept].to(features.dtype),
        ratio[kept].clamp(min=0).to(features.dtype),
    )  # fmt: skip


def _maximised(
    y: Tensor, index: Tensor, counts: Tensor, ratio: Tensor, projection: Tensor
) -> tuple[Tensor, Tensor]:
    """One step: new S_μ and S_ε in the features' own coordinates.

    Given m photographs of a person, μ is normal with mean λ/(1+mλ) Σ y and variance λ/(1+mλ).
    """
    sums = y.new_zeros(len(counts), y.shape[1]).index_add_(0, index, y)
    variance = ratio / (1 + counts[:, None] * ratio)  # (P, D)
    own = variance * sums
    rest = y - own[index]
    between = (own.mT @ own + variance.sum(0).diag()) / len(counts)
    inside = (rest.mT @ rest + (counts[:, None] * variance).sum(0).diag()) / len(y)
    back = torch.linalg.inv(projection)  # x = y @ back
    return back.mT @ between @ back, back.mT @ inside @ back


def _diagonalised(between: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """W and λ with Wᵀ S_ε W = 1 and Wᵀ S_μ W = diag λ."""
    factor, failed = torch.linalg.cholesky_ex(inside)
    if failed:
        raise JointBayesianError(
            "the features do not span their space within people; reduce them to fewer dimensions "
            "or give more photographs."
        )
    half = torch.linalg.solve_triangular(factor, between, upper=False)
    whitened = torch.linalg.solve_triangular(factor, half.mT, upper=False)
    ratio, vectors = torch.linalg.eigh((whitened + whitened.mT) / 2)
    return torch.linalg.solve_triangular(factor.mT, vectors, upper=True), ratio.clamp(min=0)


def _check(features: Tensor, people: Tensor) -> None:
    if features.ndim != 2 or people.shape != features.shape[:1]:
        raise JointBayesianError(
            f"features are {tuple(features.shape)} and people {tuple(people.shape)}; "
            "expected (N, D) and (N,)."
        )
    if not bool(features.isfinite().all()):
        raise JointBayesianError("some features are not finite; look at their photographs.")
    if len(people.unique()) == len(people):
        raise JointBayesianError("nobody has two photographs; the model needs some who have.")
