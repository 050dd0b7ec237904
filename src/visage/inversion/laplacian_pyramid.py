"""Burt and Adelson's (1983) Laplacian pyramid, and gradients that it evens out."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from visage.inversion.errors import InversionError, check_images

_SMALLEST = 3  # pixels a side: the five taps reflect two pixels beyond an edge


def reduce(images: Tensor) -> Tensor:
    """The operator r̂: blur with (1, 4, 6, 4, 1)/16 both ways and keep every other pixel.

    Args:
        images: (B, C, H, W), at least 3 pixels a side; edges are reflected.

    Returns:
        (B, C, ⌈H/2⌉, ⌈W/2⌉).

    >>> reduce(torch.ones(1, 1, 5, 4))
    tensor([[[[1., 1.],
              [1., 1.],
              [1., 1.]]]])
    """
    check_images(images)
    down, right = (_matrix(length, "reduce").to(images) for length in images.shape[-2:])
    return down @ images @ right.T


def expand(images: Tensor, height: int, width: int) -> Tensor:
    """The operator ê: spread pixels to twice their distance and interpolate with the same taps.

    Args:
        images: (B, C, ⌈height/2⌉, ⌈width/2⌉).
        height: of the larger image, at least 3.
        width: of the larger image, at least 3.

    Returns:
        (B, C, height, width). A constant stays that constant up to the edges, because reflection
        keeps even places even.

    Raises:
        InversionError: the sizes do not fit.

    >>> expand(torch.ones(1, 1, 2, 2), 3, 4).unique()
    tensor([1.])
    """
    check_images(images)
    if images.shape[-2:] != ((height + 1) // 2, (width + 1) // 2):
        raise InversionError(f"{tuple(images.shape)} does not expand to {height} × {width} pixels.")
    down, right = (_matrix(length, "expand").to(images) for length in (height, width))
    return down @ images @ right.T


def laplacian_pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Band-pass images L_k = g_k − ê g_{k+1}, g_{k+1} = r̂ g_k (appendix C), and what is left.

    Args:
        images: (B, C, H, W), g_0.
        levels: number of bands, at least 1.

    Returns:
        L_0 to L_{levels−1}, finest first, each half the size of the one before it, and g_levels.
        `collapse` restores the images exactly.

    Raises:
        InversionError: there are more levels than the size allows.

    >>> [tuple(level.shape[2:]) for level in laplacian_pyramid(torch.zeros(1, 3, 150, 150), 3)]
    [(150, 150), (75, 75), (38, 38), (19, 19)]
    """
    check_images(images)
    most = most_levels(*images.shape[-2:])
    if not 1 <= levels <= most:
        raise InversionError(
            f"{levels} levels of a pyramid over {images.shape[-2]} × {images.shape[-1]} pixels; "
            f"give 1 to {most}."
        )
    pyramid = []
    for _ in range(levels):
        smaller = reduce(images)
        pyramid.append(images - expand(smaller, *images.shape[-2:]))
        images = smaller
    return [*pyramid, images]


def most_levels(height: int, width: int) -> int:
    """How many bands a pyramid over this many pixels can have.

    >>> most_levels(150, 150)
    7
    """
    levels = 0
    while min(height, width) >= _SMALLEST:
        height, width, levels = (height + 1) // 2, (width + 1) // 2, levels + 1
    return levels


def collapse(pyramid: list[Tensor]) -> Tensor:
    """Invert `laplacian_pyramid`: bands, finest first, and the rest, to images (B, C, H, W)."""
    images = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        images = band + expand(images, *band.shape[-2:])
    return images


def normalise_gradient(gradients: Tensor, levels: int = 4) -> Tensor:
    """Laplacian-pyramid gradient normalisation (section 3; Mordvintsev et al., 2015).

    Each band, and what is left below them, is divided by its root mean square over one image, and
    the pyramid is put together again. A recogniser's gradient is mostly fine grain; after this,
    coarse shapes change as fast. Every image is treated alone.

    The signs of bands are kept, so that a descent still stops only where the gradient is zero; its
    length no longer shrinks there, so that step sizes have to.

    Args:
        gradients: (B, C, H, W).
        levels: number of bands; the rest counts as one more.

    Returns:
        (B, C, H, W). A gradient of zero stays zero.

    >>> g = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(normalise_gradient(1e-6 * g, 2), normalise_gradient(g, 2), atol=1e-4)
    True
    """
    return collapse([unit_rms(level) for level in laplacian_pyramid(gradients, levels)])


def unit_rms(gradients: Tensor) -> Tensor:
    """Each of (B, C, H, W) divided by its root mean square; zero stays zero."""
    rms = gradients.square().mean((1, 2, 3), keepdim=True).sqrt()
    # Squares below float32's smallest number are lost; such a gradient is zero for all purposes.
    return gradients / rms.clamp(min=1e-18)


def _matrix(length: int, operator: Literal["reduce", "expand"]) -> Tensor:
    """An operator along one axis, (⌈n/2⌉, n) or (n, ⌈n/2⌉), float64.

    Two products with matrices this small take a tenth of the time of a convolution of one channel.
    """
    if length < _SMALLEST:
        raise InversionError(f"{length} pixels are too few; give {_SMALLEST} a side at least.")
    reduction, expansion = _matrices(length)
    return torch.from_numpy(reduction if operator == "reduce" else expansion)


@lru_cache(maxsize=64)
def _matrices(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Both operators for an axis of n pixels."""
    blur = np.zeros((length, length))
    places = np.arange(length)
    for offset, tap in zip(range(-2, 3), (1, 4, 6, 4, 1), strict=True):
        reflected = np.abs(places + offset)
        reflected = np.minimum(reflected, 2 * (length - 1) - reflected)
        np.add.at(blur, (places, reflected), tap / 16)
    return blur[::2].copy(), 2 * blur[:, ::2]


def pyramid_distance(images: Tensor, pictures: Tensor, levels: int = 5) -> Tensor:
    """Σ_j mean |L_j(p) − L_j(q)|, the mean absolute difference of every Laplacian band.

    A mean over pixels alone is content with a blur, because the finest bands are the faintest.
    (Bojanowski et al., 2018, "Optimizing the Latent Space of Generative Networks", sum likewise,
    with other weights.)

    Args:
        images: (B, 3, H, W).
        pictures: of the same shape.
        levels: bands, beside the coarse rest.

    Returns:
        (B,), in units of the pixels.

    >>> pyramid_distance(torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8), levels=1)
    tensor([1.])
    """
    check_images(images)
    if images.shape != pictures.shape:
        raise InversionError(
            f"images are {tuple(images.shape)} and pictures {tuple(pictures.shape)}; "
            "give as many, of one size."
        )
    apart = laplacian_pyramid(images - pictures, levels)  # it is linear
    return torch.stack([band.abs().mean((1, 2, 3)) for band in apart]).sum(0)
