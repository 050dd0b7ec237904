"""Grain that synthesis starts from: noise with about the spectrum of skin.

The gradient of eq. 3 (Saito et al. 2017) with respect to features is a matrix times the features:
where there are none, none come. From the low-frequency albedo alone, which is smooth, all detail
gathers at the outlines of brows, lips and lids, and cheeks stay bare. Faint grain gives every place
something to grow from; what it becomes, the correlations say.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from visage.texture.database import TextureDatabase
from visage.texture.errors import SynthesisError
from visage.texture.low_frequency import SIZE as LOW_SIZE
from visage.texture.window import resized

_MOST = (
    0.02  # strength: brows have outlines to grow from, and grain as strong as they would break them
)
_NEGLIGIBLE = 0.005  # weight of a person who is left out: there are hundreds
_FALL = 1.5  # amplitude falls as 1 / frequency to this power, as on cheeks of validation people


@lru_cache(maxsize=4)
def grain(size: int, seed: int = 0) -> Tensor:
    """Noise without the frequencies of the low-frequency albedo, which knows them better.

    Args:
        size: S, texels.
        seed: of the noise.

    Returns:
        (1, 1, S, S), of mean about 0 and standard deviation 1.
    """
    frequency = torch.fft.fftfreq(size)
    radius = (frequency[:, None] ** 2 + frequency[None, : size // 2 + 1] ** 2).sqrt()
    radius[0, 0] = math.inf  # no constant part
    white = torch.randn(size, size, generator=torch.Generator().manual_seed(seed))
    noise = torch.fft.irfft2(torch.fft.rfft2(white) / radius**_FALL, s=(size, size))[None, None]
    if size > LOW_SIZE:
        noise = noise - resized(resized(noise, LOW_SIZE), size)
    return noise / noise.std()


@torch.no_grad()
def detail_strength(database: TextureDatabase, weights: Tensor) -> Tensor:
    """How much detail a blend of people has at each place: the grain's standard deviation there.

    Textures are registered, so that a blend of people with stubble has it on the jaw and not on the
    forehead. Their details themselves do not blend, their variances do: σ² = Σ w_k σ_k².

    Args:
        database: of K people.
        weights: (K,), of the blend; negative ones count as none.

    Returns:
        (1, 1, S, S), of luminance; not more than what skin has.

    Raises:
        SynthesisError: there are not K weights, or none is positive.
    """
    if weights.shape != (len(database),) or not float(weights.max()) > 0:
        raise SynthesisError(
            f"weights are {tuple(weights.shape)}; expected ({len(database)},), some above 0"
        )
    shares = weights.clamp_min(0) / weights.clamp_min(0).sum()
    variance = torch.zeros(1, 1, database.size, database.size)
    for index in (shares > _NEGLIGIBLE).nonzero()[:, 0].tolist():
        variance += shares[index] * _variance(database.luminance([index]))
    return variance.sqrt().clamp(max=_MOST)


def _variance(luminance: Tensor) -> Tensor:
    """Local variance of what the low-frequency albedo does not hold."""
    size = luminance.shape[-1]
    coarse = min(LOW_SIZE, size)
    detail = luminance - resized(resized(luminance, coarse), size)
    return resized(resized(detail.square(), max(coarse // 2, 1)), size).clamp_min(0)
