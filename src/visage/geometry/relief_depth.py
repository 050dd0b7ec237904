"""The true depth of a face with its pores and wrinkles.

The world's people carry their finest detail as a relief: a height h in mm along the normal, painted
in a texture, which the renderer shades (`visage.faces.relief`). Here the same height moves the
surface. A plane with normal n that moves by h along it comes nearer by h / ⟨n, v⟩ along the ray of
a viewer in the direction v, and so does, to the first order in h, any surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from visage.faces.buffers import draw_buffers, drawn_triangles
from visage.faces.camera import Camera
from visage.faces.directions import dot
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.faces.visibility import z_buffer
from visage.geometry.face_mesh import INSIDE

_GRAZING = 0.25
"""Cosine of the steepest view, about 75 degrees, up to which relief is drawn whole. Beyond, the
first order says nothing: there the surface hides itself."""


@dataclass(frozen=True, eq=False)
class DetailedDepth:
    """What is known about the surfaces of B faces."""

    smooth: Tensor  # (B, 1, H, W) mm, of the mesh alone; infinite where there is no head
    relief: Tensor  # (B, 1, H, W) mm that wrinkles bring the surface nearer; negative in a groove
    face: Tensor  # (B, 1, H, W), 1 where the face of `visage.geometry.face_mesh` is seen

    @property
    def depth(self) -> Tensor:
        """(B, 1, H, W) mm, larger is farther: with the wrinkles."""
        return self.smooth - self.relief


@torch.no_grad()
def detailed_depth(
    model: MorphableModel,
    camera: Camera,
    vertices: Tensor,
    maps: SurfaceMaps,
    *,
    samples: int = 2,
) -> DetailedDepth:
    """Measure heads, wrinkles and all.

    Args:
        model: whose heads they are, best at subdivision 1.
        camera: B cameras.
        vertices: (B, V, 3) mm, head frame.
        maps: B textures; 512 texels a side and more have wrinkles.
        samples: the relief of a pixel is the mean of so many by so many places in it. Thin lines
            would else be hit or missed.

    Returns:
        DetailedDepth at the camera's pixels.
    """
    triangles = drawn_triangles(model)
    points = camera.project(vertices)
    size = camera.height, camera.width
    ids, depth = z_buffer(points, triangles, *size, perspective=camera.perspective)
    fine = camera.magnified(samples)
    seen = draw_buffers(model, fine, vertices, model.normals(vertices))
    towards = fine.towards_viewer(seen.positions).expand_as(seen.positions)
    height = maps.seen(seen.uv, seen.ids)[3] * seen.mask
    facing = dot(seen.normals, towards)
    nearer = height / facing.clamp(min=_GRAZING) * towards[:, 2:]
    # Towards the outline, where it would be cut off at once, the relief fades.
    nearer = nearer * (facing / _GRAZING).clamp(0, 1)
    depth = depth[:, None].to(vertices)
    face = face_triangles(model)[ids.long().clamp(min=0)] & (ids >= 0)
    return DetailedDepth(depth, avg_pool2d(nearer, samples), face[:, None].to(vertices))


def face_triangles(model: MorphableModel) -> Tensor:
    """(F,) bool, which triangles belong to the face, as `visage.geometry.face_mesh` cuts it out."""
    face = model.regions["face"] > 0.5
    chosen = torch.zeros(len(model.triangles), dtype=torch.bool, device=model.triangles.device)
    for name in ("skin", *INSIDE):
        part = model.part_triangles[name]
        chosen[part] = face[model.triangles[part]].all(1) if name == "skin" else True
    return chosen
