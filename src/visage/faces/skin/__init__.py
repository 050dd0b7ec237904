"""Skin, eyes and mouth: what a face's surface is made of, as textures."""

from visage.faces.skin.maps import (
    SIZES,
    Skin,
    SkinError,
    sample_skin,
    skin_colour,
    skin_maps,
    skin_under,
    tone_table,
    typology_angle,
)

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
