"""The compiled loop of `visage.faces.shading.radiance`, for when no derivative is wanted.

It does what `visage.faces.reflectance.reflect` does in torch, pixel by pixel: a tenth of the
memory's traffic, and nothing where the picture is empty. A test holds both to the same.
"""

import math

import numpy as np
from numba import njit

GRAZING = 1e-4
"""Least cosine in a division: grazing light would divide by nothing."""

POLISHED = 0.03
"""Least roughness, for the same reason."""

WIDEST = math.pi / 4
"""Radians: the widest light that the formulas of this package hold for."""

BLEED = (0.5, 0.12, 0.0)
"""How much of the light that scatters below the skin reaches a half-shadow, by colour."""

BOUNCE = ((2.0404, -0.3324), (-4.7951, 0.6417), (2.7552, 0.6903))
"""Light that hollows pass on: for each power of the occlusion, the factor of the albedo, and a
constant (Jimenez et al. 2016, eq. 10)."""

_F = np.float32
_LEAST_SINE = _F(1e-3)


# Sums need no fixed order. NaN and infinity still mean what they mean.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp"})
def send(surface, lit, light, scatter, f0, perspective, linear):
    """Write the light that surfaces send to the camera.

    Args:
        surface: positions, normals, albedo (B, 3, N), occlusion, roughness, specular (B, 1, N),
            skin (B or 0, 1, N), which is 1 everywhere where it is empty, and depth (B, N),
            infinite at the background.
        lit: (B, 1, N), share of the key light that arrives.
        light: direction (B, 3), colour (B, 3), radius (B,), and factors (B, 9, 3) of 1, y, z, x,
            xy, yz, 3z²-1, xz and x²-y² in the shading by the surroundings.
        scatter: (3,), radians by which skin spreads light.
        f0: reflectance at normal incidence.
        perspective: whether the viewer is at the origin; else at infinity.
        linear: (B, 3, N), zeros; overwritten.
    """
    positions, normals, albedo, occlusion, roughness, specular, skin, depth = surface
    direction, colour, radius, factors = light
    count, _, pixels = linear.shape
    one, none = _F(1), _F(0)
    skin_sine = np.empty(3, np.float32)
    for image in range(count):
        lx, ly, lz = direction[image]
        e = factors[image]
        wider = np.sin(radius[image]) / _F(3)
        for k in range(3):
            skin_sine[k] = _spread(radius[image] + scatter[k])
        for i in range(pixels):
            if not np.isfinite(depth[image, i]):
                continue
            x, y, z = normals[image, 0, i], normals[image, 1, i], normals[image, 2, i]
            vx, vy, vz = none, none, one
            if perspective:
                p = positions[image, :, i]
                vx, vy, vz = _unit(-p[0], -p[1], -p[2])
            cosine = x * lx + y * ly + z * lz
            seen = lit[image, 0, i]
            n_v = x * vx + y * vy + z * vz
            shine = none
            if cosine > 0 and n_v > 0 and seen > 0:
                alpha = roughness[image, 0, i] ** 2 + wider
                alpha = min(max(alpha, _F(POLISHED**2)), one)
                shine = _glint((x, y, z), (lx, ly, lz), (vx, vy, vz), cosine, n_v, alpha, f0)
                shine *= _F(math.pi) * specular[image, 0, i]
            open_ = occlusion[image, 0, i]
            xy, yz, zz, xz, xx = x * y, y * z, _F(3) * z * z - one, x * z, x * x - y * y
            under = one if len(skin) == 0 else skin[image, 0, i]
            for k in range(3):
                sine = skin_sine[k]
                if under != 1:
                    sine = _spread(radius[image] + scatter[k] * under)
                arrives = seen + _F(BLEED[k]) * under * seen * (one - seen)
                cut = min(max(cosine, -sine), sine) + sine
                lambert = cut * cut / (_F(4) * sine) + max(cosine - sine, none)
                ambient = (
                    (e[0, k] + e[1, k] * y + e[2, k] * z + e[3, k] * x)
                    + (e[4, k] * xy + e[5, k] * yz + e[6, k] * zz + e[7, k] * xz + e[8, k] * xx)
                )  # fmt: skip
                a = albedo[image, k, i]
                steep = (_F(BOUNCE[0][0]) * open_ + _F(BOUNCE[1][0])) * open_ + _F(BOUNCE[2][0])
                flat = (_F(BOUNCE[0][1]) * open_ + _F(BOUNCE[1][1])) * open_ + _F(BOUNCE[2][1])
                around = max((flat + a * steep) * open_, open_)
                key = colour[image, k] * arrives
                linear[image, k, i] = a * (ambient * around + key * lambert) + key * shine


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(radius):
    return max(np.sin(min(radius, _F(WIDEST))), _LEAST_SINE)


@njit(cache=True, nogil=True, error_model="numpy")
def _unit(x, y, z):
    scale = _F(1) / np.sqrt(max(x * x + y * y + z * z, _F(1e-12)))
    return x * scale, y * scale, z * scale


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp"})
def _glint(normal, light, viewer, n_l, n_v, alpha, f0):
    """As `visage.faces.reflectance.ggx`, of α instead of the roughness."""
    hx, hy, hz = _unit(light[0] + viewer[0], light[1] + viewer[1], light[2] + viewer[2])
    one = _F(1)
    n_l, n_v = max(n_l, _F(GRAZING)), max(n_v, _F(GRAZING))
    squared = alpha * alpha
    dx, dy, dz = normal[0] - hx, normal[1] - hy, normal[2] - hz
    chord = dx * dx + dy * dy + dz * dz
    sine_squared = chord * (one - chord * _F(0.25))
    spread = sine_squared * (one - squared) + squared
    masking = n_l * np.sqrt(n_v * n_v * (one - squared) + squared)
    masking += n_v * np.sqrt(n_l * n_l * (one - squared) + squared)
    oblique = max(one - (hx * light[0] + hy * light[1] + hz * light[2]), _F(0))
    fresnel = f0 + (one - f0) * (oblique * oblique) * (oblique * oblique) * oblique
    return squared * fresnel * n_l * _F(0.5) / (_F(math.pi) * spread * spread * masking)
