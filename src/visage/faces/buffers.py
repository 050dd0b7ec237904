"""What each pixel sees of the bare head: place, normal, texture coordinates."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces import compiled_surface
from visage.faces.camera import Camera
from visage.faces.derivatives import is_constant
from visage.faces.directions import unit
from visage.faces.raster import barycentric, interpolate
from visage.faces.shape import MorphableModel
from visage.faces.visibility import z_buffer


@dataclass(frozen=True, eq=False)
class Buffers:
    """Pictures of the head's geometry."""

    ids: Tensor  # (B, H, W) int32, triangle of `model.triangles`, or -1
    mask: Tensor  # (B, 1, H, W), 1 where there is one
    depth: Tensor  # (B, 1, H, W), mm, larger is farther; infinite where there is none
    positions: Tensor  # (B, 3, H, W), mm, view frame
    normals: Tensor  # (B, 3, H, W), unit vectors, view frame
    occlusion: Tensor  # (B, 1, H, W), share of the surroundings that is seen
    pncc: Tensor  # (B, 3, H, W), place on the mean head, in [0, 1]
    uv: Tensor  # (B, 2, H, W)


def drawn_triangles(model: MorphableModel) -> Tensor:
    """The head's triangles but for the lashes: those are strands, and the model's only guides."""
    return model.triangles[: model.part_triangles["lashes"].start]


def draw_buffers(
    model: MorphableModel, camera: Camera, vertices: Tensor, normals: Tensor
) -> Buffers:
    """Draw heads' geometry.

    Args:
        model: whose triangles they are.
        camera: B cameras.
        vertices: (B, V, 3), mm, head frame.
        normals: (B, V, 3), unit vectors, head frame.

    Returns:
        Buffers; zero (and infinite depth) where there is no head. Differentiable, but for ids and
        mask.
    """
    triangles = drawn_triangles(model)
    points, view = camera.project(vertices), camera.view(vertices)
    size = camera.height, camera.width
    ids, _ = z_buffer(points, triangles, *size, perspective=camera.perspective)
    turned = camera.turn(normals)
    draw = _draw_compiled if is_constant(points, view, turned) else _draw_torch
    return draw(model, points, view, turned, ids, perspective=camera.perspective)


def _draw_compiled(
    model: MorphableModel,
    points: Tensor,
    view: Tensor,
    turned: Tensor,
    ids: Tensor,
    *,
    perspective: bool,
) -> Buffers:
    batch, height, width = ids.shape
    pictures = [torch.zeros(batch, channels, height, width) for channels in (3, 3, 1, 3, 2)]
    depth = torch.full((batch, 1, height, width), torch.inf)
    given = points, view, turned, _still(model), model.uv, model.triangles, model.uv_triangles, ids
    compiled_surface.see(
        *(array.detach().contiguous().numpy() for array in given),
        perspective,
        tuple(picture.numpy() for picture in (*pictures, depth)),
    )
    positions, normals, occlusion, pncc, uv = pictures
    mask = (ids >= 0)[:, None].to(view.dtype)
    return Buffers(ids, mask, depth, positions, normals, occlusion, pncc, uv)


def _draw_torch(
    model: MorphableModel,
    points: Tensor,
    view: Tensor,
    turned: Tensor,
    ids: Tensor,
    *,
    perspective: bool,
) -> Buffers:
    triangles = drawn_triangles(model)
    weights = barycentric(points, triangles, ids, perspective=perspective)
    moving = torch.cat([view, turned], 2)
    positions, normals = interpolate(moving, triangles, ids, weights).split(3, 1)
    occlusion, pncc = interpolate(_still(model), triangles, ids, weights).split([1, 3], 1)
    mask = (ids >= 0)[:, None]
    # The third coordinate of the view frame, towards the viewer, is minus the depth.
    depth = (-positions[:, 2:]).masked_fill(~mask, torch.inf)
    uv = interpolate(model.uv, model.uv_triangles[: len(triangles)], ids, weights)
    mask = mask.to(view.dtype)
    return Buffers(ids, mask, depth, positions, unit(normals), occlusion, pncc, uv)


def _still(model: MorphableModel) -> Tensor:
    """What no expression moves (V, 4): ambient occlusion, and the place on the mean head."""
    return torch.cat([model.occlusion[:, None], mean_coordinates(model)], 1)


def mean_coordinates(model: MorphableModel) -> Tensor:
    """The projected normalised coordinate code of each vertex (Zhu et al. 2016, eq. 4 and 5).

    Returns:
        (V, 3), its place on the mean head, where the head's extent (without chest) is [0, 1].
    """
    skin = model.mean[model.parts["skin"]]
    low, high = skin.amin(0), skin.amax(0)
    return ((model.mean - low) / (high - low)).clamp(0, 1)
