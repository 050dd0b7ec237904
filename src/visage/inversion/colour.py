"""The colours that pictures have, and axes along which they vary independently."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.inversion.errors import InversionError, check_images


@dataclass(frozen=True)
class ColourStatistics:
    """Mean and covariance of the colours of all pixels of a collection.

    Attributes:
        mean: (3,).
        covariance: (3, 3).
    """

    mean: Tensor
    covariance: Tensor

    def mixing(self) -> Tensor:
        """A matrix M (3, 3) with M Mᵀ the covariance.

        Its columns are the principal axes of colour, brightness first; M z has the collection's
        covariance where z has unit variance and no correlation.
        """
        values, axes = torch.linalg.eigh(self.covariance.double())
        # Grey pictures have no other axis; the floor keeps M invertible.
        spread = values.clamp(min=1e-6 * values.max().clamp(min=1e-6)).sqrt()
        return (axes * spread).flip(1).to(self.covariance.dtype)


def colour_statistics(
    pictures: Iterable[Tensor], encode: Callable[[Tensor], Tensor] = lambda pixels: pixels
) -> ColourStatistics:
    """Mean and covariance of colours over a collection, batch by batch.

    Args:
        pictures: batches (B, 3, H, W) of any sizes, in [0, 1].
        encode: applied to pixels first, e.g. `visage.inversion.pixels.logit`.

    Raises:
        InversionError: there is no picture, or one is not in colour.

    >>> statistics = colour_statistics([torch.rand(2, 3, 8, 8)])
    >>> statistics.mean.shape, statistics.covariance.shape
    (torch.Size([3]), torch.Size([3, 3]))
    """
    count, mean, scatter = 0, torch.zeros(3, dtype=torch.float64), 0
    for batch in pictures:
        check_images(batch)
        if batch.shape[1] != 3:
            raise InversionError(f"pictures have {batch.shape[1]} channels, expected 3.")
        pixels = encode(batch).transpose(0, 1).flatten(1).double().cpu()  # (3, N)
        own = pixels.mean(1)
        apart = own - mean
        centred = pixels - own[:, None]
        more = pixels.shape[1]
        scatter = scatter + centred @ centred.T
        scatter = scatter + torch.outer(apart, apart) * (count * more / max(count + more, 1))
        mean, count = mean + apart * more / max(count + more, 1), count + more
    if not count:
        raise InversionError("there is no picture to measure colours of.")
    return ColourStatistics(mean.float(), (scatter / count).float())


def colour_shift(images: Tensor, usual: ColourStatistics) -> Tensor:
    """‖M⁻¹(p̄ − μ)‖²: how far an image's mean colour p̄ is from a collection's, in its own spreads.

    A recogniser hardly sees a tint, so that nothing else in the objective holds one back. Not in
    the paper.

    Args:
        images: (B, 3, H, W), in [0, 1].
        usual: of photographs in [0, 1], from `colour_statistics` without an encoding.

    Returns:
        (B,), one value per image.

    Raises:
        InversionError: images is not 4-D or not in colour.

    >>> usual = ColourStatistics(torch.full((3,), 0.5), 0.01 * torch.eye(3))
    >>> colour_shift(torch.full((1, 3, 2, 2), 0.6), usual)
    tensor([3.0000])
    """
    check_images(images)
    if images.shape[1] != 3:
        raise InversionError(f"images have {images.shape[1]} channels, expected 3.")
    inverse = torch.linalg.inv(usual.mixing().double()).to(images)
    return ((images.mean((2, 3)) - usual.mean.to(images)) @ inverse.T).square().sum(1)
