"""What can be wrong with what is given to the normalization of faces."""

from __future__ import annotations


class NormalizationError(ValueError):
    """Points, pictures, features or a setting that no face can be normalized with."""


class CoincidentPointsError(NormalizationError):
    """Two control points of a spline lie on the same spot; the message says which."""


class CollinearPointsError(NormalizationError):
    """The control points of a spline lie on one line, which leaves its linear part open."""


class LandmarkFitError(NormalizationError):
    """Landmarks to which no frontal head can be fitted."""


class TextureFitError(NormalizationError):
    """Pictures, heads or colours that no texture can be fitted with."""


class ColourCorrectionError(NormalizationError):
    """Pictures or mean colours that no correction can be computed from."""
