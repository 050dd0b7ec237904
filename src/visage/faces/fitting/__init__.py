"""Analysis by synthesis: from a picture back to shape, pose, light and skin."""

from visage.faces.fitting.cascade import Cascade
from visage.faces.fitting.fit import Fit, FittingConfig, FittingError, fit_faces, unexplained
from visage.faces.fitting.priors import FittingPriors

__all__ = [
    "Cascade",
    "Fit",
    "FittingConfig",
    "FittingError",
    "FittingPriors",
    "fit_faces",
    "unexplained",
]
