"""How near a texture is to the true one: detail by bands, correlations, and structure.

All of them look at a region of texels only, and nothing outside of it changes them: means near the
region's border are taken over the texels inside (normalised convolution, Knutsson and Westin 1993).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from visage.texture.backbones import Backbone
from visage.texture.errors import MeasureError
from visage.texture.gram import grams

BANDS = ("high", "middle", "low")
"""Waves below about 5 texels, to about 25 texels, and longer ones (see `bands`)."""

_BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_MIDDLE_ENDS = 3  # levels of smoothing that leave the low band; the first takes the high one
_SSIM_SIGMA, _SSIM_REACH = 1.5, 5  # texels (Wang et al. 2004)
_SSIM_CONSTANTS = (0.01**2, 0.03**2)


def bands(luminance: Tensor, region: Tensor) -> Tensor:
    """Split a texture into bands that add up to it, less its mean over the region.

    The Laplacian pyramid of Burt and Adelson (1983) without its decimation: level k is smoothed by
    the binomial filter (1, 4, 6, 4, 1)/16 with its taps 2^k texels apart. High is what the first
    smoothing takes away, middle what the next two take, low what is left.

    Args:
        luminance: (B, 1, S, S).
        region: (1 or B, 1, S, S), 1 inside, 0 outside.

    Returns:
        (B, 3, S, S), in the order of `BANDS`; zero outside of the region.

    Raises:
        MeasureError: the shapes do not fit, or the region has no texel.
    """
    inside = _checked(luminance, region)
    levels = [luminance * inside]
    for step in range(_MIDDLE_ENDS):
        levels.append(_smoothed(levels[-1], inside, _dilated(step, luminance)))
    count = inside.sum((2, 3), keepdim=True)
    mean = (luminance * inside).sum((2, 3), keepdim=True) / count
    split = [levels[0] - levels[1], levels[1] - levels[-1], levels[-1] - mean]
    return torch.cat(split, 1) * inside


def band_energies(luminance: Tensor, region: Tensor) -> Tensor:
    """Mean square of each of the `bands` over the region.

    Args:
        luminance: (B, 1, S, S).
        region: (1 or B, 1, S, S), 1 inside, 0 outside.

    Returns:
        (B, 3), in the order of `BANDS`.

    Raises:
        MeasureError: the shapes do not fit, or the region has no texel.

    >>> checks = (torch.arange(16)[:, None] + torch.arange(16)) % 2
    >>> found = band_energies(checks[None, None].float(), torch.ones(1, 1, 16, 16))
    >>> bool(found[0, 0] > 0.2), bool(found[0, 1:].max() < 0.01)
    (True, True)
    """
    inside = _checked(luminance, region)
    return bands(luminance, region).square().sum((2, 3)) / inside.sum((2, 3))


def band_energy_ratio(made: Tensor, true: Tensor, region: Tensor) -> Tensor:
    """Energy of each band, where the true texture's is 1.

    Args:
        made: (B, 1, S, S), luminance.
        true: (B, 1, S, S).
        region: (1 or B, 1, S, S), 1 inside, 0 outside.

    Returns:
        (B, 3), in the order of `BANDS`. Infinite, or NaN, where the truth has no energy.

    Raises:
        MeasureError: the shapes do not fit, or the region has no texel.
    """
    return band_energies(made, region) / band_energies(true, region)


def ssim(made: Tensor, true: Tensor, region: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of textures, mean over a region.

    Windows are Gaussian, of 1.5 texels, and reach as far as the region does.

    Args:
        made: (B, 1, S, S), luminance in [0, 1].
        true: (B, 1, S, S).
        region: (1 or B, 1, S, S), 1 inside, 0 outside.

    Returns:
        (B,), 1 for equal textures.

    Raises:
        MeasureError: the shapes do not fit, or the region has no texel.

    >>> texture = torch.rand(2, 1, 8, 8)
    >>> ssim(texture, texture, torch.ones(1, 1, 8, 8))
    tensor([1., 1.])
    """
    inside = _checked(made, region)
    _checked(true, region)
    offsets = torch.arange(-_SSIM_REACH, _SSIM_REACH + 1, dtype=made.dtype, device=made.device)
    kernel = (-0.5 * (offsets / _SSIM_SIGMA).square()).exp()

    def mean(values: Tensor) -> Tensor:
        return _smoothed(values, inside, kernel / kernel.sum())

    a, b = mean(made), mean(true)
    first, second = _SSIM_CONSTANTS
    # Differences from the windows' means cannot be taken window by window; E[x²] - E[x]² can.
    variance_a, variance_b = mean(made.square()) - a.square(), mean(true.square()) - b.square()
    covariance = mean(made * true) - a * b
    alike = (2 * a * b + first) * (2 * covariance + second)
    alike = alike / ((a.square() + b.square() + first) * (variance_a + variance_b + second))
    return (alike * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3))


