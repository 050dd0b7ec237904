"""The part of the head that a fit compares with the picture, and how it moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.directions import unit
from visage.faces.fitting.priors import FittingPriors
from visage.faces.fitting.surface import shape_directions
from visage.faces.shape import MorphableModel, vertex_normals

_INSIDE = 0.6  # of a triangle's corners' mean mask, from which it is face


@dataclass(frozen=True, eq=False)
class Points:
    """N places on the skin: those that some pixels see."""

    corners: Tensor  # (N, 3) int64 into `FitSurface.used`
    weights: Tensor  # (N, 3), barycentric

    def __len__(self) -> int:
        """N."""
        return len(self.corners)

    def of(self, values: Tensor) -> Tensor:
        """Interpolate what the used vertices (U, C) carry: (N, C)."""
        rows = values.index_select(0, self.corners.flatten()).view(len(self), 3, -1)
        return (self.weights[..., None] * rows).sum(1)


@dataclass(frozen=True, eq=False)
class FitSurface:
    """The face of a morphable model, with the linear model of its albedo (section 3)."""

    model: MorphableModel
    priors: FittingPriors
    face: Tensor  # (F,) bool, of the drawn triangles: which of them are compared
    drawn: Tensor  # (F, 3) int64, all that can hide a face: everything but the lashes
    used: Tensor  # (U,) int64, vertices of the face and of what its normals depend on
    place: Tensor  # (V,) int64, where a vertex is among the used, or 0
    triangles: Tensor  # (T, 3) int64 into `used`, all around the face's vertices
    directions: Tensor  # (D, V, 3) mm, how vertices move with each coefficient of shape
    moving: Tensor  # (U, 3, D), the same of the used vertices
    edges: Tensor  # (T, 6, D), how the two edges from a triangle's first corner do
    mean: Tensor  # (U, 3), log albedo
    basis: Tensor  # (U, 3, K), its components, for one standard deviation

    def albedo(self, points: Points, coefficients: Tensor) -> Tensor:
        """Linear albedo (N, 3) for coefficients (K,): exp(Ī + A_al α_al)."""
        return points.of(self.mean + self.basis @ coefficients).exp()

    def normals(self, vertices: Tensor) -> Tensor:
        """Unit normals (U, 3) of the used vertices, from all vertices (V, 3)."""
        return vertex_normals(vertices[self.used][None], self.triangles)[0]

    def turning(self, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """Unit normals (U, 3), and their derivatives (U, 3, D) by the coefficients of shape.

        A vertex's normal is along N = Σ e₁ × e₂ over the triangles around it, so that
        dN = Σ de₁ × e₂ + e₁ × de₂, and of its direction n = N/|N|, dn = (I - n nᵀ) dN / |N|.

        Args:
            vertices: (V, 3) mm.
        """
        a, b, c = vertices[self.used][self.triangles].unbind(1)
        first, second = b - a, c - a
        # de₁ × e₂ = -[e₂]× de₁, and e₁ × de₂ = [e₁]× de₂.
        crossing = torch.cat([-cross_matrix(second), cross_matrix(first)], 2)  # (T, 3, 6)
        of_triangles = (crossing @ self.edges).flatten(1)
        sums = self._around(of_triangles).unflatten(1, (3, -1))
        total = self._around(torch.linalg.cross(first, second))
        length = total.norm(dim=1).clamp(min=1e-9)[:, None]
        normals = total / length
        along = (normals[:, :, None] * sums).sum(1, keepdim=True)
        return normals, (sums - normals[:, :, None] * along) / length[..., None]

    def _around(self, values: Tensor) -> Tensor:
        """Sums (U, C) of what the triangles round a vertex carry, (T, C)."""
        sums = values.new_zeros(len(self.used), values.shape[1])
        for corner in self.triangles.unbind(1):
            sums.index_add_(0, corner, values)
        return sums

    def point_normals(self, points: Points, normals: Tensor) -> tuple[Tensor, Tensor]:
        """Unit normals (N, 3) between those of vertices (U, 3), and the means' lengths (N, 1)."""
        mean = points.of(normals)
        return unit(mean), mean.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()


def cross_matrix(vectors: Tensor) -> Tensor:
    """[v]× (N, 3, 3) of vectors (N, 3): its product with w is v × w."""
    x, y, z = vectors.unbind(1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).unflatten(1, (3, 3))


def fit_surface(model: MorphableModel, priors: FittingPriors) -> FitSurface:
    """The face of a model that is not subdivided, in the model's precision."""
    skin = model.part_triangles["skin"]
    drawn = model.triangles[: model.part_triangles["lashes"].start]
    face = torch.zeros(len(drawn), dtype=torch.bool, device=drawn.device)
    face[skin] = model.regions["face"][model.triangles[skin]].mean(1) > _INSIDE
    touched = torch.zeros(len(model.mean), dtype=torch.bool, device=drawn.device)
    touched[drawn[face].flatten()] = True
    around = model.triangles[skin]
    around = around[touched[around].any(1)]
    used, triangles = torch.unique(around.flatten(), return_inverse=True)
    triangles = triangles.view(-1, 3)
    place = torch.zeros(len(model.mean), dtype=torch.int64, device=drawn.device)
    place[used] = torch.arange(len(used), device=drawn.device)
    like = model.mean
    directions = shape_directions(model)
    moving = directions[:, used].permute(1, 2, 0).contiguous()
    a, b, c = moving[triangles].unbind(1)
    albedo = priors.albedo
    return FitSurface(
        model, priors, face, drawn, used, place, triangles,
        directions, moving,
        torch.cat([b - a, c - a], 1).contiguous(), albedo.mean[used].to(like),
        albedo.basis[:, used].permute(1, 2, 0).contiguous().to(like),
    )  # fmt: skip


@lru_cache(maxsize=1)
def shipped_surface() -> FitSurface:
    """That of the shipped model and priors."""
    return fit_surface(MorphableModel.load(), FittingPriors.load())
