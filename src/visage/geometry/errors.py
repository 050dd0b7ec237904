"""What can go wrong in this part."""

from __future__ import annotations


class GeometryError(ValueError):
    """Pictures, numbers or settings that this part cannot use."""


class RepresentationError(GeometryError):
    """Numbers that are no face: of another shape, or not finite."""


class WindowError(GeometryError):
    """A box round no face, or a window that shows nothing."""
