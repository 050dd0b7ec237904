"""The low-frequency albedo as one more layer of the analysis.

Correlations of what a photograph shows are those of its skin, its noise, and the shading that was
not found. A blend that has them may be of people who look otherwise: of bearded ones, where a
picture is noisy. The low-frequency albedo of section 3 knows better who is shaven, and of what
complexion; blended by the same weights, the database's should come near it.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from visage.texture.database import TextureDatabase
from visage.texture.inner_products import Comparison
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.window import face_region

NAME = "albedo"
"""Of the layer."""

_AT_ONCE = 32  # textures


def with_albedo(
    comparison: Comparison, database: TextureDatabase, low_frequency: Tensor, count: float
) -> Comparison:
    """A comparison that asks for the low-frequency albedo, too.

    Args:
        comparison: of correlations with those of the database.
        database: of K people.
        low_frequency: I(α_al), (1, 3, S, S), sRGB-encoded; of any size.
        count: as how many layers it counts.

    Raises:
        GramError: the comparison is with another database.
    """
    query = LowFrequencyAlbedo.load().fit(low_frequency, _face(low_frequency))[0]
    return comparison.with_layer(NAME, _coefficients(database), query, count**0.5)


@lru_cache(maxsize=4)
def _coefficients(database: TextureDatabase) -> Tensor:
    """α_al of all textures, (K, components), standard deviations."""
    model, found = LowFrequencyAlbedo.load(), []
    for some in torch.arange(len(database)).split(_AT_ONCE):
        textures = database.textures(some.tolist())
        found.append(model.fit(textures, _face(textures)))
    return torch.cat(found)


def _face(textures: Tensor) -> Tensor:
    return face_region(textures.shape[-1]).expand(len(textures), -1, -1, -1)