def mean_difference(made: Tensor, true: Tensor, region: Tensor) -> Tensor:
    """Mean absolute difference of textures (B, C, S, S) over a region: (B,).

    Raises:
        MeasureError: the shapes do not fit, or the region has no texel.
    """
    inside = _checked(made, region)
    return ((made - true).abs().mean(1, keepdim=True) * inside).sum((1, 2, 3)) / inside.sum(
        (1, 2, 3)
    )


@torch.no_grad()
def gram_distance(backbone: Backbone, made: Tensor, true: Tensor, region: Tensor) -> Tensor:
    """How different the feature correlations of textures are on a region.

    What is outside of the region is 0.5 in both (the paper's M(I), section 4). The distance is
    the mean over the backbone's layers of ‖G(made) - G(true)‖_F / ‖G(true)‖_F, so that each layer
    counts alike.

    Args:
        backbone: whose features.
        made: (B, 1, S, S), luminance.
        true: (B, 1, S, S).
        region: (1 or B, 1, S, S), 1 inside, 0 outside.

    Returns:
        (B,), 0 for equal textures.

    Raises:
        MeasureError: the shapes do not fit, or the region has no texel.
    """
    inside = _checked(made, region)
    _checked(true, region)
    found = []
    # One by one: features of deep stacks at 512 texels are large.
    for a, b, visible in zip(made.split(1), true.split(1), inside.split(1), strict=True):
        of_a, of_b = grams(backbone, a, visible), grams(backbone, b, visible)
        found.append(relative_distance(of_a, of_b))
    return torch.cat(found)


def relative_distance(made: dict[str, Tensor], true: dict[str, Tensor]) -> Tensor:
    """Mean over layers of ‖A - B‖_F / ‖B‖_F, for correlations A and B (B, C, C) by layer: (B,)."""
    layers = [
        (made[name] - true[name]).flatten(1).norm(dim=1) / true[name].flatten(1).norm(dim=1)
        for name in true
    ]
    return torch.stack(layers).mean(0)


def _smoothed(values: Tensor, inside: Tensor, kernel: Tensor) -> Tensor:
    """Means of (B, 1, S, S) weighed by a kernel (N,) each way, over texels inside only."""
    share = _blurred(inside, kernel)
    return inside * _blurred(values * inside, kernel) / share.clamp(min=1e-6)


def _blurred(values: Tensor, kernel: Tensor) -> Tensor:
    reach = len(kernel) // 2
    down = conv2d(values, kernel[None, None, :, None], padding=(reach, 0))
    return conv2d(down, kernel[None, None, None], padding=(0, reach))


def _dilated(step: int, like: Tensor) -> Tensor:
    """The binomial filter with taps 2^step texels apart."""
    kernel = like.new_zeros(4 * 2**step + 1)
    kernel[:: 2**step] = like.new_tensor(_BINOMIAL)
    return kernel


def _checked(textures: Tensor, region: Tensor) -> Tensor:
    """The region, one for each texture (B, 1, S, S)."""
    batch, size = len(textures), textures.shape[2:]
    if textures.ndim != 4 or region.ndim != 4 or region.shape[1:] != (1, *size):
        raise MeasureError(
            f"textures are {tuple(textures.shape)} and the region is {tuple(region.shape)}; "
            "expected (B, C, S, S) and (1 or B, 1, S, S)"
        )
    if len(region) not in (1, batch):
        raise MeasureError(f"{len(region)} regions for {batch} textures; give one, or as many")
    inside = region.to(textures).expand(batch, -1, -1, -1)
    if (inside.sum((1, 2, 3)) == 0).any():
        raise MeasureError("a region has no texel; measure where there is something")
    return inside
