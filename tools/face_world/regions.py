"""Soft masks of the mesh by name: from the files' texture masks, their targets, and drawn lines."""

import numpy as np

from tools.face_world.crop import Crop, sample_mask
from tools.face_world.source import Mesh, Source

# Where a target moves the skin is where its region is.
BY_TARGET = {
    "forehead": ("forehead/forehead-trans-forward",),
    "nose": ("nose/nose-volume-incr", "nose/nose-trans-forward"),
    "cheeks": ("cheek/l-cheek-volume-incr", "cheek/r-cheek-volume-incr"),
    "chin": ("chin/chin-prominent-incr",),
}
# The hairline's height above the eyes by azimuth about the vertical axis through the ears, from
# the middle of the forehead over temple, sideburn and ear to the nape (mm by degrees).
HAIRLINE = (
    (0, 25, 40, 52, 62, 74, 88, 100, 125, 150, 180),
    (70, 69, 63, 45, 20, -22, -22, 5, -25, -60, -66),
)
# The brow's middle line above the eyes by distance from the midline.
BROW = ((10, 20, 30, 38, 46, 54, 62), (20, 20.5, 21.5, 22, 21, 18.5, 15))
# The beard's upper edge by distance from the midline: below the nose, round the mouth, to the ear.
BEARD = ((0, 16, 26, 40, 75, 120), (-47, -50, -60, -58, -24, -24))


def regions(source: Source, mesh: Mesh, kept: Crop, masks: dict[str, np.ndarray]):
    """(V,) in [0, 1] by name."""
    x, y, z = kept.points.T
    skin = _indicator(kept, "skin")
    outside = np.maximum(skin, _indicator(kept, "neck"))
    found = {
        "lips": sample_mask(masks["lips"], kept),
        "lids": sample_mask(masks["eyelids"], kept),
        "ears": sample_mask(masks["ears"], kept),
        "face": sample_mask(masks["face"], kept),
    }
    for name, targets in BY_TARGET.items():
        moved = np.zeros(len(mesh.points))
        for path in targets:
            target = source.target(f"mpfb2/targets/{path}")
            length = np.linalg.norm(target.offset, axis=1)
            moved[target.index] = np.maximum(moved[target.index], length / length.max())
        found[name] = moved[kept.kept] * skin
    across = np.abs(x)
    arch = np.exp(-(((y - np.interp(across, *BROW)) / 3.5) ** 2))
    found["brows"] = skin * arch * _rise(across - 13, 3) * _rise(57 - across, 5) * (z > 40)
    bare = 1 - found["ears"]
    azimuth = np.degrees(np.arctan2(np.abs(x), z))
    found["scalp"] = skin * bare * _rise(y - np.interp(azimuth, *HAIRLINE), 6)
    cheek = _rise(np.interp(across, *BEARD) - y, 5)
    throat = _rise(y + 0.35 * z + 118, 14) * _rise(z - 5, 8)
    found["beard"] = outside * bare * cheek * throat * (1 - found["lips"])
    # How far a vertex stays behind with the shoulders when the head turns.
    found["torso"] = outside * _rise(-135 - (y + 0.5 * z), 40)
    for name, part, chosen in (
        ("left_eye", "eyes", x > 0),
        ("right_eye", "eyes", x < 0),
        ("upper_lashes", "lashes", _group(mesh, kept, "eyelashes-2")),
        ("lower_lashes", "lashes", _group(mesh, kept, "eyelashes-1")),
        ("upper_teeth", "teeth", _group(mesh, kept, "upper-teeth")),
        ("lower_teeth", "teeth", _group(mesh, kept, "lower-teeth")),
    ):
        found[name] = _indicator(kept, part) * chosen
    return found


def _rise(distance: np.ndarray, width: float) -> np.ndarray:
    """Smoothly from 0 at -width to 1 at +width."""
    t = np.clip((distance / width + 1) / 2, 0, 1)
    return t * t * (3 - 2 * t)


def _indicator(kept: Crop, part: str) -> np.ndarray:
    inside = np.zeros(len(kept.points))
    inside[kept.vertices(part)] = 1
    return inside


def _group(mesh: Mesh, kept: Crop, ending: str) -> np.ndarray:
    named = [quads[..., 0].ravel() for name, quads in mesh.quads.items() if name.endswith(ending)]
    return np.isin(kept.kept, np.concatenate(named))
