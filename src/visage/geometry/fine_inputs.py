"""What FineNet is told about a face: picture, coarse depth, and what the two say together.

The paper feeds the picture and the depth. Both are given here in the numbers wrinkles are made of,
slopes and contrasts, and with them the light that explains the picture best on the coarse surface
(eq. 11): first-order light turns a slope δ of the surface into a contrast ⟨l, δ⟩, so that the
smallest slope that explains a contrast r is r l / ‖l‖². The paper leaves it to the network to find
out about the light; without `FineConfig.lit`, so does this.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.faces.reflectance import decode_srgb
from visage.geometry.light_and_albedo import recover_light, shade, usable_pixels
from visage.geometry.surface_normals import normals_of_depth

PLAIN, LIT = 5, 8
"""Channels without the light, and with it."""

_DEEP = 64.0  # pixels: a face is about so deep at 200 pixels a side
_DARK = 0.02  # of full white: below, a picture is noise
_FLAT = 0.05  # of a light's square: one that comes from the viewer's side says little of slopes


def fine_inputs(
    faces: Tensor, depth: Tensor, mask: Tensor, scale: Tensor, *, lit: bool = True
) -> Tensor:
    """Pictures for FineNet's base: zero where the mask is.

    The picture is divided by its mean over the face, so that a darker exposure is the same. Depth
    counts in pixels from its own mean, because its origin has no meaning.

    Args:
        faces: (B, 1, H, W), grey, sRGB in [0, 1].
        depth: (B, 1, H, W) mm; anything where the mask is 0.
        mask: (B, 1, H, W), 1 where the face is.
        scale: (B,) pixels a millimetre.
        lit: whether to find the light.

    Returns:
        (B, 5, H, W): contrast of the picture, depth, where the coarse normal points (right, up),
        and the mask; lit (B, 8, H, W): also the contrast that light on the coarse surface does not
        explain, and the slopes (right, up) that would.
    """
    inside = mask > 0
    shown, filled = faces * inside, depth.masked_fill(~inside, 0)
    deep = (filled - mean_inside(filled, inside)) * scale.view(-1, 1, 1, 1) / _DEEP
    normals = normals_of_depth(depth, mask, scale)
    contrast = shown / mean_inside(shown, inside).clamp(min=_DARK) - 1
    parts = [contrast, deep, normals[:, :2], torch.ones_like(mask)]
    if lit:
        linear = decode_srgb(shown)
        linear = linear / mean_inside(linear, inside).clamp(min=_DARK**2)
        skin = usable_pixels(decode_srgb(shown), inside.to(faces))
        light = recover_light(linear, torch.ones_like(linear), normals, skin)
        rest = linear - shade(normals, light)
        across = light[:, 1:3, None, None]
        slopes = rest * across / (across.square().sum(1, keepdim=True) + _FLAT)
        parts += [rest, slopes]
    return torch.cat(parts, 1) * inside


def mean_inside(values: Tensor, inside: Tensor) -> Tensor:
    """Mean (B, 1, 1, 1) of values (B, 1, H, W) that are 0 outside; 0 where nothing is inside."""
    count = inside.sum((1, 2, 3), keepdim=True).clamp(min=1)
    return values.sum((1, 2, 3), keepdim=True) / count
