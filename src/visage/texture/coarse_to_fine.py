"""Synthesis from coarse to fine: an option beside the paper's, which works at one size.

Blotches and stubble are settled on small textures, where iterations cost little and a network's
filters reach far; each larger size only has its own finest detail to find.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from visage.texture.backbones import Backbone
from visage.texture.blend import Blend
from visage.texture.errors import SynthesisError
from visage.texture.grain import grain
from visage.texture.gram import Grams
from visage.texture.synthesis import Synthesis, SynthesisConfig, synthesise
from visage.texture.window import resized
from visage.texture.yiq import luminance

DEFAULT = SynthesisConfig()


def synthesise_coarse_to_fine(
    low_frequency: Tensor,
    levels: Sequence[Grams],
    backbone: Backbone,
    config: SynthesisConfig = DEFAULT,
    *,
    blend: Blend | None = None,
    progress: bool = True,
) -> Synthesis:
    """Synthesise a small texture, then ever larger ones, each from the one before.

    Args:
        low_frequency: I(α_al), (1, 3, S, S), as of `visage.texture.synthesis.synthesise`.
        levels: N correlation targets of the same people's textures of S / 2^(N-1), ..., S / 2, S
            texels, the face's region masked.
        backbone: of all of them.
        config: of each level.
        blend: of the same people, as of `visage.texture.synthesis.synthesise`.
        progress: whether to show it.

    Returns:
        Synthesis of the last level.

    Raises:
        SynthesisError: there are no levels, S is no multiple of 2^(N-1), or targets do not fit.
    """
    size = low_frequency.shape[-1]
    if not levels or size % 2 ** (len(levels) - 1):
        raise SynthesisError(
            f"{len(levels)} levels for a texture of {size} texels; give at least one, and a size "
            "that can be halved as often"
        )
    made, shift = None, None
    for number, targets in enumerate(levels):
        side = size >> (len(levels) - 1 - number)
        low = resized(low_frequency, side)
        local = None if blend is None else blend.resized(side)
        start = None
        if shift is not None:
            start = luminance(low) + resized(shift, side)
            start = start + (
                config.noise if local is None else config.share * local.strength
            ) * _finest(side, config.seed)
        made = synthesise(low, targets, backbone, config, start=start, blend=local,
                          progress=progress)  # fmt: skip
        shift = made.luminance - luminance(low)
    return made


def _finest(side: int, seed: int) -> Tensor:
    """What of the grain a texture of half the size does not show."""
    whole = grain(side, seed)
    return whole - resized(resized(whole, side // 2), side)
