"""Hypercolumns: all that a network knows about each pixel (Hariharan et al. 2015).

Richardson et al. (2017, section 4.2) bring the maps of deeper layers back to the picture's size by
cascaded 2 x 2 up-convolutions of stride 2, not by bilinear interpolation, so that the interpolation
is learned too. With VGG-Face's 64, 128 and 256 maps, the picture and the depth, a column has the
paper's 450 numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Hypercolumn(nn.Module):
    """Maps at sizes 1, 1/2, 1/4, ... to columns over all pixels.

    Args:
        channels: of the maps, the largest first. Map k goes through k up-convolutions.

    Attributes:
        channels: of a column.
    """

    def __init__(self, channels: tuple[int, ...]):
        super().__init__()
        self.channels = sum(channels)
        self.upward = nn.ModuleList(
            nn.Sequential(*(_doubling(count) for _ in range(k))) for k, count in enumerate(channels)
        )

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Maps (B, C_k, H / 2^k, W / 2^k) to columns (B, C_0 + C_1 + ..., H, W)."""
        return torch.cat([up(x) for up, x in zip(self.upward, maps, strict=True)], 1)


def _doubling(channels: int) -> nn.ConvTranspose2d:
    """An up-convolution that begins by repeating each number in 2 x 2 pixels.

    Random kernels would begin with a chequerboard, which training then has to remove.
    """
    layer = nn.ConvTranspose2d(channels, channels, 2, stride=2)
    with torch.no_grad():
        layer.weight.mul_(0.3).add_(torch.eye(channels)[..., None, None])
        layer.bias.zero_()
    return layer
