"""What can be wrong with what an inversion is given."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class InversionError(ValueError):
    """An embedding, a picture or a setting that no face can be reconstructed from."""


def check_embeddings(embeddings: Tensor, dim: int) -> None:
    """Refuse what is no batch of embeddings of one encoder.

    Args:
        embeddings: (B, dim), floating point.
        dim: length that the encoder gives.

    Raises:
        InversionError: another shape or type, NaN or infinity, or a vector of zeros.

    >>> check_embeddings(torch.ones(2, 128), 128)
    """
    if not isinstance(embeddings, Tensor) or embeddings.ndim != 2 or embeddings.shape[1] != dim:
        raise InversionError(
            f"the target embeddings are {described(embeddings)}, expected a tensor (B, {dim}); "
            "embed with the encoder that is inverted."
        )
    if not embeddings.is_floating_point():
        raise InversionError(
            f"the target embeddings are {embeddings.dtype}, expected floating point."
        )
    if len(embeddings) == 0:
        raise InversionError("there is no target embedding; give one at least.")
    for meaning, rows in (
        ("holds NaN or infinity", ~embeddings.isfinite().all(1)),
        ("is zero, which is nobody's", (embeddings == 0).all(1)),
    ):
        if rows.any():
            which = int(rows.nonzero()[0])
            raise InversionError(f"target embedding {which} {meaning}; embed the photograph again.")


def check_pictures(pictures: Tensor, size: int, batch: int, name: str) -> None:
    """Refuse what is not one picture for all targets, or one for each.

    Args:
        pictures: (1, 3, size, size) or (batch, 3, size, size).
        size: of the encoder's crop.
        batch: number of targets.
        name: what the pictures are, for the message.

    Raises:
        InversionError: another shape or type, or values that are not finite or far from [0, 1].
    """
    fits = isinstance(pictures, Tensor) and pictures.ndim == 4
    if not fits or pictures.shape[1:] != (3, size, size) or pictures.shape[0] not in {1, batch}:
        raise InversionError(
            f"the {name} is {described(pictures)}, expected (1, 3, {size}, {size}) or "
            f"({batch}, 3, {size}, {size}); cut it with visage.photos.align and the encoder's crop."
        )
    if not pictures.is_floating_point():
        raise InversionError(f"the {name} is {pictures.dtype}, expected floats in [0, 1].")
    low, high = (float(value) for value in torch.aminmax(pictures.detach()))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InversionError(f"the {name} holds NaN or infinity, expected values in [0, 1].")
    if low < -0.5 or high > 1.5:
        raise InversionError(
            f"the {name} ranges from {low:.3g} to {high:.3g}, expected [0, 1]; "
            "divide 8-bit values by 255."
        )


def check_images(images: Tensor) -> None:
    """Refuse what is no batch of pictures (B, C, H, W).

    Raises:
        InversionError: another number of dimensions.
    """
    if not isinstance(images, Tensor) or images.ndim != 4:
        raise InversionError(f"images are {described(images)}, expected a tensor (B, C, H, W).")


def check_weight(name: str, value: float) -> None:
    """Refuse a negative or infinite weight.

    Raises:
        InversionError: the value is not a finite number of at least 0.
    """
    if not (math.isfinite(value) and value >= 0):
        raise InversionError(f"{name} is a finite number of at least 0, not {value}.")


def check_positive(name: str, value: float) -> None:
    """Refuse what is not a finite number above 0.

    Raises:
        InversionError: it is not.
    """
    if not (math.isfinite(value) and value > 0):
        raise InversionError(f"{name} is a finite number above 0, not {value}.")


def described(thing: object) -> str:
    """A tensor's shape, or the type of anything else."""
    return str(tuple(thing.shape)) if isinstance(thing, Tensor) else type(thing).__name__
