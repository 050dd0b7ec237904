"""What a fit is measured by: vertices, depths, and how well anybody could do."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.faces.fitting.shape_errors import aligned, vertex_errors
from visage.faces.fitting.study import Portraits
from visage.faces.raster import z_buffer
from visage.faces.shape import MorphableModel

_FRONT = 0.3  # cosine: what of the face looks forward
SAMPLES = 3000


@dataclass(frozen=True)
class Heads:
    """Which vertices errors are measured over."""

    drawn: Tensor  # all that the picture's triangles have: skin, neck, eyes, teeth, lashes
    face: Tensor  # the front of the skin, without ears, scalp and neck

    @classmethod
    def of(cls, model: MorphableModel) -> "Heads":
        """The model's."""
        return cls(torch.unique(model.triangles), (model.regions["face"] > 0.5).nonzero()[:, 0])


def over(region: Tensor, points: Tensor, truth: Tensor, scale: bool | None = None) -> Tensor:
    """Mean distances (B,) over a region, aligned unless `scale` is None."""
    points, truth = points[:, region], truth[:, region]
    if scale is not None:
        points = aligned(points, truth, scale=scale)
    return vertex_errors(points, truth).mean(1)


def depth_errors(
    model: MorphableModel, vertices: Tensor, camera: WeakPerspective, portraits: Portraits
) -> Tensor:
    """Mean absolute error (B,) of depth, mm, over the pixels of the face in both pictures.

    Weak perspective has no distance: the mean difference of a picture's depths is taken out.
    """
    truth = model.vertices(portraits.identity, portraits.expression)
    height, width = portraits.image.shape[2:]
    head = model.triangles[: model.part_triangles["lashes"].start]
    skin = model.part_triangles["skin"]
    face = (model.regions["face"][model.triangles[skin]] > 0.5).all(1)
    face = torch.cat([face, face.new_zeros(len(head) - len(face) + 1)])  # the last is background
    ids, depth = z_buffer(camera.project(vertices), head, height, width)
    true_ids, true_depth = z_buffer(portraits.camera.project(truth), head, height, width)
    both = face[ids.long()] & face[true_ids.long()]
    difference = torch.where(both, depth - true_depth, 0)
    count = both.sum((1, 2)).clamp(min=1)
    difference = difference - (difference.sum((1, 2)) / count)[:, None, None]
    return (difference.abs() * both).sum((1, 2)) / count


def seen_vertices(model: MorphableModel, portraits: Portraits) -> Tensor:
    """(B, V) bool: on a triangle of the bare head that the picture shows."""
    vertices = portraits.camera.project(model.vertices(portraits.identity, portraits.expression))
    height, width = portraits.image.shape[2:]
    ids = z_buffer(vertices, model.triangles, height, width)[0]
    seen = torch.zeros(len(portraits), len(model.mean), dtype=torch.bool)
    for row, picture in zip(seen, ids, strict=True):
        row[model.triangles[picture[picture >= 0].long().unique()].flatten()] = True
    return seen


def front_known(model: MorphableModel, heads: Heads, seed: int) -> float:
    """Error over the head, mm, of the best linear guess from the front of the face, size unknown.

    What no picture can do better than, to first order: the front is given in three dimensions, at
    rest, to 0.3 mm a vertex; how large it is, and all behind it, is guessed.
    """
    generator = torch.Generator().manual_seed(seed)
    identity = model.sample_identity(SAMPLES, generator)
    front = heads.face[model.normals(model.mean[None])[0, heads.face, 2] > _FRONT]
    vertices = model.vertices(identity)
    seen = aligned(vertices[:, front], model.mean[front].expand(SAMPLES, -1, -1), scale=True)
    seen = seen.flatten(1) + 0.3 * torch.randn(seen.flatten(1).shape, generator=generator)
    taught = slice(0, SAMPLES * 5 // 6)
    mean = seen[taught].mean(0)
    modes = torch.linalg.svd(seen[taught] - mean, full_matrices=False)[2][:200]
    known = (seen - mean) @ modes.T
    weights = torch.linalg.lstsq(known[taught], identity[taught]).solution
    tested = slice(taught.stop, None)
    guess = model.vertices(known[tested] @ weights)[:, heads.drawn]
    return float(vertex_errors(guess, vertices[tested][:, heads.drawn]).mean())
