"""Normals and Laplacian of a depth map: how a surface lies, and how it bends.

A pixel (u right, v down) of depth d, seen by weak perspective with s pixels a millimetre, shows the
point (u/s, -v/s, -d) of the view frame (x right, y up, z towards the viewer). So the surface is a
graph over the picture, and its normal is (s ∂d/∂u, -s ∂d/∂v, 1), made a unit vector.

Depth outside of the mask may be anything, infinity too; it is never used. Where the surface jumps
inside of the mask, as beside a nose seen from the side, the normals lie almost in the picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.faces.directions import unit
from visage.geometry.errors import DepthError


def normals_of_depth(depth: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
    """Unit normals of the surfaces that depth maps show (Richardson et al. 2017, eq. 9).

    Args:
        depth: (B, 1, H, W) mm, larger is farther; anything where the mask is 0.
        mask: (B, 1, H, W), 1 (or True) where there is a surface.
        scale: (B,) pixels a millimetre, as `WeakPerspective.scale`.

    Returns:
        (B, 3, H, W), view frame, z positive; zero where the mask is 0. Differentiable in depth and
        scale.

    Raises:
        DepthError: a shape does not fit, the scale is not positive, or depth is not finite where
            the mask is 1.

    >>> slope = torch.arange(3.0).expand(1, 1, 3, 3)  # deeper to the right by 1 mm a pixel
    >>> normals_of_depth(slope, torch.ones(1, 1, 3, 3), torch.ones(1))[0, :, 1, 1]
    tensor([0.7071, -0.0000, 0.7071])
    """
    inside = _checked(depth, mask)
    if scale.shape != depth.shape[:1] or not (scale.detach() > 0).all():
        raise DepthError(
            f"scale is {tuple(scale.shape)}; expected ({len(depth)},), positive pixels a millimetre"
        )
    filled = depth.masked_fill(~inside, 0)
    s = scale.view(-1, 1, 1, 1)
    right, down = (difference(filled, inside, dim) for dim in (3, 2))
    toward = torch.ones_like(filled)
    return unit(torch.cat([s * right, -s * down, toward], 1)) * inside


def difference(values: Tensor, inside: Tensor, dim: int) -> Tensor:
    """Derivative a pixel along `dim`: central inside, one-sided at the edge, 0 where alone.

    Args:
        values: (B, C, H, W), finite.
        inside: (B, 1, H, W) bool.
        dim: 2 for down, 3 for right.

    Returns:
        (B, C, H, W); any numbers where `inside` is False.
    """
    size = values.shape[dim]
    if size < 2:
        return torch.zeros_like(values)
    both = inside.narrow(dim, 1, size - 1) & inside.narrow(dim, 0, size - 1)
    step = values.diff(dim=dim) * both
    none, edge = torch.zeros_like(both.narrow(dim, 0, 1)), torch.zeros_like(step.narrow(dim, 0, 1))
    total = torch.cat([step, edge], dim) + torch.cat([edge, step], dim)
    # With both neighbours (v₊ - v₋)/2; with one, its difference alone.
    count = torch.cat([both, none], dim).to(values.dtype) + torch.cat([none, both], dim)
    return total / count.clamp(min=1)


def depth_laplacian(depth: Tensor, mask: Tensor) -> Tensor:
    """The five-point Laplacian Δ of Richardson et al. (2017), eq. 13: four neighbours minus four.

    Args:
        depth: (B, 1, H, W) mm; anything where the mask is 0.
        mask: (B, 1, H, W), 1 (or True) where there is a surface.

    Returns:
        (B, 1, H, W), mm; 0 where the pixel or one of its neighbours is outside of the mask. On
        planes it is 0, on a sphere of radius r mm, seen at s pixels a mm, 2/(r s²) in the middle.

    Raises:
        DepthError: a shape does not fit, or depth is not finite where the mask is 1.

    >>> bump = torch.tensor([[0.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
    >>> depth_laplacian(bump.view(1, 1, 3, 3), torch.ones(1, 1, 3, 3)).sum()
    tensor(4.)
    """
    inside = _checked(depth, mask)
    result = torch.zeros_like(depth)
    if min(depth.shape[2:]) < 3:
        return result
    filled = depth.masked_fill(~inside, 0)
    total = _around(filled) - 4 * filled[..., 1:-1, 1:-1]
    known = surrounded(inside)[..., 1:-1, 1:-1]
    return torch.nn.functional.pad(total * known, (1, 1, 1, 1))


def surrounded(inside: Tensor) -> Tensor:
    """Pixels (B, 1, H, W) bool that are in the mask with all four neighbours."""
    result = torch.zeros_like(inside)
    if min(inside.shape[2:]) > 2:
        result[..., 1:-1, 1:-1] = inside[..., 1:-1, 1:-1] & (_around(inside.int()) == 4)
    return result


def _around(values: Tensor) -> Tensor:
    beside = values[..., 1:-1, :-2] + values[..., 1:-1, 2:]
    return beside + values[..., :-2, 1:-1] + values[..., 2:, 1:-1]


def _checked(depth: Tensor, mask: Tensor) -> Tensor:
    """The mask as bool."""
    if depth.ndim != 4 or depth.shape[1] != 1 or depth.shape != mask.shape:
        raise DepthError(
            f"depth is {tuple(depth.shape)} and mask {tuple(mask.shape)}; expected (B, 1, H, W) "
            "of both"
        )
    inside = mask > 0
    if not (depth.detach().isfinite() | ~inside).all():
        raise DepthError("depth is not finite where the mask is 1; mask those pixels out")
    return inside
