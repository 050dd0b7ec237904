"""From colours to the grey pictures that both networks see."""

from __future__ import annotations

from torch import Tensor

from visage.geometry.errors import GeometryError

# Rec. 709's luma of sRGB values.
_WEIGHTS = (0.2126, 0.7152, 0.0722)


def grey(images: Tensor) -> Tensor:
    """Luma of pictures.

    Args:
        images: (B, 3, H, W) or (B, 1, H, W), sRGB, in [0, 1].

    Returns:
        (B, 1, H, W), sRGB, in [0, 1].

    Raises:
        GeometryError: the shape does not fit.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise GeometryError(f"images are {tuple(images.shape)}; expected (B, 3 or 1, H, W)")
    if images.shape[1] == 1:
        return images
    weights = images.new_tensor(_WEIGHTS).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)
