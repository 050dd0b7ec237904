"""What a lit surface sends to the camera: Lambert, GGX, and the sRGB curve.

Colours here are linear. A light's colour is the shading of a white surface that faces it: its
irradiance over π. So a diffuse surface sends albedo · colour · cos θ, and a shiny one
π · f · colour · cos θ, where f is its reflectance distribution. All is differentiable.
"""

import math

import torch
from torch import Tensor

from visage.faces.compiled_reflectance import GRAZING, POLISHED, WIDEST
from visage.faces.directions import dot, unit
from visage.faces.harmonics import shade
from visage.faces.light import Light

SKIN_F0 = 0.028
"""Reflectance of skin at normal incidence: a refractive index of 1.4 (d'Eon and Luebke 2007)."""

SKIN_SCATTER = (0.30, 0.13, 0.08)
"""Radians by which red, green and blue light spread round a cheek before they leave it, so that
shade begins softly and reddish: mean paths of about 3, 1.3 and 0.8 mm (Jensen et al. 2001 give such
values for skin) on a surface of a radius of 10 mm, which is that of a nose or a chin. On flatter
skin it is less; the terminator lies on the rounder parts."""


def ggx(
    normals: Tensor,
    towards_light: Tensor,
    towards_viewer: Tensor,
    roughness: Tensor | float,
    f0: Tensor | float = SKIN_F0,
) -> Tensor:
    """Specular reflectance times the cosine of the light: f(l, v) (n·l).

    D F V with the GGX distribution D (Walter et al. 2007, eq. 33), Schlick's Fresnel term F, and
    Smith's height-correlated masking, V = G/(4 (n·l) (n·v)) (Heitz 2014, eq. 99). α = roughness².

    Args:
        normals: (B, 3, H, W), unit vectors.
        towards_light: (B, 3), unit vectors.
        towards_viewer: (B, 3, H, W), or 1 instead of B, H and W, unit vectors, as the camera's
            `towards_viewer` gives them.
        roughness: number or (B, 1, H, W), in [0.03, 1]; 0.1 is a wet eye, 0.3 to 0.5 is skin.
        f0: reflectance at normal incidence.

    Returns:
        (B, 1, H, W); zero where the surface faces away from the light or the viewer.

    >>> z = torch.tensor([[0.0, 0.0, 1.0]])
    >>> up = z.view(1, 3, 1, 1)
    >>> ggx(up, z, up, 1.0, f0=1.0) * math.pi * 4  # α = 1, head-on: f = 1/(4 π)
    tensor([[[[1.]]]])
    """
    light = towards_light[:, :, None, None]
    half = unit(light + towards_viewer)
    n_l, n_v = dot(normals, light), dot(normals, towards_viewer)
    facing = (n_l > 0) & (n_v > 0)
    n_l, n_v = n_l.clamp(min=GRAZING), n_v.clamp(min=GRAZING)
    roughness = torch.as_tensor(roughness, dtype=normals.dtype, device=normals.device)
    squared = roughness.clamp(min=POLISHED) ** 4  # α²
    # 1 - (n·h)² would lose its digits at the highlight of a smooth surface.
    difference = normals - half
    chord = dot(difference, difference)  # 2 - 2 n·h
    sine_squared = chord * (1 - chord / 4)
    distribution = squared / (math.pi * (sine_squared * (1 - squared) + squared).square())
    masking = 0.5 / (
        n_l * (n_v.square() * (1 - squared) + squared).sqrt()
        + n_v * (n_l.square() * (1 - squared) + squared).sqrt()
    )
    oblique = (1 - dot(half, light)).clamp(min=0)
    fresnel = f0 + (1 - f0) * oblique.square().square() * oblique
    return (distribution * masking * fresnel * n_l).masked_fill(~facing, 0)


def lambert(cosine: Tensor, radius: Tensor) -> Tensor:
    """Share of a disc's light that a diffuse surface gets, of what it gets when it faces the disc.

    Exactly the cosine while all of the disc is above the horizon. Where the horizon cuts it, for
    cosines in (-s, s) with s the sine of its radius, (cosine + s)²/(4 s): smooth, and within 0.01
    of the exact value.

    Args:
        cosine: (B, 1, H, W), between the normal and the centre of the disc.
        radius: (B,), angular radius, radians, at most π/4; or (B, C, H, W), or 1 instead of H and
            W, where it differs from colour to colour or from pixel to pixel.

    Returns:
        (B, 1, H, W), or (B, C, H, W).
    """
    if radius.ndim == 1:
        radius = radius[:, None, None, None]
    s = radius.sin().clamp(min=1e-3)
    cut = cosine.clamp(-s, s) + s  # clamps are ten times faster than `where` on a CPU
    return cut.square() / (4 * s) + (cosine - s).clamp(min=0)


def reflect(
    albedo: Tensor,
    normals: Tensor,
    towards_viewer: Tensor,
    light: Light,
    *,
    key_visibility: Tensor | float = 1.0,
    ambient_visibility: Tensor | float = 1.0,
    roughness: Tensor | float = 0.45,
    specular: Tensor | float = 1.0,
    scatter: Tensor | None = None,
) -> Tensor:
    """Radiance of a surface under a light: diffuse from all sides and the key, specular of the key.

    Args:
        albedo: (B, 3, H, W), linear, in [0, 1].
        normals: (B, 3, H, W), unit vectors in the view frame.
        towards_viewer: as in `ggx`.
        light: B lights.
        key_visibility: number, (B, 1, H, W) or (B, 3, H, W), share of the key light that is seen,
            as `visage.faces.shadow.key_visibility` gives it.
        ambient_visibility: number, (B, 1, H, W) or (B, 3, H, W), share of the surroundings that is
            seen.
        roughness: as in `ggx`.
        specular: number or (B, 1, H, W), factor of the specular part; 0 for a matt surface.
        scatter: (B, 3, 1, 1) or (B, 3, H, W), radians, how far round the surface light of each
            colour spreads below it; see `SKIN_SCATTER`. None is an opaque surface.

    Returns:
        (B, 3, H, W), linear, not clipped: bright light exceeds 1.
    """
    cosine = dot(normals, light.key_direction[:, :, None, None])
    # A wide light widens its highlight: α grows by a third of its size (Karis 2013).
    roughness = torch.as_tensor(roughness, dtype=albedo.dtype, device=albedo.device)
    alpha = roughness.square() + light.key_radius.sin()[:, None, None, None] / 3
    shine = ggx(normals, light.key_direction, towards_viewer, alpha.clamp(POLISHED**2, 1).sqrt())
    shine = shine * (math.pi * specular) * key_visibility
    radius = light.key_radius
    if scatter is not None:
        radius = (radius[:, None, None, None] + scatter).clamp(max=WIDEST)
    lit = lambert(cosine, radius) * key_visibility
    ambient = shade(normals, light.ambient) * ambient_visibility
    colour = light.key_colour[:, :, None, None]
    return albedo * torch.addcmul(ambient, colour, lit) + colour * shine


def encode_srgb(linear: Tensor) -> Tensor:
    """Linear light to sRGB (IEC 61966-2-1), with finite derivatives everywhere; not clipped.

    >>> encode_srgb(torch.tensor([0.0, 0.0031308, 0.2140, 1.0]))
    tensor([0.0000, 0.0404, 0.5000, 1.0000])
    """
    curve = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.minimum(12.92 * linear, curve)  # the line is below the curve where it counts


def decode_srgb(encoded: Tensor) -> Tensor:
    """Invert `encode_srgb`."""
    curve = ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(encoded <= 0.04045, encoded / 12.92, curve)
