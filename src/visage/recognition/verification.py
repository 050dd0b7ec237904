"""Same person or not: how well a distance answers, by the LFW protocol and by its error rates.

Everything takes the distances of pairs and whether each pair shows one person; a pair is accepted
as one person when its distance is at most the threshold. Nothing here interpolates between
thresholds unless it says so.

References: Huang et al., "Labeled Faces in the Wild: Updates and New Reporting Procedures" (UMass
Amherst UM-CS-2014-003); Fawcett, "An introduction to ROC analysis" (2006).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata


class VerificationError(ValueError):
    """Distances, labels or folds from which nothing can be measured."""


@dataclass(frozen=True)
class CrossValidation:
    """Accuracy over the folds, each with the threshold that suits the other folds best.

    Attributes:
        accuracy: mean over the folds, in [0, 1].
        standard_error: of that mean, σ/√folds with σ the folds' sample standard deviation.
        accuracies: (F,), one a fold, in the order of the folds' numbers.
        thresholds: (F,), chosen without that fold.
    """

    accuracy: float
    standard_error: float
    accuracies: np.ndarray
    thresholds: np.ndarray


@dataclass(frozen=True)
class Roc:
    """Every operating point of a distance, from none accepted to all.

    Attributes:
        thresholds: (T,), -inf and then each distinct distance, ascending.
        far: (T,), share of different pairs that are accepted.
        tar: (T,), share of same pairs that are accepted.
    """

    thresholds: np.ndarray
    far: np.ndarray
    tar: np.ndarray


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and the rates at which it accepts wrongly and rightly."""

    threshold: float
    far: float
    tar: float


@dataclass(frozen=True)
class Histograms:
    """Pairs in each bin of distance; ``edges`` (N+1,), ``same`` and ``different`` (N,)."""

    edges: np.ndarray
    same: np.ndarray
    different: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """Probability that a pair shows one person: 1 / (1 + exp(slope·(distance - midpoint))).

    It holds where same and different pairs are as frequent as in the pairs it was fitted on.
    """

    midpoint: float
    slope: float

    def probability(self, distances: ArrayLike) -> np.ndarray:
        """Of distances (...), in [0, 1].

        >>> Calibration(midpoint=0.6, slope=20.0).probability([0.6]).tolist()
        [0.5]
        """
        return expit(-self.slope * (np.asarray(distances, dtype=float) - self.midpoint))


def cross_validate(distances: ArrayLike, same: ArrayLike, folds: ArrayLike) -> CrossValidation:
    """Accuracy by LFW's View 2: each fold is judged with the threshold of the others.

    Args:
        distances: (N,).
        same: (N,), whether the pair shows one person.
        folds: (N,), the fold's number of each pair; two folds at least.

    Raises:
        VerificationError: shapes differ, values are not finite, or all other folds together lack
            pairs of one kind.
    """
    d, s, f = _checked(distances, same, folds)
    chosen = [(best_threshold(d[rest], s[rest]), held_out) for rest, held_out in _splits(f)]
    accuracies = np.array([((d[h] <= t) == s[h]).mean() for t, h in chosen])
    return CrossValidation(
        accuracy=float(accuracies.mean()),
        standard_error=float(accuracies.std(ddof=1) / np.sqrt(len(accuracies))),
        accuracies=accuracies,
        thresholds=np.array([t for t, _ in chosen]),
    )


