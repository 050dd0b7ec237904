"""Specular highlights in SUV space (Mallick et al. 2005; Saito et al. 2017, section 6).

A rotation of RGB takes the colour of the light to the first axis, S; the other two, U and V, are
then free of the light that a shiny dielectric such as skin reflects, which has the light's own
colour (Shafer's dichromatic model). "We remove specularities in SUV color space by filtering the
specular peak in the S channel", writes the paper of its database's flash photographs. The peak is
what S has more than the skin's own ratio of S to the length of (U, V) allows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.texture.errors import TextureError
from visage.texture.head_surface import blurred

_LEAST = 1e-4  # linear light, below which there is no colour to speak of


class SpecularError(TextureError):
    """Colours and pictures that do not fit together."""


def suv_rotation(colour: Tensor) -> Tensor:
    """R with R c = ‖c‖ (1, 0, 0): from RGB to SUV (Mallick et al. 2005, eq. 5).

    U is the axis in the plane of c and blue, V is across both.

    Args:
        colour: (B, 3), linear, of the light; positive.

    Returns:
        (B, 3, 3), rotations.

    Raises:
        SpecularError: the shape is another, or a colour is not positive.

    >>> found = suv_rotation(torch.tensor([[0.5, 0.5, 0.5]])) @ torch.ones(3)
    >>> [abs(round(value, 4)) for value in found.flatten().tolist()]
    [1.7321, 0.0, 0.0]
    """
    if colour.ndim != 2 or colour.shape[1] != 3 or not (colour > 0).all():
        raise SpecularError(f"light of colour {colour.tolist()}; expected (B, 3), all positive")
    s = colour / colour.norm(dim=1, keepdim=True)
    blue = s.new_tensor([0.0, 0.0, 1.0]).expand_as(s)
    u = blue - (blue * s).sum(1, keepdim=True) * s
    u = u / u.norm(dim=1, keepdim=True)
    return torch.stack([s, u, torch.linalg.cross(s, u)], 1)


def to_suv(linear: Tensor, colour: Tensor) -> Tensor:
    """Linear RGB (B, 3, H, W) to S, U and V under light of a colour (B, 3)."""
    return _turned(linear, suv_rotation(colour))


def from_suv(suv: Tensor, colour: Tensor) -> Tensor:
    """Invert `to_suv`."""
    return _turned(suv, suv_rotation(colour).mT)


def _turned(images: Tensor, rotation: Tensor) -> Tensor:
    if images.ndim != 4 or images.shape[1] != 3 or len(images) != len(rotation):
        raise SpecularError(
            f"pictures are {tuple(images.shape)} and lights {len(rotation)}; expected (B, 3, H, W)"
        )
    return torch.einsum("bij,bjhw->bihw", rotation, images)


def specular_part(
    linear: Tensor,
    visible: Tensor,
    colour: Tensor,
    expected: Tensor,
    *,
    slack: float = 0.06,
    reach: float = 1.5,
) -> Tensor:
    """How much of S is a highlight's.

    Skin sends S = ρ ‖(U, V)‖ where it does not shine, with the ratio ρ of its own colour, which
    `expected` gives. What is more, beyond a slack, is the peak; it is smoothed a little so that the
    noise of U and V, which are small, does not enter the texture.

    Args:
        linear: (B, 3, H, W), albedo, or radiance with even light, linear.
        visible: (B, 1, H, W), 1 where it is to be believed.
        colour: (B, 3), linear, of the light after what was divided out of `linear`.
        expected: (B, 3, H, W), linear, diffuse colour up to a factor: smooth.
        slack: share of S by which skin may be paler than expected.
        reach: pixels, standard deviation of the smoothing.

    Returns:
        (B, 1, H, W), to be taken from S; 0 where nothing is visible.

    Raises:
        SpecularError: a shape does not fit.
    """
    s, chroma = _peak_and_chroma(to_suv(linear, colour))
    smooth_s, smooth_chroma = _peak_and_chroma(to_suv(expected, colour))
    ratio = smooth_s / smooth_chroma.clamp(min=_LEAST)
    weight = visible.to(linear)
    chroma = _averaged(chroma, weight, reach)
    # Skin is as pale as expected in the median, whatever white balance left.
    believed = [
        (a[w > 0.5] / b[w > 0.5].clamp(min=_LEAST)).median()
        if bool((w > 0.5).any())
        else a.new_ones(())
        for a, b, w in zip(s, ratio * chroma, weight, strict=True)
    ]
    diffuse = torch.stack(believed)[:, None, None, None] * ratio * chroma
    peak = (s - (1 + slack) * diffuse).clamp(min=0) * weight
    peak = torch.minimum(_averaged(peak, weight, reach), s.clamp(min=0))
    return peak * weight


def without_specular(linear: Tensor, peak: Tensor, colour: Tensor) -> Tensor:
    """Take a peak (B, 1, H, W) from S of pictures (B, 3, H, W), linear; not below 0."""
    axis = (colour / colour.norm(dim=1, keepdim=True))[:, :, None, None]
    return (linear - peak * axis).clamp(min=0)


def _peak_and_chroma(suv: Tensor) -> tuple[Tensor, Tensor]:
    return suv[:, :1], suv[:, 1:].norm(dim=1, keepdim=True)


def _averaged(values: Tensor, weight: Tensor, reach: float) -> Tensor:
    """Gaussian mean of what has weight."""
    return blurred(values * weight, reach) / blurred(weight, reach).clamp(min=1e-4)
