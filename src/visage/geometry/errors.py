"""What can go wrong in this part."""

from __future__ import annotations


class GeometryError(ValueError):
    """Pictures, numbers or settings that this part cannot use."""


class RepresentationError(GeometryError):
    """Numbers that are no face: of another shape, or not finite."""


class WindowError(GeometryError):
    """A box round no face, or a window that shows nothing."""


class TrainingFacesError(GeometryError):
    """Faces that cannot be drawn: of no split, or none."""


class RenderingError(GeometryError):
    """A mesh that cannot be drawn."""


class DepthError(GeometryError):
    """A depth map that no normals can be found of."""


class ShadingError(GeometryError):
    """Pictures, normals or textures from which neither light nor albedo can be found."""


class DepthErrorError(GeometryError):
    """Depths, truths or masks that cannot be compared."""


class ExportError(GeometryError):
    """A surface that no file can hold, or a file of a kind that is not written."""


class LandmarkFitError(GeometryError):
    """Landmarks to which no face can be fitted."""


class HeldOutError(GeometryError):
    """Held-out faces that cannot be drawn."""


class ReconstructionError(GeometryError):
    """A picture from which no face can be reconstructed."""


class ProfileError(ReconstructionError):
    """The face is turned beyond what the network was trained on."""


class FineNetError(GeometryError):
    """Depth maps, pictures or weights that FineNet cannot use."""


class CoarseNetworkError(GeometryError):
    """Pictures that are not the network's, or settings that describe no network."""


class TextureError(GeometryError):
    """Textures of another mesh, or of too few people."""


class DetailError(GeometryError):
    """Faces with wrinkles that cannot be drawn."""
