"""Pictures that are no photographs in colour: what section 7.1 tries the decoder on besides.

The paper shows a painting and black-and-white photographs. Both are made here from any picture, so
that the true face is known.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.normalization.errors import NormalizationError
from visage.photos.alignment import to_grey

_WARM = (1.04, 1.0, 0.86)  # old varnish: about
_CONTRAST = 1.15


def black_and_white(images: Tensor) -> Tensor:
    """Luma in all three channels: (B, 3, H, W) to (B, 3, H, W)."""
    return to_grey(images).expand(-1, 3, -1, -1).contiguous()


def painted(images: Tensor, radius: int = 3) -> Tensor:
    """A painting's patches and palette, by the filter of Kuwahara et al. (1976).

    Of the four squares that have a pixel in a corner, the pixel takes the mean of the one that
    varies least: edges stay, and what lies between them becomes even patches, as of a brush. Then
    more contrast, and a warm varnish.

    Args:
        images: (B, 3, H, W) in [0, 1].
        radius: of the brush, pixels; squares are radius + 1 a side.

    Returns:
        (B, 3, H, W) in [0, 1].

    Raises:
        NormalizationError: the radius is below 1 or the images are not (B, 3, H, W).

    >>> flat = torch.full((1, 3, 8, 8), 0.5)
    >>> torch.allclose(painted(flat), painted(flat)[..., :1, :1])
    True
    """
    if radius < 1 or images.ndim != 4 or images.shape[1] != 3:
        raise NormalizationError(
            f"a brush of radius {radius} on {tuple(images.shape)}; expected 1 at least, on "
            "(B, 3, H, W)."
        )
    wide = F.pad(images, (radius,) * 4, mode="replicate")
    mean = F.avg_pool2d(wide, radius + 1, stride=1)
    spread = F.avg_pool2d(wide.square(), radius + 1, stride=1) - mean.square()
    spread = spread.sum(1, keepdim=True)
    height, width = images.shape[-2:]
    corners = [(y, x) for y in (0, radius) for x in (0, radius)]
    means = torch.stack([mean[..., y : y + height, x : x + width] for y, x in corners])
    spreads = torch.stack([spread[..., y : y + height, x : x + width] for y, x in corners])
    least = spreads.argmin(0, keepdim=True).expand(1, *images.shape)
    patches = means.gather(0, least)[0]
    contrasted = (patches - 0.5) * _CONTRAST + 0.5
    return (contrasted * images.new_tensor(_WARM).view(1, 3, 1, 1)).clamp(0, 1)
