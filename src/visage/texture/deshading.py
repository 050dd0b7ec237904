"""Freeing texels of their shading, step by step.

Saito et al. (2017, section 3) "factor out the shading component from the input RGB image by
estimating the illumination L, the surface normal N" and the geometry. Colours here are linear.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from visage.faces.harmonics import shade
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.texture.head_surface import blurred
from visage.texture.low_frequency import LowFrequencyAlbedo

_LEAST = 1e-4  # linear light
_RELIT = 64  # texels a side from which the light is found again
_REWEIGHTED = 8  # times, for least absolute differences
_CLOSE = 0.03  # share of the typical light, below which differences are all alike


def shading_basis(normals: Tensor) -> Tensor:
    """Shading of texels by each of the nine harmonics of radiance 1, one after another.

    Args:
        normals: (B, 3, S, S), unit vectors, view frame.

    Returns:
        (B, 9, S, S).
    """
    each = torch.eye(9, dtype=normals.dtype, device=normals.device)
    return shade(normals, each.expand(len(normals), -1, -1))


def shading_of(basis: Tensor, light: Tensor) -> Tensor:
    """Light that arrives at texels (B, 3, S, S), at least a little."""
    shading = torch.einsum("bkhw,bkc->bchw", basis, light)
    return shading.clamp(min=0.02 * float(shading.mean().clamp(min=_LEAST)))


def relit(
    pixels: Tensor,
    expected: Tensor,
    basis: Tensor,
    light: Tensor,
    weight: Tensor,
    prior: float,
) -> Tensor:
    """The light (B, 9, 3) that best explains texels of which the albedo is about known.

    Least absolute differences, by reweighting.

    Args:
        pixels: (B, 3, S, S), what the photograph shows.
        expected: (B, 3, S, S), the low-frequency albedo.
        basis: (B, 9, S, S), of `shading_basis`.
        light: (B, 9, 3), to which the answer is drawn where texels do not tell.
        weight: (B, 1, S, S), how much each texel counts.
        prior: how firmly.
    """
    small = max(1, pixels.shape[-1] // _RELIT)
    weight = weight.clamp(min=0)
    share = avg_pool2d(weight, small)
    pixels, expected, basis = (
        avg_pool2d(part * weight, small) / share.clamp(min=1e-3)
        for part in (pixels, expected, basis)
    )
    rows = basis.flatten(2).mT[:, None] * expected.flatten(2)[..., None]  # (B, 3, N, 9)
    goal = pixels.flatten(2)
    found = light.mT.clone()  # (B, 3, 9)
    kept = prior * torch.eye(9, dtype=light.dtype, device=light.device)
    for _ in range(_REWEIGHTED):
        away = (goal - (rows @ found[..., None])[..., 0]).abs()
        typical = goal.mean(2, keepdim=True).clamp(min=_LEAST)
        share_of = share.flatten(2) / (away / typical).clamp(min=_CLOSE)
        share_of = share_of / share_of.sum(2, keepdim=True).clamp(min=1e-6)
        weighted = rows * share_of[..., None] / typical[..., None].square()
        matrix = weighted.mT @ rows + kept
        right = (weighted.mT @ goal[..., None])[..., 0] + (kept @ light).mT
        found = torch.linalg.solve(matrix, right)
    return found.mT


def agreeing(linear: Tensor, expected: Tensor, visible: Tensor) -> Tensor:
    """Linear albedo with, in each channel, the same median over what is expected: 1."""
    gains = []
    for found, known, shown in zip(linear, expected, visible[:, 0].bool(), strict=True):
        if not shown.any():
            gains.append(found.new_ones(3))
            continue
        ratio = known[:, shown].clamp(min=_LEAST) / found[:, shown].clamp(min=_LEAST)
        gains.append(ratio.median(1).values)
    return linear * torch.stack(gains)[:, :, None, None]


def own_low_frequency(
    linear: Tensor, expected: Tensor, visible: Tensor, prior: float = 1.0
) -> Tensor:
    """The low-frequency albedo (B, 3, S, S), linear, that is most probable given what is seen.

    It knows more of the face than the fit's, and has no shading: none of its components is one.

    Args:
        linear: (B, 3, S, S), albedo.
        expected: (B, 3, S, S), linear, of faces of which nothing is visible.
        visible: (B, 1, S, S), 0 or 1.
        prior: as of `visage.texture.low_frequency.LowFrequencyAlbedo.fit`.
    """
    model, own = LowFrequencyAlbedo.load(), expected.clone()
    seen = visible.flatten(1).amax(1) > 0
    if seen.any():
        texture = encode_srgb(linear[seen]).clamp(0, 1)
        found = model.texture(model.fit(texture, visible[seen], prior=prior), linear.shape[-1])
        own[seen] = decode_srgb(found)
    return own


def evened(linear: Tensor, expected: Tensor, visible: Tensor, reach: float) -> Tensor:
    """Divide out what, smoothly, differs from the low-frequency albedo."""
    ratio = (linear.clamp(min=_LEAST) / expected.clamp(min=_LEAST)).log() * visible
    rest = blurred(ratio, reach) / blurred(visible, reach).clamp(min=1e-3)
    return linear * (-rest).exp()
