"""What section 5.1 does to a face before it is recognised, as pure functions on grey pictures.

"We crop five 60x60 size patches from the center and four corners, flip them horizontally [...]. All
the images are processed with the standard histogram equalization and linear plane fitting to remove
unbalanced illumination. Finally, we normalize them to a zero mean and unit variance vector. In the
testing phase, a single center crop with the size of 60x60 is used as input data."

Every function takes and gives (B, 1, H, W), float, and works where the pictures are. The paper does
not say in which order light is evened out; here the plane goes first, because equalisation is not
linear and bends a plane.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.nfgan.errors import PreprocessingError

__all__ = [
    "PATCH",
    "centre_crop",
    "equalize_histogram",
    "five_crops",
    "preprocess",
    "standardise",
    "subtract_plane",
]

PATCH = 60
"""Pixels, both sides, of what a network for expressions sees."""

_LEVELS = 256


def equalize_histogram(images: Tensor, levels: int = _LEVELS) -> Tensor:
    """Histogram equalisation (for example Gonzalez and Woods, section 3.3), each picture by itself.

    A level goes to (c - c₀) / (n - c₀), where c of the picture's n pixels are at it or darker, and
    c₀ at its darkest level: the darkest becomes 0 and the brightest 1.

    Args:
        images: (B, 1, H, W), in [0, 1]; rounded to levels first.
        levels: how many grey levels there are.

    Returns:
        (B, 1, H, W), in [0, 1]; zero for a picture of one level. Not differentiable.

    Raises:
        PreprocessingError: the shape does not fit, or there are fewer than two levels.

    >>> equalize_histogram(torch.tensor([[[[0.1, 0.2], [0.2, 0.3]]]]))
    tensor([[[[0.0000, 0.6667],
              [0.6667, 1.0000]]]])
    """
    _check(images)
    if levels < 2:
        raise PreprocessingError(f"{levels} levels; give at least 2")
    level = (images.clamp(0, 1) * (levels - 1)).round().long().flatten(1)
    counts = torch.zeros(len(images), levels, dtype=torch.long, device=images.device)
    counts.scatter_add_(1, level, torch.ones_like(level))
    below = counts.cumsum(1)
    darkest = below.gather(1, level.amin(1, keepdim=True))
    share = (below - darkest) / (level.shape[1] - darkest).clamp(min=1)
    return share.gather(1, level).to(images.dtype).view_as(images)


def subtract_plane(images: Tensor) -> Tensor:
    """Take away the plane a + b x + c y that fits best, and keep the mean.

    By least squares. The coordinates of a grid are orthogonal once they are centred, so that
    b = Σ x v / Σ x², and c alike.

    Args:
        images: (B, 1, H, W).

    Returns:
        (B, 1, H, W): without slope, with the mean of what came. Not clipped.

    Raises:
        PreprocessingError: the shape does not fit.

    >>> ramp = torch.linspace(0, 1, 5).expand(1, 1, 3, 5)
    >>> subtract_plane(ramp)[0, 0, 0]
    tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000])
    """
    _check(images)
    height, width = images.shape[-2:]
    down = torch.arange(height, dtype=images.dtype, device=images.device)[:, None]
    across = torch.arange(width, dtype=images.dtype, device=images.device)[None]
    for axis in (down - (height - 1) / 2, across - (width - 1) / 2):
        grid = axis.expand(height, width)
        spread = grid.square().sum().clamp(min=1e-12)  # 0 for a picture of one row
        slope = (images * grid).sum((2, 3), keepdim=True) / spread
        images = images - slope * grid
    return images


def standardise(images: Tensor) -> Tensor:
    """Zero mean and unit variance, each picture by itself.

    Args:
        images: (B, 1, H, W).

    Returns:
        (B, 1, H, W). A flat picture is all zeros: it has no variance to be scaled to 1.

    Raises:
        PreprocessingError: the shape does not fit.
    """
    _check(images)
    centred = images - images.mean((2, 3), keepdim=True)
    spread = centred.square().mean((2, 3), keepdim=True).sqrt()
    return torch.where(spread > 1e-6, centred / spread.clamp(min=1e-6), 0)


def centre_crop(images: Tensor, size: int = PATCH) -> Tensor:
    """The middle (B, 1, size, size), half a pixel towards the top left where it cannot be exact.

    Raises:
        PreprocessingError: the pictures are smaller.
    """
    top, left = _margins(images, size)
    return images[..., top // 2 : top // 2 + size, left // 2 : left // 2 + size]


def five_crops(images: Tensor, size: int = PATCH) -> Tensor:
    """The centre and the four corners, and the mirror images of all five.

    Args:
        images: (B, 1, H, W).
        size: of a patch, pixels.

    Returns:
        (B, 10, 1, size, size): centre, top left, top right, bottom left, bottom right, and then
        the mirrored five in the same order.

    Raises:
        PreprocessingError: the pictures are smaller than a patch.
    """
    down, right = _margins(images, size)
    corners = [
        images[..., top : top + size, left : left + size]
        for top in (0, down)
        for left in (0, right)
    ]
    patches = torch.stack([centre_crop(images, size), *corners], 1)
    return torch.cat([patches, patches.flip(-1)], 1)


def even_out(images: Tensor) -> Tensor:
    """Light evened out (plane, then histogram), zero mean and unit variance: (B, 1, H, W)."""
    level = subtract_plane(images)
    low, high = level.amin((2, 3), keepdim=True), level.amax((2, 3), keepdim=True)
    # Without its slope a picture may leave [0, 1], where the levels of its histogram are.
    return standardise(equalize_histogram((level - low) / (high - low).clamp(min=1e-6)))


def preprocess(images: Tensor, *, training: bool, size: int = PATCH) -> Tensor:
    """What a network for expressions sees of faces.

    Args:
        images: (B, 1, 64, 64), in [0, 1], as `visage.nfgan.frame.aligned` cuts them.
        training: ten patches of each face (`five_crops`); else the centre alone.
        size: of a patch, pixels.

    Returns:
        (B, 10, 1, size, size) to train on, (B, 1, size, size) to test on.

    Raises:
        PreprocessingError: the pictures are smaller than a patch.
    """
    if not training:
        return even_out(centre_crop(images, size))
    patches = five_crops(images, size)
    return even_out(patches.flatten(0, 1)).view_as(patches)


def _margins(images: Tensor, size: int) -> tuple[int, int]:
    """Rows and columns that are left over."""
    _check(images)
    height, width = images.shape[-2:]
    if size < 1 or min(height, width) < size:
        raise PreprocessingError(
            f"a patch of {size} pixels out of pictures of {width} x {height}; "
            "give pictures that are as large at least"
        )
    return height - size, width - size


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 1 or not images.is_floating_point():
        raise PreprocessingError(
            f"images are {tuple(images.shape)}, {images.dtype}; expected grey pictures "
            "(B, 1, H, W) of floating point in [0, 1]"
        )
