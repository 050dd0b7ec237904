"""The skin's textures for the page: what the library paints, relative to the tone that is chosen.

`visage.faces.skin` paints one person of a middle tone four times. From that the page gets what it
multiplies and adds: the colour (times the tone that the reader sets, over this person's), the
relief of a smooth face, what wrinkles add to it, and freckles.
"""

import io
from dataclasses import fields, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.skin import Skin, skin_maps
from visage.faces.skin.parameters import COLOURS

SIZE = 2048  # texels: pores need it
MELANIN, HAEMOGLOBIN = 0.3, 0.4  # of the person who is painted
RELIEF = (-0.3, 0.3)  # mm, what 0 and 255 stand for
WRINKLES = (-1.0, 0.5)  # mm
_QUALITY = {"detail": 90, "relief": 86, "wrinkles": 88, "freckles": 82}

_PLAIN = {
    "melanin": MELANIN,
    "haemoglobin": HAEMOGLOBIN,
    "redness": 0.38,
    "lip_redness": 0.5,
    "lip_contrast": 0.5,
    "under_eye": 0.2,
    "freckle_strength": 1.0,
    "mottling": 0.35,
    "age": 30.0,
    "pores": 0.4,
    "oiliness": 0.4,
    "sclera_red": 0.15,
    "teeth": 0.15,
}


def detail_arrays(model: MorphableModel, size: int = SIZE) -> dict[str, np.ndarray]:
    """Paint, and compress.

    Returns:
        Bytes of WebP pictures, size × size: `detail` (sRGB), and in grey `relief`, `wrinkles` (in
        `RELIEF` and `WRINKLES`) and `freckles` (share of the light that they take).
    """
    plain = _skin(_PLAIN)
    maps = skin_maps(model, plain, size)
    aged = skin_maps(model, replace(plain, wrinkles=torch.ones(1)), size)
    freckled = skin_maps(model, replace(plain, freckles=torch.ones(1)), size)
    ratio = freckled.albedo.mean(1) / maps.albedo.mean(1).clamp(min=1e-4)
    wrinkles = (aged.height - maps.height)[:, 0]
    pictures = {
        "detail": encode_srgb(maps.albedo)[0],
        "relief": _scaled(maps.height[:, 0], RELIEF),
        "wrinkles": _scaled(wrinkles, WRINKLES),
        "freckles": 1 - ratio,
    }
    return {name: _webp(picture, _QUALITY[name]) for name, picture in pictures.items()}


def _skin(values: dict[str, float]) -> Skin:
    """One person; what is not named is 0."""
    found = {}
    for field in fields(Skin):
        shape = (1, 3) if field.name in COLOURS else (1,)
        found[field.name] = torch.full(shape, float(values.get(field.name, 0)))
    return Skin(**{**found, "pattern": torch.tensor([5])})


def _scaled(values: Tensor, limits: tuple[float, float]) -> Tensor:
    low, high = limits
    return (values - low) / (high - low)


def _webp(picture: Tensor, quality: int) -> np.ndarray:
    """(3, R, R) or (1, R, R) in [0, 1] to the bytes of a picture."""
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(buffer, "WEBP", quality=quality, method=6)
    return np.frombuffer(buffer.getvalue(), np.uint8)
