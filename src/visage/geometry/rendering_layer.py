"""The rendering layer: from numbers to a depth map, with derivatives (Richardson et al. 2017, 4.1).

Forwards, a triangle mesh is placed over the picture (eq. 5), a z-buffer finds the nearest triangle
at each pixel, and the pixel's depth is the mean of the corners' depths with its barycentric
coordinates (eq. 6). Backwards there are two ways:

- **Fixed barycentrics**, the paper's: dE/dz_i = λ_i dE/dz̃ (eq. 7). A pixel is glued to its point of
  the surface; only motion along the viewing direction counts.
- **Through the barycentrics**: λ also depends on where the corners lie in the picture. On the plane
  z = a x + b y + c of a triangle, dz̃/dx_i = -a λ_i and dz̃/dy_i = -b λ_i: moving a corner sideways
  does what lifting it by minus the slope does. These are the derivatives of what is drawn.

Neither sees one surface uncovering another, so outlines contribute nothing, nor do hidden vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.camera import Camera
from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.geometry.errors import RenderingError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.representation import SIZE, FaceNumbers


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Depth of B surfaces, and what each pixel sees."""

    depth: Tensor  # (B, 1, H, W), mm, larger is farther; infinite where the mask is 0
    mask: Tensor  # (B, 1, H, W), 1 where there is a surface
    ids: Tensor  # (B, H, W) int32, triangle of the mesh, or -1
    weights: Tensor  # (B, H, W, 3), barycentric coordinates, constants to derivatives

    def __len__(self) -> int:
        """Surfaces in the batch."""
        return len(self.depth)


def render_depth(
    mesh: FaceMesh, numbers: FaceNumbers, size: int = SIZE, *, through_barycentrics: bool = False
) -> DepthMap:
    """Draw the depth of faces as their numbers have them (Richardson et al. 2017, eqs. 5 to 7).

    Args:
        mesh: of the face, where the numbers are and of their type.
        numbers: of B faces; float32 or float64.
        size: pixels of the square pictures.
        through_barycentrics: whether derivatives also flow through the places of the corners in the
            picture. If not, as in the paper, shift and growth get none.

    Returns:
        DepthMap, differentiable in the numbers. A face outside of the picture has an empty mask.

    Raises:
        visage.faces.camera.CameraError: the numbers are not finite.

    >>> numbers = FaceNumbers.zeros(1)
    >>> numbers.identity.requires_grad_()[0, 0]
    tensor(0., grad_fn=<SelectBackward0>)
    >>> drawn = render_depth(FaceMesh.load(), numbers, 50)
    >>> drawn.depth[drawn.mask > 0].mean().backward()
    >>> bool(numbers.identity.grad.abs().sum() > 0)
    True
    """
    return depth_of_mesh(
        numbers.vertices(mesh),
        numbers.camera(size),
        mesh.triangles,
        through_barycentrics=through_barycentrics,
    )


def depth_of_mesh(
    vertices: Tensor, camera: Camera, triangles: Tensor, *, through_barycentrics: bool = False
) -> DepthMap:
    """Draw the depth of any meshes before any camera.

    Args:
        vertices: (B, V, 3) mm, head frame; float32 or float64.
        camera: B cameras. Where they are perspective, the weights on the surface depend on depth
            too; as fixed barycentrics they are constants like the others.
        triangles: (F, 3) integers.
        through_barycentrics: as in `render_depth`.

    Returns:
        DepthMap, differentiable in the vertices and the cameras' parameters.

    Raises:
        RenderingError: the vertices hold NaN or infinity.
        visage.faces.camera.CameraError: as many vertices as cameras are missing.
        visage.faces.visibility.RasterError: the triangles do not fit.
    """
    if not vertices.isfinite().all():
        raise RenderingError("vertices hold NaN or infinity; check the numbers they come from")
    points = camera.project(vertices)
    perspective = camera.perspective
    ids = visible_triangles(points, triangles, camera.height, camera.width, perspective=perspective)
    placed = points if through_barycentrics else points.detach()
    weights = barycentric(placed, triangles, ids, perspective=perspective)
    depth = interpolate(points[..., 2:], triangles, ids, weights)
    mask = (ids >= 0)[:, None]
    return DepthMap(
        depth.masked_fill(~mask, torch.inf), mask.to(depth.dtype), ids, weights.detach()
    )


def skin_mask(mesh: FaceMesh, ids: Tensor) -> Tensor:
    """Pixels that see skin: not the eyes, nor the inside of the mouth.

    Args:
        mesh: that was drawn.
        ids: (B, H, W), triangle of each pixel, negative at the background.

    Returns:
        (B, 1, H, W), 1 or 0, of the type of the mesh.
    """
    seen = mesh.skin[ids.long().clamp(min=0)] & (ids >= 0)
    return seen[:, None].to(mesh.mean.dtype)
