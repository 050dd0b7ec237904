"""Where the texels of a face lie in its photograph, and which of them it shows.

The window's texels are points of the mesh; the camera takes them to pixels. A texel is seen where
no other part of the head is nearer, and where the surface faces the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

from visage.faces.buffers import drawn_triangles
from visage.faces.camera import Camera
from visage.faces.directions import dot, unit
from visage.faces.raster import z_buffer
from visage.faces.shape import MorphableModel
from visage.photos.alignment import pixel_to_grid
from visage.texture.errors import TextureError
from visage.texture.window import TexelMap

_NEAR = 1.0  # mm, by which a texel may lie behind what a pixel shows and still be it
_SLOPE = 1.5  # pixels over which depth may change beside that
_STEEPEST = 4.0  # tangent of the angle to the viewer from which slopes are alike
_MOST = 4  # samples a side of a texel


class UnwrappingError(TextureError):
    """Vertices, cameras and pictures that do not fit together."""


@dataclass(frozen=True, eq=False)
class Unwrapping:
    """Texels (S, S) of B faces in their photographs."""

    points: Tensor  # (B, 2, S, S), pixels x and y
    normals: Tensor  # (B, 3, S, S), unit vectors, view frame; zero where there is no surface
    cosine: Tensor  # (B, 1, S, S), between the normal and the direction to the camera
    seen: Tensor  # (B, 1, S, S) bool: on the surface, in the picture, and before all else
    height: int  # of the photographs, pixels
    width: int

    @property
    def pixels(self) -> Tensor:
        """(B,), about how many pixels wide a texel is that faces the camera."""
        right = self.points[..., :-1, 1:] - self.points[..., :-1, :-1]
        down = self.points[..., 1:, :-1] - self.points[..., :-1, :-1]
        area = (right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0]).abs().sqrt()
        facing = (self.seen & (self.cosine > 0.7))[:, 0, :-1, :-1]
        return torch.stack(
            [
                a[f].median() if f.any() else a.new_tensor(1.0)
                for a, f in zip(area, facing, strict=True)
            ]
        )

    def look_up(self, images: Tensor, *, mode: str = "bicubic") -> Tensor:
        """What photographs show at the texels.

        Where a texel covers several pixels, it is their mean.

        Args:
            images: (B, C, H, W); light that is to be averaged should be linear.
            mode: of `torch.nn.functional.grid_sample`; "bicubic" keeps more of what is fine.

        Returns:
            (B, C, S, S); the border's values outside of the picture.

        Raises:
            UnwrappingError: the pictures are not those of the camera.
        """
        if images.shape[::2] != (len(self.points), self.height) or images.shape[3] != self.width:
            raise UnwrappingError(
                f"pictures are {tuple(images.shape)}; expected ({len(self.points)}, C, "
                f"{self.height}, {self.width}), as the cameras take them"
            )
        samples = int(self.pixels.max().round().clamp(1, _MOST))
        points = self.points
        if samples > 1:
            points = _grown(points, self.cosine != 0)
            points = interpolate(points, scale_factor=samples, mode="bilinear", align_corners=False)
        grid = pixel_to_grid(points.permute(0, 2, 3, 1), self.height, self.width)
        found = grid_sample(images, grid, mode, "border", align_corners=False)
        return avg_pool2d(found, samples) if samples > 1 else found


def unwrap(
    vertices: Tensor, camera: Camera, size: int, model: MorphableModel | None = None
) -> Unwrapping:
    """Find the texels of faces in their photographs.

    Args:
        vertices: (B, V, 3), mm, head frame, of the model at either level of subdivision.
        camera: B cameras.
        size: S, texels of the window's side.
        model: whose vertices they are; found by their number if None.

    Raises:
        UnwrappingError: they are not the model's, or there are not as many cameras.
    """
    model = model or model_of(vertices)
    if len(vertices) != len(camera):
        raise UnwrappingError(f"{len(vertices)} faces and {len(camera)} cameras; give as many")
    texels = TexelMap.load(size, model)
    normals = camera.turn(model.normals(vertices))
    view, projected = camera.view(vertices), camera.project(vertices)
    found = texels.interpolate(torch.cat([view, normals], 2))
    places, turned = found.split(3, 1)
    turned = unit(turned) * texels.covered
    flat = texels.interpolate(vertices).flatten(2).mT
    points = camera.project(flat).mT.unflatten(2, (size, size))
    cosine = dot(turned, camera.towards_viewer(places)) * texels.covered
    seen = texels.covered & (cosine > 0) & _inside(points, camera)
    seen &= _foremost(projected, drawn_triangles(model), points, cosine, camera)
    pixels = points[:, :2].nan_to_num(-1e4)
    return Unwrapping(pixels, turned, cosine, seen, camera.height, camera.width)


def model_of(vertices: Tensor) -> MorphableModel:
    """The model, at the level of subdivision that has as many vertices (B, V, 3).

    Raises:
        UnwrappingError: no level has.
    """
    for level in (0, 1):
        model = _model(level)
        if vertices.ndim == 3 and vertices.shape[1:] == model.mean.shape:
            return model
    raise UnwrappingError(
        f"vertices are {tuple(vertices.shape)}; expected (B, V, 3) with V of the face model"
    )


@lru_cache(maxsize=2)
def _model(level: int) -> MorphableModel:
    return MorphableModel.load(level)


def _grown(points: Tensor, covered: Tensor) -> Tensor:
    """Points (B, 2, S, S) that go on by a texel where no surface covers one."""
    known = covered.to(points)
    near = avg_pool2d(points.where(covered, 0), 3, 1, 1) / avg_pool2d(known, 3, 1, 1).clamp(1e-3)
    return points.where(covered, near)


def _inside(points: Tensor, camera: Camera) -> Tensor:
    x, y, _ = points.unbind(1)
    inside = (x >= 0) & (y >= 0) & (x <= camera.width - 1) & (y <= camera.height - 1)
    return inside[:, None]


def _foremost(
    projected: Tensor, triangles: Tensor, points: Tensor, cosine: Tensor, camera: Camera
) -> Tensor:
    """(B, 1, S, S), whether the four pixels round a texel show nothing nearer."""
    size = camera.height, camera.width
    depth = z_buffer(projected, triangles, *size, perspective=camera.perspective)[1]
    corner = points[:, :2].nan_to_num(0).floor().long()
    x, y = corner[:, 0].clamp(0, size[1] - 2), corner[:, 1].clamp(0, size[0] - 2)
    image = torch.arange(len(points), device=points.device)[:, None, None]
    nearest = torch.stack([depth[image, y + j, x + i] for j in (0, 1) for i in (0, 1)]).amin(0)
    tangent = ((1 - cosine.square()).clamp(min=0).sqrt() / cosine.clamp(min=1e-3))[:, 0]
    slack = _NEAR + _SLOPE * _pixel(points[:, 2], camera) * tangent.clamp(max=_STEEPEST)
    return (points[:, 2] < nearest + slack)[:, None]


def _pixel(depth: Tensor, camera: Camera) -> Tensor:
    """Side of a pixel (B, S, S), mm, at a depth."""
    if camera.perspective:
        return depth / camera.focal[:, None, None]
    return (1 / camera.scale)[:, None, None].expand_as(depth)
