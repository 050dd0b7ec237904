"""Surfaces in files: the mesh of the morphable model, and depth maps, as GLB, OBJ and PLY.

In memory a surface is in millimetres, x to the picture's right, y up, z towards the viewer. OBJ and
PLY have no unit and are written as they are; glTF's unit is the metre, so a GLB holds thousandths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh
from torch import Tensor
from torch.nn.functional import grid_sample

from visage.faces.shape import vertex_normals
from visage.files import written_whole
from visage.geometry.errors import ExportError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.representation import FaceNumbers

FORMATS = (".glb", ".obj", ".ply")

_METRES = {".glb": 1e-3, ".obj": 1.0, ".ply": 1.0}
_STEEPEST = 6.0  # mm of depth for one across: beyond, two surfaces lie one behind the other


@dataclass(frozen=True, eq=False)
class FaceSurface:
    """Triangles in space, with colours.

    Raises:
        ExportError: a shape does not fit, or there is nothing in it.
    """

    vertices: Tensor  # (V, 3) mm, view frame
    triangles: Tensor  # (F, 3) int64, counter-clockwise from outside
    colours: Tensor | None = None  # (V, 3), sRGB, in [0, 1]

    def __post_init__(self):
        count = len(self.vertices)
        for name, width in (("vertices", 3), ("triangles", 3), ("colours", 3)):
            value = getattr(self, name)
            if value is not None and (value.ndim != 2 or value.shape[1] != width):
                raise ExportError(f"{name} are {tuple(value.shape)}; expected (N, {width})")
        if not count or not len(self.triangles):
            raise ExportError("the surface has no triangles; there is nothing to write")
        if int(self.triangles.max()) >= count or int(self.triangles.min()) < 0:
            raise ExportError(f"triangles name vertices that are not among the {count}")
        if self.colours is not None and len(self.colours) != count:
            raise ExportError(f"{len(self.colours)} colours for {count} vertices; give as many")
        if not self.vertices.isfinite().all():
            raise ExportError("vertices hold NaN or infinity; leave them out of the mask")


def surface_of_numbers(
    mesh: FaceMesh, numbers: FaceNumbers, image: Tensor | None = None
) -> FaceSurface:
    """The mesh of one face, as its camera sees it.

    Args:
        mesh: of the face.
        numbers: of one face.
        image: (1, C, H, W), the window that the face was found in, to colour it with; what is
            hidden gets the colour of what hides it.

    Raises:
        ExportError: there is not exactly one face.
    """
    if len(numbers) != 1:
        raise ExportError(f"there are {len(numbers)} faces; write one at a time")
    size = 2 if image is None else image.shape[-1]
    camera, vertices = numbers.camera(size), numbers.vertices(mesh)
    colours = None
    if image is not None:
        points = camera.project(vertices)[..., :2]
        grid = ((2 * points + 1) / size - 1)[:, None]
        found = grid_sample(image, grid, align_corners=False, padding_mode="border")[0, :, 0].T
        colours = found.expand(-1, 3)
    return FaceSurface(camera.view(vertices)[0].detach(), mesh.triangles, colours)


def surface_of_depth(
    depth: Tensor, mask: Tensor, scale: Tensor | float, image: Tensor | None = None
) -> FaceSurface:
    """One depth map as two triangles for each square of four neighbouring pixels.

    Where the surface jumps, from the nose to the cheek behind it, there are none.

    Args:
        depth: (1, 1, H, W) mm, larger is farther; anything where the mask is 0.
        mask: (1, 1, H, W), above 0 where there is a surface.
        scale: pixels a millimetre.
        image: (1, C, H, W) in [0, 1], to colour it with; C is 1 or 3.

    Raises:
        ExportError: a shape does not fit, the scale is not positive, or no triangle is left.

    >>> surface_of_depth(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2), 0.5).vertices
    tensor([[-1.,  1., -0.],
            [ 1.,  1., -0.],
            [-1., -1., -0.],
            [ 1., -1., -0.]])
    """
    if depth.ndim != 4 or tuple(depth.shape[:2]) != (1, 1) or depth.shape != mask.shape:
        raise ExportError(
            f"depth and mask are {tuple(depth.shape)} and {tuple(mask.shape)}; expected (1, 1, H, "
            "W) both"
        )
    scale = float(scale)
    if not scale > 0:
        raise ExportError(f"the scale is {scale:g}; give pixels a millimetre, above 0")
    inside = (mask > 0)[0, 0] & depth[0, 0].isfinite()
    triangles = _grid_triangles(depth[0, 0], inside, _STEEPEST / scale)
    used, corners = triangles.unique(return_inverse=True)
    height, width = inside.shape
    row, column = used // width, used % width
    x, y = (column - (width - 1) / 2) / scale, ((height - 1) / 2 - row) / scale
    vertices = torch.stack([x, y, -depth.detach().flatten()[used]], 1)
    colours = None
    if image is not None:
        colours = image[0].flatten(1)[:, used].T.expand(-1, 3)
    return FaceSurface(vertices, corners, colours)


def _grid_triangles(depth: Tensor, inside: Tensor, farthest: float) -> Tensor:
    """(F, 3) flat indices of pixels; all three inside, and within `farthest` mm of each other."""
    index = torch.arange(depth.numel(), device=depth.device).view(depth.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    halves = [torch.stack(half, -1).flatten(0, 1) for half in ((a, c, b), (b, c, d))]
    triangles = torch.cat(halves)
    at = depth.detach().masked_fill(~inside, torch.nan).flatten()[triangles]
    # NaN compares as False: a triangle with a corner outside is not near.
    return triangles[at.amax(1) - at.amin(1) < farthest]


def write_surface(surface: FaceSurface, path: str | Path) -> Path:
    """Write a file whose kind its name says; it appears whole or not at all.

    Normals are written too, so that a viewer shades smoothly.

    Args:
        surface: what to write.
        path: ends in .glb, .obj or .ply.

    Raises:
        ExportError: the name ends otherwise.
    """
    path = Path(path)
    kind = _kind(path)
    mesh = trimesh.Trimesh(
        _array(surface.vertices) * _METRES[kind],
        surface.triangles.cpu().numpy(),
        vertex_normals=_array(vertex_normals(surface.vertices[None], surface.triangles)[0]),
        vertex_colors=_bytes(surface.colours),
        process=False,
    )
    content = _WRITERS[kind](mesh)
    with written_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_surface(path: str | Path) -> FaceSurface:
    """Read a surface back that `write_surface` wrote.

    Raises:
        ExportError: the name ends otherwise, or the file holds no mesh.
    """
    path = Path(path)
    kind = _kind(path)
    mesh = trimesh.load(path, force="mesh", process=False, maintain_order=True)
    if not len(getattr(mesh, "faces", ())):
        raise ExportError(f"{path} holds no triangles")
    colours = None
    if mesh.visual.kind == "vertex":
        colours = torch.from_numpy(np.array(mesh.visual.vertex_colors[:, :3])).float() / 255
    vertices = torch.from_numpy(np.array(mesh.vertices) / _METRES[kind]).float()
    return FaceSurface(vertices, torch.from_numpy(np.array(mesh.faces)).long(), colours)


_WRITERS: dict[str, Callable[[trimesh.Trimesh], str | bytes]] = {
    ".glb": lambda mesh: trimesh.exchange.gltf.export_glb(mesh.scene(), include_normals=True),
    ".obj": lambda mesh: trimesh.exchange.obj.export_obj(mesh, include_normals=True, digits=5),
    ".ply": lambda mesh: trimesh.exchange.ply.export_ply(mesh, vertex_normal=True),
}


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ExportError(f"{path.name} does not end in {', '.join(FORMATS)}; choose one of these")
    return kind


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()


def _bytes(colours: Tensor | None) -> np.ndarray | None:
    if colours is None:
        return None
    return (255 * colours.detach().clamp(0, 1)).round().to(torch.uint8).cpu().numpy()
