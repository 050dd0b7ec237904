"""What the explorer's camera and lights are, as Python's own classes have them."""

import math

import torch
from torch import Tensor

from visage.faces.camera import Perspective
from visage.faces.harmonics import disc_light
from visage.faces.light import Light, blackbody

VIEW = {"distance": 1400.0, "focal": 4.3, "lift": 34.0}
"""The page's camera: mm from the head's origin, focal length in units of the picture's side, and
mm by which the head is moved up, so that head and neck fill the frame."""

_DEGREES = math.pi / 180
_SKY_WHITE = 5200.0  # kelvin, which the camera takes for white


def face_camera(pose: Tensor, size: int, zoom: float = 1.0) -> Perspective:
    """The page's camera, for a picture of size × size.

    Args:
        pose: (B, 3), pitch, yaw and roll, radians.
        size: pixels.
        zoom: enlarges about the picture's middle.
    """
    lift = pose.new_tensor([0.0, VIEW["lift"]]).expand(len(pose), 2)
    focal = pose.new_full((len(pose),), zoom * VIEW["focal"] * size)
    distance = torch.full_like(focal, VIEW["distance"])
    return Perspective(pose, lift, size, size, focal=focal, distance=distance)


def _ambient(level: float, kelvin: float, contrast: float, ground: tuple, *lamps: tuple) -> Tensor:
    """(9, 3) radiance of a sky over a ground, with wide lamps in it.

    Args:
        level: mean shading.
        kelvin: of the sky.
        contrast: in [0, 1], of above against below.
        ground: (3,) its colour, where the sky is 1.
        lamps: each (azimuth, elevation, radius, strength, kelvin), degrees.
    """
    sky, below = _colour(kelvin), _colour(kelvin) * torch.tensor(ground)
    above, below = sky * (1 + contrast), below * (1 - contrast)
    found = torch.zeros(9, 3)
    found[0] = (above + below) * math.sqrt(math.pi)
    found[1] = (above - below) * math.sqrt(math.pi / 3)
    for azimuth, elevation, radius, strength, warmth in lamps:
        where = _direction(azimuth, elevation)[None]
        size = torch.tensor([radius * _DEGREES])
        found += disc_light(where, strength * _colour(warmth)[None], size)[0]
    return level * found


def _colour(kelvin: float) -> Tensor:
    """(3,) of a glowing body after white balance, of luminance 1."""
    colour = blackbody(torch.tensor([kelvin, _SKY_WHITE], dtype=torch.float64))
    return (colour[0] / colour[1]).float()


def _direction(azimuth: float, elevation: float) -> Tensor:
    a, e = azimuth * _DEGREES, elevation * _DEGREES
    return torch.tensor([math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)])


def _light(azimuth, elevation, radius, key, kelvin, ambient: Tensor) -> dict:
    rounded = [[round(value, 5) for value in row] for row in ambient.tolist()]
    colour = [round(value, 5) for value in (key * _colour(kelvin)).tolist()]
    return {
        "azimuth": azimuth,
        "elevation": elevation,
        "radius": radius,
        "colour": colour,
        "ambient": rounded,
    }


_FLOOR = (0.75, 0.68, 0.6)
LIGHTS: dict[str, dict] = {
    "studio": _light(
        -42, 32, 11, 1.0, 5200,
        _ambient(0.21, 5800, 0.35, _FLOOR, (120, 15, 35, 1.5, 6200), (60, -5, 40, 0.35, 5200)),
    ),
    "room": _light(
        35, 55, 18, 0.55, 3600,
        _ambient(0.42, 4600, 0.4, _FLOOR, (-80, 10, 40, 1.0, 6300)),
    ),
    "overcast": _light(0, 75, 42, 0.30, 6800, _ambient(0.62, 6600, 0.65, (0.8, 0.82, 0.75))),
    "sun": _light(
        48, 42, 1, 1.25, 4900,
        _ambient(0.30, 8200, 0.5, (1.1, 0.9, 0.65)),
    ),
    "side": _light(-88, 12, 9, 1.25, 4700, _ambient(0.13, 6200, 0.2, _FLOOR)),
    "back": _light(
        152, 34, 8, 1.9, 4600,
        _ambient(0.34, 6000, 0.35, _FLOOR, (-20, 10, 45, 0.35, 5600)),
    ),
}  # fmt: skip
"""Presets by name: where the key light is (degrees), how wide, its colour, and the surroundings."""


def preset_light(name: str) -> Light:
    """One of `LIGHTS`, as the renderer takes it."""
    light = LIGHTS[name]
    return Light(
        torch.tensor([light["ambient"]]),
        _direction(light["azimuth"], light["elevation"])[None],
        torch.tensor([light["colour"]]),
        torch.tensor([light["radius"] * _DEGREES]),
    )
