"""Analysis by synthesis: from a picture back to shape, pose, light and skin."""

from visage.faces.fitting.fit import Fit, FittingConfig, FittingError, fit_faces, unexplained

__all__ = ["Fit", "FittingConfig", "FittingError", "fit_faces", "unexplained"]
