"""Pictures of surfaces for figures: as normals, as clay in a lamp's light, from another side."""

from __future__ import annotations

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.faces.directions import dot, unit
from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.faces.reflectance import encode_srgb
from visage.faces.shape import vertex_normals
from visage.geometry.export import surface_of_depth
from visage.geometry.representation import WIDTH

_LAMP = (-0.45, 0.55, 0.70)  # where it stands: over the viewer's left shoulder
_AMBIENT, _CLAY = 0.12, 0.75


def normal_picture(normals: Tensor, mask: Tensor) -> Tensor:
    """Normals as colours: right is red, up is green, towards the viewer is blue; on white.

    Args:
        normals: (B, 3, H, W), unit vectors, view frame.
        mask: (B, 1, H, W), above 0 where there is a surface.

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    return torch.where(mask > 0, (normals + 1) / 2, 1.0)


def clay_picture(normals: Tensor, mask: Tensor) -> Tensor:
    """A matt grey surface in the light of one lamp, (B, 3, H, W), sRGB; on white.

    Args:
        normals: (B, 3, H, W), unit vectors, view frame.
        mask: (B, 1, H, W), above 0 where there is a surface.
    """
    lamp = unit(normals.new_tensor(_LAMP), dim=0).view(1, 3, 1, 1)
    light = _AMBIENT + (1 - _AMBIENT) * dot(normals, lamp).clamp(min=0)
    return torch.where(mask > 0, encode_srgb(_CLAY * light), 1.0).expand(-1, 3, -1, -1)


@torch.no_grad()
def side_picture(depth: Tensor, mask: Tensor, scale: float, yaw: float, size: int = 200) -> Tensor:
    """Depth maps as clay, seen from another side.

    Args:
        depth: (1, 1, H, W) mm.
        mask: (1, 1, H, W), above 0 where there is a surface.
        scale: pixels a millimetre.
        yaw: radians by which the surface is turned to the picture's right.
        size: pixels of the square picture.

    Returns:
        (1, 3, size, size), sRGB; on white.
    """
    surface = surface_of_depth(depth, mask, scale)
    low, high = surface.vertices.amin(0), surface.vertices.amax(0)
    vertices = (surface.vertices - (low + high) / 2)[None]
    camera = WeakPerspective(
        torch.tensor([[0.0, yaw, 0.0]]), torch.zeros(1, 2), size, size,
        scale=torch.tensor([size / WIDTH * 1.15]),
    )  # fmt: skip
    points = camera.project(vertices)
    normals = camera.turn(vertex_normals(vertices, surface.triangles))
    ids = visible_triangles(points, surface.triangles, size, size)
    weights = barycentric(points, surface.triangles, ids)
    seen = unit(interpolate(normals, surface.triangles, ids, weights))
    # A depth map has no back: what is seen from behind is shown as if from the front.
    seen = torch.where(seen[:, 2:] < 0, -seen, seen)
    return clay_picture(seen, (ids >= 0)[:, None])


def grey_picture(faces: Tensor, mask: Tensor | None = None) -> Tensor:
    """Grey windows (B, 1, H, W) as (B, 3, H, W), black outside of a mask."""
    shown = faces if mask is None else faces * (mask > 0)
    return shown.expand(-1, 3, -1, -1)
