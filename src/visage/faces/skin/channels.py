"""Broad channels of the skin's textures: where each thing is, and noise without a seam.

A texture is a weighted sum of channels that are the same for everybody (`visage.faces.skin.mixing`
has a person's weights). Noise is evaluated in three dimensions, at the place of each texel on the
mean head, so that it neither stretches nor breaks at the seams of the atlas, nor mirrors.
"""

import numpy as np

from visage.faces.shape import MorphableModel
from visage.faces.skin.fields import noise_field, soft_blob, soft_step
from visage.faces.skin.layout import Texels

NOISE_BANDS = ((75.0, 5), (30.0, 6), (12.0, 7), (5.0, 7))
"""Wavelengths in mm, and how many independent fields of each: people differ by their weights."""

FLUSHES = 4
"""Independent patterns of a flush."""

# Soft blobs by name: middles (|x|, y, z) and standard deviations, mm in the head's frame. Those off
# the midline are on both sides. Anchored on the landmarks of the mean head.
_BLOBS: dict[str, tuple[tuple[float, ...], ...]] = {
    "cheek": ((37, -29, 92, 14, 12, 18), (50, -22, 78, 13, 13, 16)),
    "blush": ((48, -20, 80, 16, 11, 18),),
    "nose_tip": ((0, -36, 122, 12, 10, 12),),
    "alar": ((13, -41, 108, 5, 5.5, 8),),
    "chin": ((0, -94, 103, 15, 10, 14),),
    "forehead": ((0, 52, 100, 42, 22, 45),),
    "temple": ((62, 18, 55, 14, 22, 24),),
    "shine": ((0, 48, 108, 24, 20, 30), (0, -18, 116, 8, 18, 16), (0, -96, 102, 12, 9, 12)),
    "under_eye": ((28, -14.5, 97, 9, 4.2, 9),),
    "trough": ((19.5, -11, 97, 4.5, 6, 8),),
    "orbit": ((31, -1, 96, 14, 10, 11),),
    "eye_shadow": ((32, 7, 97, 13, 5, 9),),
    "inner_corner": ((18.5, -5.5, 95, 3, 3, 6),),
    "perioral": ((0, -67, 110, 23, 15, 18),),
    "philtrum": ((0, -53, 115, 9, 6, 10),),
    "jaw": ((45, -75, 70, 22, 18, 26),),
}


def broad_channels(model: MorphableModel, texels: Texels) -> dict[str, np.ndarray]:
    """Channels (N,) by name, those of the skin zero on other parts."""
    p = texels.positions
    part = {name: texels.parts == number for number, name in enumerate(model.part_names)}
    region = dict(zip(model.region_names, texels.regions.T, strict=True))
    rim = part["sockets"] * region["lids"]
    skin = part["skin"] | part["neck"]
    found = {"skin": skin | part["sockets"]}
    for name in ("lids", "ears", "nose", "scalp", "beard", "brows", "torso"):
        found[name] = region[name] * (part["skin"] | part["neck"])
    for name, blobs in _BLOBS.items():
        shares = [soft_blob(p, blob) for blob in blobs]
        found[name] = (1 - np.prod([1 - share for share in shares], axis=0)) * skin
    found["neck"] = (part["neck"] | part["skin"]) * soft_step(-p[:, 1], 105, 140)
    found["nostril"] = skin * _nostril(p, texels.normals)
    found["waterline"], found["socket"] = rim, part["sockets"] * (1 - rim)
    for name in ("mouth", "tongue", "teeth", "lashes", "eyes"):
        found[name] = part[name]
    found["deep"] = (part["mouth"] | part["tongue"]) * soft_step(-p[:, 2], -98, -60)
    found = {name: value.astype(np.float32) for name, value in found.items()}
    fields = noise_fields(p)
    # A flush is broken up where it is strong.
    flushed = found["cheek"] + 0.8 * found["nose_tip"] + 0.6 * found["ears"]
    for number in range(FLUSHES):
        found[f"flush_{number}"] = flushed * (
            0.6 * fields[f"noise_12_{number}"] + 0.8 * fields[f"noise_5_{number}"]
        )
    return found | {name: field * found["skin"] for name, field in fields.items()}


def noise_fields(points: np.ndarray) -> dict[str, np.ndarray]:
    """Fields (N,) of `NOISE_BANDS` at points (N, 3), called noise_<wavelength>_<number>."""
    found = {}
    for wavelength, count in NOISE_BANDS:
        for number in range(count):
            seed = 100 * int(wavelength) + number
            found[f"noise_{wavelength:g}_{number}"] = noise_field(points, wavelength, seed)
    return found


def _nostril(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Where the skin turns into the nose, and no light comes."""
    inside = soft_blob(points, (7.0, -42, 110, 3.2, 3.2, 5.5))
    return np.clip(1.8 * inside - 0.4, 0, 1) * soft_step(-normals[:, 1], 0.1, 0.7)
