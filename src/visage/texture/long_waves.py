"""Long waves of a texture's luminance: what correlations of detail know little of.

They are the low-frequency albedo's, whatever detail is synthesised upon it. Means are taken over
the texels of a region only (normalised convolution, Knutsson and Westin 1993).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

SPREAD = 0.02
"""Of the texture's side, sigma: waves above about three times that are long, and over that length a
change fades out beyond the face."""


def toned(base: Tensor, tone: Tensor, region: Tensor) -> Tensor:
    """A luminance with the long waves of another.

    Args:
        base: (1, 1, S, S).
        tone: (1, 1, S, S), whose long waves are taken.
        region: (1, 1, S, S), 0 or 1: where; beyond it, the base goes over into itself.

    Returns:
        (1, 1, S, S).
    """
    return spread_out(base, base + _smooth(tone - base, region), region)


def held(base: Tensor, made: Tensor, region: Tensor) -> Tensor:
    """The made luminance with the base's long waves.

    Args:
        base: (1, 1, S, S).
        made: (1, 1, S, S), anything outside of the region.
        region: (1, 1, S, S), 0 or 1.
    """
    return made - _smooth(made - base, region)


def spread_out(base: Tensor, made: Tensor, region: Tensor) -> Tensor:
    """The made luminance inside of the region; beyond it, the base takes on its shift and fades.

    Detail ends at the outline, but no step of tone shows there.

    Args:
        base: (1, 1, S, S).
        made: (1, 1, S, S), anything outside of the region.
        region: (1, 1, S, S), 0 or 1.
    """
    # On a straight outline half of the kernel is inside: there the shift is taken on whole.
    share = (2 * _blurred(region)).clamp(max=1)
    return torch.where(region > 0, made, base + _smooth(made - base, region) * share)


def _smooth(values: Tensor, region: Tensor) -> Tensor:
    """Gaussian mean over the region's texels."""
    return _blurred(torch.where(region > 0, values, 0.0)) / _blurred(region).clamp_min(1e-6)


def _blurred(values: Tensor) -> Tensor:
    sigma = max(SPREAD * values.shape[-1], 1.0)
    reach = math.ceil(3 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=values.dtype, device=values.device)
    kernel = (-0.5 * (offsets / sigma).square()).exp()
    kernel = kernel / kernel.sum()
    rows = conv2d(pad(values, (0, 0, reach, reach)), kernel.view(1, 1, -1, 1))
    return conv2d(pad(rows, (reach, reach, 0, 0)), kernel.view(1, 1, 1, -1))
