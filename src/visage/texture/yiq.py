"""Luminance and two axes of colour: YIQ, in which the whole analysis and synthesis of detail runs.

Saito et al. (2017, section 4) process the intensity Y alone, as Gatys et al. ("Preserving color in
neural artistic style transfer", 2016) do to keep the colours of a picture. The matrix is that of
the NTSC standard of 1953 (about; the constants are rounded as usual), applied to sRGB-encoded
values as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.texture.errors import TextureError

RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""Rows are Y, I and Q. Those of I and Q sum to zero: a grey has neither."""


def to_yiq(images: Tensor) -> Tensor:
    """YIQ of pictures.

    Args:
        images: (B, 3, H, W), sRGB in [0, 1].

    Returns:
        (B, 3, H, W): Y in [0, 1], I in about [-0.6, 0.6], Q in about [-0.52, 0.52].

    Raises:
        TextureError: the shape is another.

    >>> [round(value, 4) for value in to_yiq(torch.ones(1, 3, 1, 1)).flatten().abs().tolist()]
    [1.0, 0.0, 0.0]
    """
    _check(images, 3)
    return torch.einsum("yc,bchw->byhw", images.new_tensor(RGB_TO_YIQ), images)


def from_yiq(yiq: Tensor) -> Tensor:
    """Pictures from YIQ, the inverse of `to_yiq`; not clipped.

    Args:
        yiq: (B, 3, H, W).

    Returns:
        (B, 3, H, W), sRGB; outside of [0, 1] where no picture has that luminance and colour.

    Raises:
        TextureError: the shape is another.
    """
    _check(yiq, 3)
    # In double precision, so that a round trip in float32 loses no more than a rounding.
    inverse = torch.linalg.inv(torch.tensor(RGB_TO_YIQ, dtype=torch.float64)).to(yiq)
    return torch.einsum("cy,byhw->bchw", inverse, yiq)


def luminance(images: Tensor) -> Tensor:
    """Y of pictures (B, 3, H, W), sRGB in [0, 1]: (B, 1, H, W), in [0, 1].

    Raises:
        TextureError: the shape is another.
    """
    _check(images, 3)
    weights = images.new_tensor(RGB_TO_YIQ[0]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def with_luminance(texture: Tensor, new_y: Tensor) -> Tensor:
    """The texture with another luminance and its own I and Q, clipped to [0, 1].

    Args:
        texture: (B, 3, H, W), sRGB in [0, 1].
        new_y: (B, 1, H, W).

    Returns:
        (B, 3, H, W), sRGB in [0, 1].

    Raises:
        TextureError: the two do not fit together.

    >>> grey = torch.full((1, 3, 1, 1), 0.2)
    >>> [round(value, 4) for value in with_luminance(grey, torch.full((1, 1, 1, 1), 0.6)).flatten()
    ...  .tolist()]
    [0.6, 0.6, 0.6]
    """
    _check(texture, 3)
    _check(new_y, 1)
    if texture.shape[2:] != new_y.shape[2:] or new_y.shape[0] != texture.shape[0]:
        raise TextureError(
            f"a texture {tuple(texture.shape)} cannot take the luminance {tuple(new_y.shape)}; "
            "both need the same batch, height and width"
        )
    # Grey is along (1, 1, 1) in RGB, so that a change of Y alone adds the same to each channel.
    return (texture + (new_y - luminance(texture))).clamp(0, 1)


def _check(images: Tensor, channels: int) -> None:
    if images.ndim != 4 or images.shape[1] != channels:
        raise TextureError(f"pictures are {tuple(images.shape)}; expected (B, {channels}, H, W)")
