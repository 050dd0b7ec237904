"""Exposure and white balance from a face: Cole et al. (2017), section 7.4 and appendix C.

The normalized face says what colour a face has in even white light. The mean colour of its middle,
m_N, is what the mean colour of the photographed face's middle, m_P, should be. Channel by channel
the photograph's pixels are moved by a function of two straight pieces (eq. 13) that takes m_P to
m_N and leaves 0 and 1 where they are, in the channels of YCrCb: Y carries the exposure, Cr and Cb
the cast.

Pictures are sRGB-encoded. The paper does not say so, but names no decoding either, and YCrCb is
defined on encoded values.
"""

import torch
from torch import Tensor

from visage.normalization.errors import ColourCorrectionError

__all__ = [
    "BOX",
    "correct_colours",
    "face_colour",
    "from_ycrcb",
    "piecewise_shift",
    "to_ycrcb",
]

BOX = 100 / 224
"""Side of the central box whose colours are averaged, as a share of the normalized crop's."""

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601
_CR, _CB = 0.5 / (1 - 0.299), 0.5 / (1 - 0.114)


def to_ycrcb(images: Tensor) -> Tensor:
    """Luma and colour differences of Rec. 601, each in [0, 1]; grey has Cr = Cb = 1/2.

    Args:
        images: (B, 3, ...), sRGB-encoded red, green and blue in [0, 1].

    Returns:
        (B, 3, ...): Y, Cr, Cb.

    >>> to_ycrcb(torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([[0.2990, 1.0000, 0.3313]])
    """
    red, green, blue = images.unbind(1)
    luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return torch.stack([luma, _CR * (red - luma) + 0.5, _CB * (blue - luma) + 0.5], 1)


def from_ycrcb(channels: Tensor) -> Tensor:
    """Invert `to_ycrcb`; what no colour has is not clipped."""
    luma, cr, cb = channels.unbind(1)
    red = luma + (cr - 0.5) / _CR
    blue = luma + (cb - 0.5) / _CB
    green = (luma - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1]
    return torch.stack([red, green, blue], 1)


def piecewise_shift(values: Tensor, mean: Tensor, target: Tensor) -> Tensor:
    """Eq. 13: two straight pieces through (0, 0), (m_P, m_N) and (1, 1).

    r(p) = p m_N / m_P up to m_P, and 1 - (1 - p) (1 - m_N) / (1 - m_P) beyond it. Where m_P is 0 or
    1, one piece has no length, and the other serves all values: it still takes m_P to m_N, and
    that end of the scale no longer stays where it is.

    Args:
        values: (B, C, ...), p in [0, 1].
        mean: (B, C), m_P in [0, 1].
        target: (B, C), m_N in [0, 1].

    Returns:
        As `values`: monotone in p, and in [0, 1]. Differentiable.

    Raises:
        ColourCorrectionError: the shapes do not fit, or a mean is not in [0, 1].

    >>> half, quarter = torch.tensor([[0.5]]), torch.tensor([[0.25]])
    >>> piecewise_shift(torch.tensor([[[0.0, 0.25, 0.5, 0.75, 1.0]]]), half, quarter)
    tensor([[[0.0000, 0.1250, 0.2500, 0.6250, 1.0000]]])
    """
    for name, means in (("mean", mean), ("target", target)):
        if means.shape != values.shape[:2]:
            raise ColourCorrectionError(
                f"{name} is {tuple(means.shape)}; expected {tuple(values.shape[:2])}, a number for "
                "each channel of each picture"
            )
        if not ((means >= 0) & (means <= 1)).all():
            raise ColourCorrectionError(f"{name} is not in [0, 1]; give means of the channels")
    mean, target = (m.reshape(*m.shape, *[1] * (values.ndim - 2)) for m in (mean, target))
    bottom, top = mean == 0, mean == 1
    # Divided by safe numbers: a NaN behind `where` would still spoil the derivatives.
    below = values * target / mean.masked_fill(bottom, 1)
    above = 1 - (1 - values) * (1 - target) / (1 - mean).masked_fill(top, 1)
    return torch.where(((values <= mean) & ~bottom) | top, below, above)


def face_colour(faces: Tensor, box: float = BOX) -> Tensor:
    """Mean of Y, Cr and Cb over the middle of aligned faces: m_P or m_N.

    Args:
        faces: (B, 3, S, S), sRGB, in the crop of `visage.normalization.frame.normal_crop`.
        box: side of the box, as a share of S.

    Returns:
        (B, 3).

    Raises:
        ColourCorrectionError: the faces are no square pictures, or the box is not in (0, 1].
    """
    if faces.ndim != 4 or faces.shape[1] != 3 or faces.shape[2] != faces.shape[3]:
        raise ColourCorrectionError(f"faces are {tuple(faces.shape)}; expected (B, 3, S, S)")
    if not 0 < box <= 1:
        raise ColourCorrectionError(f"the box is {box} of the picture; give more than 0, at most 1")
    size = faces.shape[-1]
    margin = (size - max(1, round(box * size))) // 2
    middle = faces[..., margin : size - margin, margin : size - margin]
    return to_ycrcb(middle.mean((2, 3)))


def correct_colours(photographs: Tensor, mean: Tensor, target: Tensor) -> Tensor:
    """Give photographs the exposure and white balance under which their faces look right.

    Args:
        photographs: (B, 3, H, W), sRGB; all of the picture, or any part of it.
        mean: (B, 3), `face_colour` of the photographed faces, aligned.
        target: (B, 3), `face_colour` of the normalized faces.

    Returns:
        (B, 3, H, W) in [0, 1].

    Raises:
        ColourCorrectionError: the shapes do not fit, or a mean is not in [0, 1].
    """
    if photographs.ndim != 4 or photographs.shape[1] != 3:
        raise ColourCorrectionError(
            f"photographs are {tuple(photographs.shape)}; expected (B, 3, H, W)"
        )
    moved = piecewise_shift(to_ycrcb(photographs), mean, target)
    return from_ycrcb(moved).clamp(0, 1)
