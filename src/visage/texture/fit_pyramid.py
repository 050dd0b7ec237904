"""The pictures that a fit is compared with, from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from visage.faces.fitting.pixels import Pictures

_CLEAR = 0.9  # share of a coarse pixel that a mask must leave, for it to count
_SATURATED = 0.985  # a pixel as bright as that may be any brighter


@dataclass(frozen=True, eq=False)
class PyramidLevel:
    """One picture, smaller than the one given; places are pixels of the given one."""

    pictures: Pictures  # of h by w pixels
    clear: Tensor  # (h, w) bool, what the mask leaves and is not burnt out
    shrink: Tensor  # (2,), w/W and h/H

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, h and w."""
        return tuple(self.clear.shape)

    def places(self, pixels: Tensor) -> Tensor:
        """From pixels (..., 2) of the given picture to pixels of this one."""
        return (pixels + 0.5) * self.shrink - 0.5

    def at(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Colours (N, 3), and their derivatives (N, 3, 2) by the pixels (N, 2)."""
        found = self.pictures.at(self.places(pixels)[None])
        colours, right, down = (part[0].T for part in found)
        return colours, torch.stack([right, down], 2) * self.shrink


def pyramid(
    image: Tensor, mask: Tensor | None, levels: int, blur: float
) -> tuple[PyramidLevel, ...]:
    """Halve a picture again and again.

    Args:
        image: (3, H, W), sRGB.
        mask: (1, H, W), 1 where the face is seen; None is everywhere.
        levels: how many; the last is the picture itself.
        blur: standard deviation of the Gaussian at each level, in its pixels.

    Returns:
        From the coarsest to the finest.
    """
    return tuple(_level(image, mask, 2**power, blur) for power in reversed(range(levels)))


def _level(image: Tensor, mask: Tensor | None, factor: int, blur: float) -> PyramidLevel:
    size = tuple(max(1, round(side / factor)) for side in image.shape[1:])
    small = interpolate(image[None], size=size, mode="area")
    clear = small[0].amax(0) < _SATURATED
    if mask is not None:
        clear &= interpolate(mask[None].to(image), size=size, mode="area")[0, 0] > _CLEAR
    shrink = image.new_tensor([size[1] / image.shape[2], size[0] / image.shape[1]])
    return PyramidLevel(Pictures(small, image.new_tensor([blur])), clear, shrink)
