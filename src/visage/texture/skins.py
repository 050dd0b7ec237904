"""High-resolution skin of people who do not exist: what the database and the truth are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.population import people
from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.skin import skin_maps
from visage.faces.surface import SurfaceMaps
from visage.texture.brows import paint_brows
from visage.texture.window import atlas_for, crop

SEED = 0
"""Of the world."""

_TOGETHER = 4  # atlases of 2048 texels take 100 MB each while they are painted


@torch.no_grad()
def face_atlases(
    split: str, indices: Sequence[int], atlas: int = 1024, *, brows: bool = True
) -> SurfaceMaps:
    """Surfaces of people, with their brows painted in.

    Args:
        split: of `visage.faces.population.SPLITS`.
        indices: of B people.
        atlas: texels of the atlas's side, one of `visage.faces.skin.SIZES`.
        brows: whether to paint them; without, the albedo is skin alone.

    Returns:
        SurfaceMaps (B, ·, R, R), as a renderer takes them.

    Raises:
        visage.faces.population.PopulationError: there are no such people.
        visage.faces.skin.SkinError: there is no such size.
    """
    model = _model()
    persons = people(model, SEED, indices, split=split)
    maps = skin_maps(model, persons.skin, atlas)
    if not brows:
        return maps
    return replace(maps, albedo=paint_brows(maps.albedo, model, persons.hair))


def face_textures(
    split: str, indices: Sequence[int], size: int = 512, *, brows: bool = True
) -> Tensor:
    """Textures of people's faces.

    Args:
        split: of `visage.faces.population.SPLITS`.
        indices: of B people.
        size: S, texels of the window's side.
        brows: whether they are painted in.

    Returns:
        (B, 3, S, S), sRGB-encoded albedo, in [0, 1].
    """
    atlas, found = atlas_for(size), []
    for start in range(0, len(indices), _TOGETHER):
        maps = face_atlases(split, indices[start : start + _TOGETHER], atlas, brows=brows)
        found.append(encode_srgb(crop(maps.albedo, size)).clamp(0, 1))
    return torch.cat(found) if found else torch.zeros(0, 3, size, size)


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()
