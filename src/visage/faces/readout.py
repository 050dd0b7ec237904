"""Linear read-outs: what can be told from a vector of features."""

from dataclasses import dataclass

import numpy as np

_RIDGES = np.logspace(-4, 3, 15)
_FOLDS = 5


@dataclass(frozen=True)
class Ridge:
    """A linear regression, with the shrinkage that predicts held-out people best."""

    weights: np.ndarray  # (D,)
    offset: float
    ridge: float

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(N,) from features (N, D)."""
        return features @ self.weights + self.offset


def fit_ridge(features: np.ndarray, values: np.ndarray) -> Ridge:
    """Fit min ‖X w + b - y‖² + λ tr(XᵀX)/D ‖w‖², with λ chosen by five folds.

    Args:
        features: (N, D), N at least 10.
        values: (N,).

    Raises:
        ValueError: the shapes do not fit, or there are fewer than 10 rows.

    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> fit_ridge(x, x @ [1.0, 2.0, 0.0] + 5).weights.round(1) + 0
    array([1., 2., 0.])
    """
    if features.ndim != 2 or values.shape != (len(features),) or len(features) < 10:
        raise ValueError(
            f"features are {features.shape}, values {values.shape}; expected (N, D) and (N,) with "
            "N at least 10"
        )
    fold = np.arange(len(features)) % _FOLDS
    errors = np.zeros(len(_RIDGES))
    for held in range(_FOLDS):
        train, test = fold != held, fold == held
        for index, ridge in enumerate(_RIDGES):
            fitted = _solve(features[train], values[train], ridge)
            errors[index] += ((fitted.predict(features[test]) - values[test]) ** 2).sum()
    return _solve(features, values, _RIDGES[errors.argmin()])


def r_squared(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Share of the variance that is explained: 1 is all of it, 0 is no better than the mean."""
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def _solve(features: np.ndarray, values: np.ndarray, ridge: float) -> Ridge:
    features = features.astype(np.float64)
    centre, mean = features.mean(0), values.mean()
    centred = features - centre
    gram = centred.T @ centred
    shrunk = gram + ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(shrunk, centred.T @ (values - mean))
    return Ridge(weights, float(mean - centre @ weights), float(ridge))
