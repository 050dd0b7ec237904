"""Light on a face: an ambient environment, a key light, and a sampler of both.

Directions are in the view frame (x to the picture's right, y up, z towards the camera), so that
turning the head does not turn the lights. Colours are linear; a light's colour is the shading of a
white surface that faces it. `visage.faces.reflectance.reflect` applies a light to a surface, and
`visage.faces.shadow` finds where the key light is hidden.
"""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from visage.faces.directions import sphere_directions
from visage.faces.harmonics import (
    COSINE_LOBE,
    disc_light,
    harmonics,
    shade,
)

__all__ = [
    "LIGHT_KINDS",
    "Light",
    "LightError",
    "LightKind",
    "blackbody",
    "sample_lights",
    "seeded_lights",
    "shade",
]


_WIDEST = math.pi / 4 + 1e-6  # 45 degrees, however they were rounded


class LightError(ValueError):
    """A light whose parameters cannot be used."""


@dataclass(frozen=True, eq=False)
class Light:
    """B lights, each an environment of order 2 and one key light that casts shadows.

    Raises:
        LightError: a shape does not fit, a value is not finite, or a direction has no length 1.
    """

    ambient: Tensor  # (B, 9, 3) or (B, 4, 3), radiance of the surroundings, see `harmonics`
    key_direction: Tensor  # (B, 3), unit vector from the face to the key light
    key_colour: Tensor  # (B, 3), shading of a white surface that faces the key light
    key_radius: Tensor  # (B,), angular radius, radians, at most π/4; wide lights shadow softly

    def __post_init__(self):
        batch = len(self.ambient)
        shapes = {
            "ambient": (batch, 4 if self.ambient.shape[1:] == (4, 3) else 9, 3),
            "key_direction": (batch, 3),
            "key_colour": (batch, 3),
            "key_radius": (batch,),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if tuple(value.shape) != shape:
                raise LightError(f"{name} is {tuple(value.shape)}; expected {shape}")
            if not value.isfinite().all():
                raise LightError(f"{name} holds NaN or infinity; check how it was computed")
        if not ((self.key_radius >= 0) & (self.key_radius <= _WIDEST)).all():
            raise LightError("key_radius is not in [0, π/4] radians; wider light is ambient")
        if ((self.key_direction.detach().norm(dim=1) - 1).abs() > 1e-3).any():
            raise LightError("key_direction has a length other than 1; normalise it")

    def __len__(self) -> int:
        """Lights in the batch."""
        return len(self.ambient)

    def __getitem__(self, index: slice | Tensor) -> "Light":
        """Some of the lights; a slice, or a tensor of indices."""
        return Light(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, target: torch.device | torch.dtype | str) -> "Light":
        """The same lights on another device, or in another type."""
        return Light(*(getattr(self, field.name).to(target) for field in fields(self)))

    def coefficients(self) -> Tensor:
        """All the light in harmonics (B, 9, 3) or (B, 4, 3), the key light without its shadows.

        What the papers' models explain a picture with: `shade` of these coefficients, order 2 for
        Saito et al., `visage.faces.harmonics.to_richardson` of them for Richardson et al.
        """
        order = math.isqrt(self.ambient.shape[1]) - 1
        return self.ambient + disc_light(
            self.key_direction, self.key_colour, self.key_radius, order
        )


@dataclass(frozen=True)
class LightKind:
    """Ranges from which one kind of lighting is drawn, uniformly; angles in degrees.

    Azimuth 0 is at the camera, 90 at the side (either one), 180 behind the head; elevation 90 is
    overhead. Exposure is the mean shading of what faces the camera.
    """

    name: str
    share: float  # how often, relative to the others
    azimuth: tuple[float, float] = (0, 180)
    elevation: tuple[float, float] = (0, 60)
    radius: tuple[float, float] = (2, 10)  # of the key light; the sun has 0.27
    ratio: tuple[float, float] = (1, 3)  # key colour over mean ambient shading, as luminance
    key_kelvin: tuple[float, float] = (3000, 6500)
    ambient_kelvin: tuple[float, float] = (3500, 7500)
    overhead: tuple[float, float] = (0, 0.8)  # contrast of the ambient light, above against below
    lamps: float = 0.5  # largest share of the ambient light that lamps and bright walls have
    gel: tuple[float, float] = (0, 0)  # saturation of coloured filters before the lights
    exposure: tuple[float, float] = (0.75, 1.3)


LIGHT_KINDS: tuple[LightKind, ...] = (
    LightKind("room", 0.20, (0, 120), (30, 80), (8, 20), (0.5, 2), (2700, 5000), (2800, 5500)),
    LightKind(
        "overcast", 0.13, (0, 180), (50, 90), (25, 45), (0.1, 0.6), (6000, 7500), (6000, 8000),
        overhead=(0.5, 1), lamps=0.2,
    ),
    LightKind(
        "sun", 0.15, (0, 125), (15, 70), (0.5, 1.5), (1.5, 4), (4000, 5800), (6500, 10000),
        overhead=(0.2, 0.8), lamps=0.3,
    ),
    LightKind(
        "window", 0.14, (35, 90), (0, 35), (15, 30), (1, 3), (5000, 7500), (3000, 6500),
        lamps=0.7,
    ),
    LightKind("studio", 0.12, (20, 60), (20, 50), (6, 18), (1.5, 4), (5000, 5800), (5000, 5800)),
    LightKind("flash", 0.05, (0, 12), (0, 15), (1, 3), (2, 8), (5200, 6000), (2800, 5000)),
    LightKind("side", 0.07, (70, 100), (-5, 35), (1, 12), (1.5, 4), (2800, 6500), (3000, 7500)),
    LightKind(
        "back", 0.06, (125, 180), (10, 50), (1, 12), (1.5, 4), (3500, 6000), (4500, 8000),
        exposure=(0.55, 1),
    ),
    LightKind(
        "coloured", 0.05, (20, 140), (-20, 50), (4, 20), (0.8, 2.5), gel=(0.25, 0.75),
        exposure=(0.6, 1),
    ),
    LightKind(
        "dim", 0.03, (0, 150), (-30, 60), (3, 15), (0.5, 4), (1900, 3200), (2200, 4500),
        exposure=(0.3, 0.55),
    ),
)  # fmt: skip
"""The lights of the synthetic world, in the proportions of everyday photographs, by judgement."""

_LAMPS = 3
_RANGES = ("azimuth", "elevation", "radius", "ratio", "key_kelvin", "ambient_kelvin", "overhead")
_RANGES += ("gel", "exposure")
_DRAWS = 17 + 4 * _LAMPS


def sample_lights(
    count: int, generator: torch.Generator, kinds: tuple[LightKind, ...] = LIGHT_KINDS
) -> Light:
    """Draw plausible lights: what kind, where from, how wide, how warm, how bright.

    The surroundings are a sky and a ground of blackbody colours with three wide lamps or walls in
    them, and the key light is a disc. The camera balances white half-way between the two colours,
    and exposes for what faces it. Radiance stays positive where a surface can see it: no normal
    is shaded below 3% of the mean.

    Args:
        count: how many; light i depends on the generator's state and i, not on `count`.
        generator: on the CPU; advanced by a fixed number of draws a light.
        kinds: what to choose from, by `share`.

    Returns:
        Light, float32, on the CPU.

    Raises:
        LightError: `kinds` is empty, or no kind has a positive share.

    >>> light = sample_lights(2, torch.Generator().manual_seed(0))
    >>> light.ambient.shape, light.key_direction.shape
    (torch.Size([2, 9, 3]), torch.Size([2, 3]))
    """
    # One block with a row a light, so that a light does not depend on how many are drawn.
    return _lights(torch.rand(count, _DRAWS, generator=generator, dtype=torch.float64), kinds)


def seeded_lights(seeds: Tensor, kinds: tuple[LightKind, ...] = LIGHT_KINDS) -> Light:
    """Draw lights as `sample_lights` does, each from its own seed.

    Args:
        seeds: (B,) int64.
        kinds: what to choose from, by `share`.

    Returns:
        B lights; light i depends on seeds[i] only.

    Raises:
        LightError: `kinds` is empty, or no kind has a positive share.
    """
    generator = torch.Generator()
    rows = [
        torch.rand(_DRAWS, generator=generator.manual_seed(seed), dtype=torch.float64)
        for seed in seeds.tolist()
    ]
    return _lights(torch.stack(rows) if rows else torch.zeros(0, _DRAWS).double(), kinds)


def _lights(rows: Tensor, kinds: tuple[LightKind, ...]) -> Light:
    """Lights from uniform numbers (B, `_DRAWS`), float64."""
    shares = torch.tensor([kind.share for kind in kinds], dtype=torch.float64)
    if not kinds or not (shares >= 0).all() or not shares.sum() > 0:
        raise LightError("no kind of light has a positive share; give one that has")
    count, draws = len(rows), iter(rows.T.contiguous())
    kind = torch.searchsorted(shares.cumsum(0) / shares.sum(), next(draws), right=True)
    kind = kind.clamp(max=len(kinds) - 1)

    ranges = torch.tensor([[getattr(k, name) for name in _RANGES] for k in kinds]).double()[kind]
    low, high = ranges.unbind(2)
    drawn = low + (high - low) * torch.stack([next(draws) for _ in _RANGES], 1)
    azimuth, elevation, radius, ratio, key_kelvin, kelvin, contrast, gel, exposure = drawn.T

    azimuth = torch.deg2rad(azimuth) * torch.where(next(draws) < 0.5, -1, 1)
    direction, radius = _direction(azimuth, torch.deg2rad(elevation)), torch.deg2rad(radius)
    colours = blackbody(torch.cat([key_kelvin, kelvin, (key_kelvin * kelvin).sqrt()]))
    key, fill, white = colours.view(3, count, 3)
    key = key / white * _gel(gel, next(draws))
    fill = fill / white * _gel(gel, next(draws))
    ground = 0.5 + torch.stack([next(draws) for _ in range(3)], 1)

    # A sky above and a ground below, whose mean is 1: radiance 1 + contrast · y, ground tinted.
    contrast = contrast[:, None]
    ground = fill * ground / ground.mean(1, keepdim=True)
    above, below = fill * (1 + contrast), ground * (1 - contrast)
    dome = torch.zeros(count, 9, 3, dtype=torch.float64)
    dome[:, 0] = (above + below) * math.sqrt(math.pi)
    dome[:, 1] = (above - below) * math.sqrt(math.pi / 3)
    turn, height, wide, bright = (torch.cat([next(draws) for _ in range(_LAMPS)]) for _ in "thwb")
    where = _direction(2 * math.pi * turn, torch.asin(1.6 * height - 0.6))
    glow = fill.repeat(_LAMPS, 1) * bright[:, None]
    lamps = disc_light(where, glow, torch.deg2rad(20 + 50 * wide))
    lamps = lamps.unflatten(0, (_LAMPS, count)).sum(0)
    part = torch.tensor([k.lamps for k in kinds], dtype=torch.float64)[kind][:, None, None]
    part = part * next(draws)[:, None, None]
    # Mixed by what they send in all directions: lamps behind the head may leave its front dark.
    lamps = lamps * (_luminance(dome[:, 0]) / _luminance(lamps[:, 0]))[:, None, None]
    ambient = (1 - part) * dome + part * lamps

    key = key * (ratio / _luminance(key))[:, None]
    ambient = _lifted(ambient / _level(ambient))
    seen = _level(ambient + disc_light(direction, key, radius))[:, 0]
    gain = exposure[:, None] / seen
    parts = (ambient * gain[:, None], direction, key * gain, radius)
    return Light(*(part.float() for part in parts))


def blackbody(kelvin: Tensor) -> Tensor:
    """Colour of a glowing body, linear sRGB, of luminance 1.

    The Planckian locus as two cubics in chromaticity (Kim et al. 2002), through XYZ to the
    primaries of Rec. 709. What lies outside of them (below 1,900 K) is clipped.

    Args:
        kelvin: (B,), 1,667 to 25,000.

    Returns:
        (B, 3).
    """
    t = 1000 / kelvin
    warm = ((-0.2661239 * t - 0.2343589) * t + 0.8776956) * t + 0.179910
    cool = ((-3.0258469 * t + 2.1070379) * t + 0.2226347) * t + 0.240390
    x = torch.where(kelvin <= 4000, warm, cool)
    below_2222 = ((-1.1063814 * x - 1.34811020) * x + 2.18555832) * x - 0.20219683
    below_4000 = ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867
    above_4000 = ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483
    y = torch.where(kelvin <= 2222, below_2222, torch.where(kelvin <= 4000, below_4000, above_4000))
    xyz = torch.stack([x / y, torch.ones_like(x), (1 - x - y) / y], -1)
    to_rgb = xyz.new_tensor(
        [
            [3.2404542, -1.5371385, -0.4985314],
            [-0.9692660, 1.8760108, 0.0415560],
            [0.0556434, -0.2040259, 1.0572252],
        ]
    )
    rgb = (xyz @ to_rgb.T).clamp(min=0)
    return rgb / _luminance(rgb)[:, None]


def _luminance(rgb: Tensor) -> Tensor:
    return rgb @ rgb.new_tensor([0.2126, 0.7152, 0.0722])


def _direction(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Unit vectors (B, 3); azimuth 0 is at the camera, positive to the picture's right."""
    level = elevation.cos()
    return torch.stack([level * azimuth.sin(), elevation.sin(), level * azimuth.cos()], 1)


def _gel(saturation: Tensor, hue: Tensor) -> Tensor:
    """A coloured filter (B, 3); the hue is in [0, 1), around the circle."""
    phase = hue[:, None] + hue.new_tensor([0, 2 / 3, 1 / 3])
    pure = (6 * ((phase % 1) - 0.5).abs() - 1).clamp(0, 1)
    return 1 + saturation[:, None] * (pure - 1)


def _level(coefficients: Tensor) -> Tensor:
    """Mean luminance (B, 1, 1) of the shading of normals that face the camera, by n_z.

    This weight is the clamped cosine again, so that it convolves a second time: the mean is
    Σ (A_l/π)² L_l0 Y_l0(z).
    """
    towards_camera = harmonics(coefficients.new_tensor([0, 0, 1]), 2)[[0, 2, 6]]
    kept = (coefficients.new_tensor(COSINE_LOBE) / math.pi).square() * towards_camera
    return _luminance(kept @ coefficients[:, [0, 2, 6]])[:, None, None]


def _lifted(coefficients: Tensor, floor: float = 0.03) -> Tensor:
    """Add constant light until no normal is shaded below `floor`: order 2 rings below zero."""
    normals = sphere_directions(256).T[None, :, :, None].to(coefficients)
    darkest = shade(normals, coefficients).amin((2, 3))
    lifted = coefficients.clone()
    lifted[:, 0] += (floor - darkest).clamp(min=0) * math.sqrt(4 * math.pi)
    return lifted