def best_threshold(distances: ArrayLike, same: ArrayLike) -> float:
    """The threshold that judges most pairs rightly.

    Between two neighbouring distances any threshold is as good; the middle is taken. Where several
    gaps are best, the middle one is.

    >>> best_threshold([0.2, 0.4, 0.8, 0.9], [True, True, False, False])
    0.6000000000000001
    """
    d, s = _checked(distances, same)
    points = _operating_points(d, s)
    right = points.tar * s.sum() - points.far * (~s).sum()
    best = np.flatnonzero(np.isclose(right, right.max(), rtol=0, atol=0.5))
    return _above(points.thresholds, best[len(best) // 2])


def roc(distances: ArrayLike, same: ArrayLike) -> Roc:
    """All operating points of distances (N,); equal distances are accepted together.

    >>> curve = roc([0.2, 0.8, 0.4], [True, False, True])
    >>> curve.far.tolist(), curve.tar.tolist()
    ([0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    return _operating_points(*_checked(distances, same))


def tar_at_far(distances: ArrayLike, same: ArrayLike, far: float) -> OperatingPoint:
    """The operating point that accepts most at a false-accept rate of at most ``far``.

    No interpolation: with 3,000 different pairs, ``far=1e-3`` allows three of them. The threshold
    is the middle between the last distance accepted and the first that is not.

    Raises:
        VerificationError: ``far`` is not in [0, 1], or as `roc`.
    """
    if not 0 <= far <= 1:
        raise VerificationError(
            f"a false-accept rate of {far!r} was given, expected one in [0, 1]."
        )
    curve = roc(distances, same)
    last = int(np.flatnonzero(curve.far <= far)[-1])
    return OperatingPoint(
        _above(curve.thresholds, last), float(curve.far[last]), float(curve.tar[last])
    )


def area_under_roc(distances: ArrayLike, same: ArrayLike) -> float:
    """Chance that a same pair is nearer than a different pair; a tie counts half.

    >>> area_under_roc([0.1, 0.5, 0.5, 0.9], [True, True, False, False])
    0.875
    """
    d, s = _checked(distances, same)
    ranks = rankdata(d)[~s]
    return float((ranks.sum() - ranks.size * (ranks.size + 1) / 2) / (s.sum() * (~s).sum()))


def equal_error_rate(distances: ArrayLike, same: ArrayLike) -> float:
    """Error rate where false accepts and false rejects are equally frequent.

    Interpolated linearly between the two operating points on either side.
    """
    curve = roc(distances, same)
    excess = curve.far - (1 - curve.tar)  # ascends from -1 to 1
    after = int(np.argmax(excess >= 0))
    weight = -excess[after - 1] / (excess[after] - excess[after - 1])
    return float(curve.far[after - 1] + weight * (curve.far[after] - curve.far[after - 1]))


def distance_histograms(distances: ArrayLike, same: ArrayLike, edges: ArrayLike) -> Histograms:
    """Count same and different pairs in bins of distance.

    Args:
        distances: (N,).
        same: (N,).
        edges: (bins + 1,), ascending; each bin holds its lower edge, the last one both.

    Raises:
        VerificationError: the edges do not ascend, or leave out a pair.
    """
    d, s = _checked(distances, same)
    edges = np.asarray(edges, dtype=float)
    if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0).all():
        raise VerificationError("bin edges are given that do not ascend; expected two or more.")
    if d.min() < edges[0] or d.max() > edges[-1]:
        raise VerificationError(
            f"distances reach from {d.min():.4g} to {d.max():.4g}, outside the bins "
            f"{edges[0]:.4g} to {edges[-1]:.4g}; widen the edges, so that no pair is left out."
        )
    return Histograms(edges, np.histogram(d[s], edges)[0], np.histogram(d[~s], edges)[0])


def fit_calibration(distances: ArrayLike, same: ArrayLike) -> Calibration:
    """Fit a `Calibration` by maximum likelihood, with Platt's smoothed targets.

    The targets (n₊+1)/(n₊+2) and 1/(n₋+2) instead of 1 and 0 keep the slope finite where the two
    kinds of pairs do not overlap (Platt 1999, section 2.2).
    """
    d, s = _checked(distances, same)
    targets = np.where(s, (s.sum() + 1) / (s.sum() + 2), 1 / ((~s).sum() + 2))
    centre, scale = d.mean(), d.std() or 1.0
    z = (d - centre) / scale

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        offset, slope = parameters
        logits = offset - slope * z
        error = expit(logits) - targets
        value = np.logaddexp(0, logits) - targets * logits
        return value.mean(), np.array([error.mean(), -(error * z).mean()])

    offset, slope = minimize(loss, np.array([0.0, 1.0]), jac=True, method="BFGS").x
    if not slope > 0:
        raise VerificationError(
            "same pairs are not nearer than different ones; check which label means same."
        )
    return Calibration(midpoint=float(centre + scale * offset / slope), slope=float(slope / scale))


def held_out_probabilities(distances: ArrayLike, same: ArrayLike, folds: ArrayLike) -> np.ndarray:
    """Probability (N,) that each pair shows one person, by the `Calibration` of the other folds."""
    d, s, f = _checked(distances, same, folds)
    probabilities = np.empty_like(d)
    for rest, held_out in _splits(f):
        probabilities[held_out] = fit_calibration(d[rest], s[rest]).probability(d[held_out])
    return probabilities


def _checked(distances: ArrayLike, same: ArrayLike, folds: ArrayLike | None = None):
    """Arrays (N,) of float, bool and, where given, int; or one sentence on what is wrong."""
    d, s = np.asarray(distances, dtype=float), np.asarray(same)
    if d.ndim != 1 or s.shape != d.shape:
        raise VerificationError(
            f"distances are {d.shape} and labels {s.shape}; expected one of each a pair, (N,)."
        )
    if s.dtype != bool:
        if not np.isin(s, (0, 1)).all():
            raise VerificationError(
                "labels other than true and false are given; expected booleans."
            )
        s = s.astype(bool)
    if not np.isfinite(d).all():
        raise VerificationError(
            f"{(~np.isfinite(d)).sum()} of {d.size} distances are not finite; "
            "look at their photographs."
        )
    if s.all() or not s.any():
        raise VerificationError(
            f"{s.sum()} same and {(~s).sum()} different pairs are given; expected some of both."
        )
    if folds is None:
        return d, s
    f = np.asarray(folds)
    if f.shape != d.shape or np.unique(f).size < 2:
        raise VerificationError(
            f"folds are {f.shape} with {np.unique(f).size} numbers for {d.size} pairs; "
            "expected one number a pair, and two folds or more."
        )
    return d, s, f


def _splits(folds: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for fold in np.unique(folds):
        yield folds != fold, folds == fold


def _operating_points(d: np.ndarray, s: np.ndarray) -> Roc:
    values, index = np.unique(d, return_inverse=True)
    accepted = [
        np.concatenate([[0], np.cumsum(np.bincount(index[of], minlength=values.size)) / of.sum()])
        for of in (~s, s)
    ]
    return Roc(np.concatenate([[-np.inf], values]), *accepted)


def _above(thresholds: np.ndarray, index: int) -> float:
    """A finite threshold that accepts exactly what the operating point at ``index`` accepts."""
    if index == 0:
        return float(np.nextafter(thresholds[1], -np.inf))
    if index == len(thresholds) - 1:
        return float(thresholds[index])
    lower, upper = thresholds[index], thresholds[index + 1]
    middle = lower + (upper - lower) / 2
    return float(middle if middle < upper else lower)
