"""What CoarseNet sees of its own last answer (Richardson et al. 2017, section 3.2.1).

PNCC, the projected normalised coordinate code of Zhu et al. (2016), paints each vertex with its
place on the mean face: it says which point of a face each pixel shows. The normal map says how the
surface lies there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.directions import unit
from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.faces.shape import vertex_normals
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.representation import SIZE, FaceNumbers


@dataclass(frozen=True, eq=False)
class Feedback:
    """Pictures of B faces as the numbers have them; zero where the face is not."""

    pncc: Tensor  # (B, 3, H, W), place on the mean face, in [0, 1]
    normals: Tensor  # (B, 3, H, W), unit vectors, view frame: z towards the viewer
    mask: Tensor  # (B, 1, H, W), 1 where the face is seen
    depth: Tensor  # (B, 1, H, W), mm, larger is farther; infinite where the mask is 0

    def __len__(self) -> int:
        """Faces in the batch."""
        return len(self.pncc)

    @property
    def channels(self) -> Tensor:
        """(B, 6, H, W), PNCC and normals."""
        return torch.cat([self.pncc, self.normals], 1)


@torch.no_grad()
def feedback(mesh: FaceMesh, numbers: FaceNumbers, size: int = SIZE) -> Feedback:
    """Draw what the numbers say.

    No derivatives: the paper feeds the pictures back as they are. `rendering_layer` has them.

    Args:
        mesh: of the face.
        numbers: of B faces.
        size: pixels of the square pictures.

    Returns:
        Feedback. A face outside of the picture has an empty mask.

    >>> seen = feedback(FaceMesh.load(), FaceNumbers.zeros(1), 50)
    >>> seen.pncc.shape
    torch.Size([1, 3, 50, 50])
    """
    vertices, camera = numbers.vertices(mesh), numbers.camera(size)
    points = camera.project(vertices)
    turned = camera.turn(vertex_normals(vertices, mesh.triangles))
    ids = visible_triangles(points, mesh.triangles, size, size)
    weights = barycentric(points, mesh.triangles, ids)
    painted = mesh.coordinates.expand(len(numbers), -1, -1)
    values = torch.cat([painted, turned, points[..., 2:]], 2)
    pncc, normals, depth = interpolate(values, mesh.triangles, ids, weights).split([3, 3, 1], 1)
    mask = (ids >= 0)[:, None]
    return Feedback(pncc, unit(normals), mask.to(pncc), depth.masked_fill(~mask, torch.inf))
