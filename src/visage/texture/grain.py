"""Grain that synthesis starts from: noise with about the spectrum of skin.

The gradient of eq. 3 (Saito et al. 2017) with respect to features is a matrix times the features:
where there are none, none come. From the low-frequency albedo alone, which is smooth, all detail
gathers at the outlines of brows, lips and lids, and cheeks stay bare. Faint grain gives every place
something to grow from; what it becomes, the correlations say.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from visage.texture.low_frequency import SIZE as LOW_SIZE
from visage.texture.window import resized

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
    radius[0, 0] = 1
    white = torch.randn(size, size, generator=torch.Generator().manual_seed(seed))
    spectrum = torch.fft.rfft2(white) / radius**_FALL
    spectrum[0, 0] = 0  # no constant part; torch 2.4 makes NaN of a complex number by infinity
    noise = torch.fft.irfft2(spectrum, s=(size, size))[None, None]
    if size > LOW_SIZE:
        noise = noise - resized(resized(noise, LOW_SIZE), size)
    return noise / noise.std()
