"""How much there is of every size of detail, and what photographs have of it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from visage.inversion.errors import InversionError, check_images, described
from visage.inversion.laplacian_pyramid import laplacian_pyramid

_OPPONENT = (
    (3**-0.5, 3**-0.5, 3**-0.5),
    (2**-0.5, 0.0, -(2**-0.5)),
    (6**-0.5, -2 * 6**-0.5, 6**-0.5),
)
_LEAST_ENERGY = 1e-8
"""Below this mean square, a hundredth of a grey level, a band is empty: keeps logarithms finite."""


def spectrum_regulariser(
    images: Tensor, norm: float, beta: float = -1.0, levels: int = 4
) -> Tensor:
    """R_LP of Zhmoginov and Sandler (2016), eq. 12: Σ_n (‖L_n(p)‖ − N_L 2^{βn})², n = 1 to N.

    n = 1 is the finest band here. A power spectrum ∝ 1/f², as photographs have, puts the same mean
    square into every octave; each band has a quarter of the pixels of the one before it, so that
    its norm halves: β = −1. The paper leaves N_L, β and N open.

    Args:
        images: (B, C, H, W).
        norm: N_L, twice the norm of the finest band if β = −1.
        beta: β.
        levels: N.

    Returns:
        (B,), one value per image.

    Raises:
        InversionError: more levels than the size allows, or images is not 4-D.

    >>> spectrum_regulariser(torch.full((1, 3, 16, 16), 0.5), norm=2.0, levels=2)
    tensor([1.2500])
    """
    bands = laplacian_pyramid(images, levels)[:-1]
    norms = torch.stack([_norm(band) for band in bands], 1)
    wanted = [norm * 2 ** (beta * n) for n in range(1, levels + 1)]
    return (norms - norms.new_tensor(wanted)).square().sum(1)


def band_energy(images: Tensor, levels: int = 4) -> Tensor:
    """Mean square of every band of the Laplacian pyramid, over pixels and channels.

    Args:
        images: (B, C, H, W), in [0, 1].
        levels: number of bands.

    Returns:
        (B, levels), finest first. A unit is a squared grey level of a scale from 0 to 1.

    >>> checks = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2.0)[None, None]
    >>> [round(energy, 3) for energy in band_energy(checks, 2)[0].tolist()]
    [0.25, 0.0]
    """
    bands = laplacian_pyramid(images, levels)[:-1]
    return torch.stack([band.square().mean((1, 2, 3)) for band in bands], 1)


def colour_band_energy(images: Tensor, levels: int = 4) -> Tensor:
    """As `band_energy`, apart for brightness and two opponent colours.

    Photographs have a tenth or less of their fine grain in colour; the speckle that an
    optimisation leaves has most of it there.

    Args:
        images: (B, 3, H, W), in [0, 1].
        levels: number of bands.

    Returns:
        (B, levels, 3): of (R+G+B)/√3, (R−B)/√2 and (R−2G+B)/√6, whose mean is `band_energy`.

    Raises:
        InversionError: images are not in colour.
    """
    check_images(images)
    if images.shape[1] != 3:
        raise InversionError(f"images have {images.shape[1]} channels, expected 3.")
    axes = torch.tensor(_OPPONENT).to(images)
    bands = laplacian_pyramid(torch.einsum("kc,bchw->bkhw", axes, images), levels)[:-1]
    return torch.stack([band.square().mean((2, 3)) for band in bands], 1)


def mean_band_energy(
    pictures: Iterable[Tensor], levels: int = 4, *, by_colour: bool = False
) -> Tensor:
    """Band energies of a collection, what images are compared with.

    Args:
        pictures: batches (B, 3, H, W) of any sizes.
        levels: number of bands.
        by_colour: of `colour_band_energy`.

    Returns:
        (levels,) or (levels, 3), geometric means: energies of photographs spread over a factor of
        ten and more, and a few harsh ones should not set the mark.

    Raises:
        InversionError: there is no picture.
    """
    total, count = 0, 0
    for batch in pictures:
        measured = colour_band_energy(batch, levels) if by_colour else band_energy(batch, levels)
        total = total + measured.clamp(min=_LEAST_ENERGY).log().sum(0)
        count = count + len(batch)
    if not count:
        raise InversionError("there is no picture to measure band energies of.")
    return (total / count).exp()


def band_mismatch(images: Tensor, usual: Tensor, slack: float = 1.0) -> Tensor:
    """Σ_k max(0, |log(E_k/U_k)| − log slack)²: eq. 12 with the bands that photographs have.

    In place of a power law with two free numbers, the measured energies U of a collection, as
    ratios so that faint bands count as much as strong ones. Not in the paper.

    Args:
        images: (B, C, H, W).
        usual: (levels,) or (levels, 3), from `mean_band_energy`.
        slack: a factor, at least 1, that costs nothing either way.

    Returns:
        (B,), one value per image; the gradient vanishes inside the slack.

    Raises:
        InversionError: the slack is below 1, or energies have another shape.
    """
    if slack < 1:
        raise InversionError(f"the slack is a factor of at least 1, not {slack}.")
    energy = _as_usual(images, usual).clamp(min=_LEAST_ENERGY)
    apart = (energy / usual.clamp(min=_LEAST_ENERGY)).log().abs()
    return (apart - math.log(slack)).clamp(min=0).square().flatten(1).sum(1)


def band_ratio(images: Tensor, usual: Tensor) -> Tensor:
    """How many times the usual energy each band has, over all images.

    Args:
        images: (B, C, H, W).
        usual: (levels,) or (levels, 3), from `mean_band_energy`.

    Returns:
        Of the shape of `usual`, the ratio of geometric means; 1 is what the collection has.
    """
    energy = _as_usual(images, usual).clamp(min=_LEAST_ENERGY).log().mean(0).exp()
    return energy / usual.clamp(min=_LEAST_ENERGY)


def _as_usual(images: Tensor, usual: Tensor) -> Tensor:
    """Energies of images, (B, levels) or (B, levels, 3), as the usual ones were measured."""
    if usual.ndim == 1:
        return band_energy(images, len(usual))
    if usual.ndim == 2 and usual.shape[1] == 3:
        return colour_band_energy(images, len(usual))
    raise InversionError(
        f"usual energies are {described(usual)}, expected (levels,) or (levels, 3)."
    )


def _norm(band: Tensor) -> Tensor:
    """Euclidean norm of each image, with a zero gradient where it is zero."""
    check_images(band)
    squares = band.square().sum((1, 2, 3))
    some = squares > 0
    return torch.where(some, torch.where(some, squares, 1.0).sqrt(), 0.0)
