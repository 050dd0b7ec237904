"""Soft shadows of the key light, per pixel: a shadow map, filtered by the size of the light.

The head is drawn once as the light sees it (a parallel projection). A pixel's surface point is then
compared with the depths around its place in that map. First a search over the area where anything
could hide the light finds how far away the blockers are; then the half-shadow is as wide as the
light looks from there, and the comparison is averaged over it (Fernando 2005, "Percentage-closer
soft shadows"). So a shadow is sharp where the nose meets the lip, and soft on the cheek.

Each comparison is with the plane that touches the surface, not with its depth at the pixel, so that
a tilted cheek does not shadow itself; and it comes in gradually, over `RAMP` mm, so that the result
has no steps in its input. It is not differentiable: shadows are constants to a fit.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces import compiled
from visage.faces.compiled import BIAS, MIN_COSINE, MIN_HALF_SHADOW, RAMP, REACH, SLACK
from visage.faces.directions import axes, golden_spiral
from visage.faces.raster import RasterError, z_buffer

_MIN_TAPS, _MAX_TAPS = 10, 32
_EMPTY = 1e6  # mm; a number, because infinity times zero is not one


@dataclass(frozen=True, eq=False)
class ShadowMap:
    """What the key light sees."""

    depth: Tensor  # (B, S, S) float32, mm along the light's rays; `_EMPTY` where there is nothing
    frame: Tensor  # (B, 3, 4), from the view frame to texels x, y and depth
    scale: Tensor  # (B,), texels per mm

    def __len__(self) -> int:
        """Lights in the batch."""
        return len(self.depth)


def shadow_map(
    vertices: Tensor,
    triangles: Tensor,
    direction: Tensor,
    size: int = 96,
    *,
    around: Tensor | None = None,
) -> ShadowMap:
    """Draw the head as the key light sees it.

    Args:
        vertices: (B, V, 3), mm, view frame (`Camera.view`).
        triangles: (F, 3) integers.
        direction: (B, 3), unit vectors from the head to the light.
        size: of the map, texels; 96 has 3 mm to a texel on a head and neck, and does for pictures
            of 256 pixels. Edges are never sharper than a texel.
        around: (B, N, 3), points that the map must hold, all finite; None is all vertices. What
            lies outside of the map is in full light, and hides nothing.

    Returns:
        ShadowMap, without derivatives.

    Raises:
        RasterError: a shape, a type or an index does not fit.
    """
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise RasterError(f"vertices are {tuple(vertices.shape)}; expected (B, V, 3)")
    if direction.shape != (len(vertices), 3):
        raise RasterError(
            f"directions are {tuple(direction.shape)}; expected ({len(vertices)}, 3), one a head"
        )
    if size < 8:
        raise RasterError(f"the shadow map is {size}×{size}; give at least 8×8")
    vertices, direction = vertices.detach(), direction.detach().to(vertices.dtype)
    turn = axes(direction)
    seen = turn @ vertices.mT  # (B, 3, V)
    held = seen if around is None else turn @ around.detach().mT
    if held.shape[2]:
        low, high = held.aminmax(dim=2)
    else:
        low = high = vertices.new_zeros(len(vertices), 3)
    # A margin of one texel, so that each pixel's four neighbours exist.
    scale = (size - 3) / (high - low)[:, :2].amax(1).clamp(min=1e-3)
    sizes = torch.stack([scale, scale, -torch.ones_like(scale)], 1)[:, :, None]
    offset = torch.cat([1 - low[:, :2] * scale[:, None], torch.zeros_like(low[:, 2:])], 1)
    frame = torch.cat([sizes * turn, offset[:, :, None]], 2)
    depth = z_buffer((sizes * seen + offset[:, :, None]).mT, triangles, size, size)[1]
    return ShadowMap(depth.clamp(max=_EMPTY), frame, scale)


@torch.no_grad()
def key_visibility(
    positions: Tensor, normals: Tensor, radius: Tensor, shadows: ShadowMap
) -> Tensor:
    """Share of the key light that reaches each pixel's surface.

    Args:
        positions: (B, 3, H, W), mm, view frame.
        normals: (B, 3, H, W), unit vectors, view frame; zero at the background.
        radius: (B,), angular radius of the light, radians, below a right angle.
        shadows: from `shadow_map`.

    Returns:
        (B, 1, H, W), in [0, 1]; zero where the surface faces away from all of the light, and where
        the normal is zero. No derivatives. Compiled and plain torch agree to 1e-4.

    Raises:
        RasterError: a shape does not fit.
    """
    batch = len(shadows)
    if positions.ndim != 4 or positions.shape[:2] != (batch, 3):
        raise RasterError(f"positions are {tuple(positions.shape)}; expected ({batch}, 3, H, W)")
    if normals.shape != positions.shape:
        raise RasterError(f"normals are {tuple(normals.shape)}, positions {tuple(positions.shape)}")
    if radius.shape != (batch,):
        raise RasterError(f"radii are {tuple(radius.shape)}; expected ({batch},), one a light")
    spread = radius.float().clamp(0, 1.4).tan() * shadows.scale.float()
    soften = _soften_compiled if positions.device.type == "cpu" else _soften_torch
    visible = soften(positions.float(), normals.float(), shadows, radius.float().sin(), spread)
    return visible[:, None].to(positions.dtype)


def _disc(sine: Tensor) -> tuple[Tensor, Tensor]:
    """Where to compare: how many points (B,), and points (B, K, 3) of the unit disc, with radii.

    The wider the light, the more points, or their pattern shows.
    """
    taps = (_MIN_TAPS + (_MAX_TAPS - _MIN_TAPS) * (sine / 0.7).clamp(0, 1)).long()
    index = torch.arange(_MAX_TAPS, device=sine.device)
    radii = ((index + 0.5) / taps[:, None]).sqrt()[..., None]
    spiral = golden_spiral(_MAX_TAPS).to(radii)
    return taps, torch.cat([radii * spiral, radii], 2)


def _soften_compiled(
    positions: Tensor, normals: Tensor, shadows: ShadowMap, sine: Tensor, spread: Tensor
) -> Tensor:
    visible = torch.zeros(len(positions), *positions.shape[2:])
    light = shadows.frame.float(), sine, spread, shadows.depth, *_disc(sine)
    arrays = (positions, normals, *light, visible)
    compiled.soften(*(array.contiguous().numpy() for array in arrays))
    return visible


def _soften_torch(
    positions: Tensor, normals: Tensor, shadows: ShadowMap, sine: Tensor, spread: Tensor
) -> Tensor:
    size = shadows.depth.shape[1]
    turn, shift = shadows.frame.float().split([3, 1], 2)
    # The frame's first rows are the light's right and up, both times the scale.
    right, up, away = (turn @ normals.flatten(2)).unbind(1)  # (B, H·W)
    x, y, z = (turn @ positions.flatten(2) + shift).unbind(1)
    facing = (-away > -sine[:, None]) & (normals != 0).any(1).flatten(1)
    inside = (x >= 0) & (x <= size - 1) & (y >= 0) & (y <= size - 1) & z.isfinite()
    image, pixel = (facing & inside).nonzero(as_tuple=True)  # (N,)

    scale = turn[:, 0].norm(dim=1, keepdim=True)
    steep = (-away).clamp(min=MIN_COSINE) * scale
    tilt = (torch.stack([right, up], 2) / (steep * scale)[..., None])[image, pixel][:, None]
    slack = (SLACK * scale / steep.square())[image, pixel][:, None]
    middle = torch.stack([x, y], 2)[image, pixel][:, None]  # (N, 1, 2)
    z, spread = z[image, pixel][:, None], spread[image][:, None]
    taps, disc = (each[image] for each in _disc(sine))  # (N,), (N, K, 3)
    used = torch.arange(_MAX_TAPS, device=middle.device) < taps[:, None]
    depth, image = shadows.depth, image[:, None]

    def hides(texel: Tensor, margin: Tensor) -> Tensor:  # (N, K)
        plane = z + (tilt * (texel - middle)).sum(2) - margin
        gap = plane - depth[image, texel[..., 1], texel[..., 0]]
        return ((gap - BIAS) / RAMP).clamp(0, 1)

    some, reach = disc[:, ::2], (REACH * spread).clamp(min=2 * MIN_HALF_SHADOW)
    around = (middle + reach[..., None] * some[..., :2]).clamp(0, size - 1)
    texel = (around + 0.5).long()
    weight = hides(texel, slack * reach * some[..., 2]) * used[:, ::2]
    total = weight.sum(1, keepdim=True)
    distance = (weight * (z - depth[image, texel[..., 1], texel[..., 0]])).sum(1, keepdim=True)
    half = (spread * distance / total.clamp(min=1e-30)).clamp(min=MIN_HALF_SHADOW)  # (N, 1)

    around = (middle + half[..., None] * disc[..., :2]).clamp(0, size - 1)
    margin = slack * half * disc[..., 2]
    texel = around.long().clamp(max=size - 2)
    fx, fy = (around - texel).unbind(2)
    next_x, next_y = torch.eye(2, dtype=torch.long, device=texel.device)
    upper = torch.lerp(hides(texel, margin), hides(texel + next_x, margin), fx)
    lower = torch.lerp(hides(texel + next_y, margin), hides(texel + next_x + next_y, margin), fx)
    hidden = (torch.lerp(upper, lower, fy) * used).sum(1) / taps
    total = total[:, 0]
    hidden = hidden.masked_fill(total == 0, 0).masked_fill(total == used[:, ::2].sum(1), 1)
    visible = facing.float()
    visible[image[:, 0], pixel] -= hidden
    return visible.unflatten(1, positions.shape[2:])
