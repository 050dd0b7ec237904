"""The head's mesh as other programs take it: one texture coordinate a vertex."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.buffers import drawn_triangles
from visage.faces.shape import MorphableModel, vertex_normals


@dataclass(frozen=True, eq=False)
class SeamedMesh:
    """Triangles with as many vertices as there are pairs of a place and a texture coordinate.

    Where the atlas is cut, one vertex of the model is several here.
    """

    corners: Tensor  # (N,) int64, vertex of the model
    triangles: Tensor  # (F, 3) int64 into `corners`; the lashes, which are only guides, left out
    uv: Tensor  # (N, 2) in [0, 1], v down

    def places(self, vertices: Tensor) -> Tensor:
        """(N, 3) of the model's vertices (V, 3)."""
        return vertices[self.corners]

    def normals(self, vertices: Tensor, model: MorphableModel) -> Tensor:
        """(N, 3), unit, of the model's vertices (V, 3): smooth across the seams."""
        return vertex_normals(vertices[None], model.triangles)[0][self.corners]


@lru_cache(maxsize=4)
def seamed_mesh(model: MorphableModel) -> SeamedMesh:
    """The mesh of a model, cut where its atlas is."""
    triangles = drawn_triangles(model)
    uv_triangles = model.uv_triangles[: len(triangles)]
    pairs = torch.stack([triangles, uv_triangles], -1).flatten(0, 1)
    unique, numbers = pairs.unique(dim=0, return_inverse=True)
    return SeamedMesh(unique[:, 0], numbers.view(-1, 3), model.uv[unique[:, 1]])
