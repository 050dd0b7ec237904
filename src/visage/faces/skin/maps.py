"""Textures of a face: its tone, lips, lids, lines, pores and spots, its eyes and its mouth.

`sample_skin` draws how a person's skin looks, `skin_maps` paints it::

    identity = model.sample_identity(8, generator)
    skin = sample_skin(model.read(identity), torch.arange(8))
    maps = skin_maps(model, skin, 256)

A texture is mixed from channels that are the same for everybody, with weights of the person's own
(`visage.faces.skin.mixing`); the mixed indices of melanin and blood become a colour through
`skin_colour`, which is physical. Spots are drawn one by one. The same person looks the same at any
size: a small texture is about the mean of a large one. `skin_under` makes skin and hair agree.
"""

import numpy as np
import torch
from torch import Tensor

from visage.faces.shape import MorphableModel
from visage.faces.skin import compiled as compiled_skin
from visage.faces.skin.library import BROAD_SIZE, SIZES, Library, library
from visage.faces.skin.marks import draw_spots
from visage.faces.skin.mixing import BROAD_RANDOMS, broad_weights, tints
from visage.faces.skin.narrow import NARROW_RANDOMS, narrow_weights
from visage.faces.skin.parameters import Skin, SkinError
from visage.faces.skin.sampling import sample_skin
from visage.faces.skin.tone import skin_colour, tone_table, typology_angle
from visage.faces.skin.under_hair import skin_under
from visage.faces.surface import SurfaceMaps

__all__ = [
    "SIZES",
    "Skin",
    "SkinError",
    "sample_skin",
    "skin_colour",
    "skin_maps",
    "skin_under",
    "tone_table",
    "typology_angle",
]

# People whose broad channels are mixed at once: one product is faster than many, but takes memory.
_TOGETHER = 16


def skin_maps(model: MorphableModel, skin: Skin, size: int) -> SurfaceMaps:
    """Paint the surface of B people.

    The first call for a size makes its channels (a second below 512, longer above), which are kept.

    Args:
        model: whose atlas it is; either level of subdivision.
        skin: of B people; person i's textures depend on nothing else.
        size: R, one of `SIZES`.

    Returns:
        Textures (B, ·, R, R), float32, on the model's device. Work is done on the CPU.

    Raises:
        SkinError: there is no such size.
    """
    if size not in SIZES:
        raise SkinError(f"size is {size}; give one of {', '.join(map(str, SIZES))}")
    channels = library(model, size)
    people, table = len(skin), tone_table().numpy()
    skin = skin.cpu()
    patterns = [np.random.Generator(np.random.PCG64(seed)) for seed in skin.pattern.tolist()]
    broad = broad_weights(channels.broad_names, skin, _normal(patterns, BROAD_RANDOMS))
    narrow = narrow_weights(channels.narrow_names, skin, _normal(patterns, NARROW_RANDOMS)).numpy()
    tint = tints(skin).numpy()

    maps = [torch.empty(people, n, size, size) for n in (3, 1, 1, 1)]
    planes = [value.numpy().reshape(people, value.shape[1], size * size) for value in maps]
    together = _TOGETHER if size < BROAD_SIZE else _TOGETHER // 2
    for first in range(0, people, together):
        last = min(first + together, people)
        mixed = _mixed(channels.broad, broad[first:last])
        for person in range(first, last):
            texel = _texels(channels, mixed[:, person - first])
            compiled_skin.add_channels(
                channels.starts, channels.rows, channels.values, narrow[person], texel
            )
            spots = draw_spots(model, skin, person, patterns[person])
            compiled_skin.add_spots(*spots, channels.skin, channels.compact, size, texel)
            done = np.empty((len(texel), 6), np.float32)
            compiled_skin.finish(texel, table, tint[person], done)
            albedo, *rest = (plane[person] for plane in planes)
            compiled_skin.spread_out(done, channels.source, albedo, *(plane[0] for plane in rest))
    return SurfaceMaps(*(value.to(model.mean.device) for value in maps))


def _normal(patterns: list[np.random.Generator], count: int) -> Tensor:
    """(B, count) normal numbers, a row of each generator."""
    rows = [pattern.standard_normal(count, dtype=np.float32) for pattern in patterns]
    return torch.from_numpy(np.array(rows, np.float32).reshape(len(patterns), count))


def _mixed(channels: Tensor, weights: Tensor) -> np.ndarray:
    """(M, K) channels times (P, K, 9) weights: (M, P, 9)."""
    product = channels @ weights.transpose(0, 1).flatten(1)
    return product.unflatten(1, (len(weights), -1)).numpy()


def _texels(channels: Library, mixed: np.ndarray) -> np.ndarray:
    """(N, 9) of one person at the texture's own size."""
    if channels.size <= BROAD_SIZE:
        return np.ascontiguousarray(mixed)
    texel = np.empty((len(channels.index), mixed.shape[1]), np.float32)
    compiled_skin.enlarge(
        np.ascontiguousarray(mixed), channels.broad_source, channels.index, channels.size, texel
    )
    return texel
