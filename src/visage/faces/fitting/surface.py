"""Points spread over the face, and how they move when the shape's coefficients change.

A fit compares pictures at these points instead of at pixels: each stays on its place of the skin
whatever the pose, and the model is linear, so that the derivative of all points by all coefficients
is one constant matrix.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from visage.faces.directions import unit
from visage.faces.shape import MorphableModel, vertex_normals

_DETAILED = ("lips", "lids", "nose", "brows")
_DENSITY = 3.0  # of points there: small features tell most
_STEP = 0.1  # standard deviations, or strength of an action: normals are nearly linear so far
_AT_ONCE = 33  # coefficients whose normals are held in memory together


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """S points of a model's skin, which depend on U of its vertices; D coefficients of shape."""

    used: Tensor  # (U,) int64, vertices of the model
    triangles: Tensor  # (F, 3) int64 into `used`, all that touch a point's corner
    corners: Tensor  # (S, 3) int64 into `used`
    weights: Tensor  # (S, 3), barycentric
    directions: Tensor  # (D, U, 3) mm, how the used vertices move with each coefficient
    basis: Tensor  # (S, 3, D) mm, how the points do

    def __len__(self) -> int:
        """S."""
        return len(self.corners)

    def at(self, values: Tensor) -> Tensor:
        """Interpolate what vertices (B, V, C) carry: (B, S, C)."""
        return _mixed(values[:, self.used], self.corners, self.weights)

    def normals(self, vertices: Tensor) -> Tensor:
        """Unit normals (B, S, 3) of vertices (B, V, 3)."""
        return self._normals(vertices[:, self.used])

    def turning(self, vertices: Tensor) -> Tensor:
        """Derivative (B, S, 3, D) of the unit normals by the coefficients, at vertices (B, V, 3).

        By differences, forwards: a step of the fit needs no more digits.
        """
        return torch.stack([self._turning(vertex) for vertex in vertices[:, self.used]])

    def _turning(self, rest: Tensor) -> Tensor:
        still = self._normals(rest[None])
        moved = [
            (self._normals(rest + _STEP * some) - still) / _STEP
            for some in self.directions.split(_AT_ONCE)
        ]
        return torch.cat(moved).permute(1, 2, 0)

    def _normals(self, used: Tensor) -> Tensor:
        normals = vertex_normals(used, self.triangles)
        return unit(_mixed(normals, self.corners, self.weights), dim=2)


def spread_points(
    model: MorphableModel, count: int, regions: tuple[str, ...] = ("face", "ears")
) -> SurfacePoints:
    """Place points on the skin, always the same: by area on the mean head, denser on its features.

    Args:
        model: the morphable model.
        count: S.
        regions: of `model.regions`; where most of a triangle lies in them, it has points.
    """
    skin = model.triangles[model.part_triangles["skin"]]
    inside = torch.stack([model.regions[name] for name in regions]).amax(0)
    chosen = skin[inside[skin].mean(1) > 0.6]
    a, b, c = model.mean[chosen].unbind(1)
    area = torch.linalg.cross(b - a, c - a).norm(dim=1).double()
    detailed = torch.stack([model.regions[name] for name in _DETAILED]).amax(0)
    area = (area * (1 + (_DENSITY - 1) * detailed[chosen].mean(1))).cumsum(0)
    # At even steps along the sum of the areas, each triangle gets its share, up to one point.
    place = (torch.arange(count, dtype=torch.float64) + 0.5) / count * area[-1]
    corners = chosen[torch.searchsorted(area, place).clamp(max=len(chosen) - 1)]
    u, v = np.random.default_rng(0).random((2, count))
    weights = np.stack([1 - np.sqrt(u), np.sqrt(u) * (1 - v), np.sqrt(u) * v], 1)
    weights = torch.from_numpy(weights).to(model.mean)

    touched = torch.zeros(len(model.mean), dtype=torch.bool)
    touched[corners.flatten()] = True
    around = skin[touched[skin].any(1)]
    used, place = torch.unique(around.flatten(), return_inverse=True)
    corners = torch.searchsorted(used, corners)
    directions = shape_directions(model)[:, used]
    basis = _mixed(directions, corners, weights).permute(1, 2, 0).contiguous()
    return SurfacePoints(used, place.view(-1, 3), corners, weights, directions, basis)


def shape_directions(model: MorphableModel) -> Tensor:
    """(D, V, 3) mm: identity's modes for one standard deviation, then the facial actions."""
    identity = model.identity_basis * model.identity_std[:, None, None]
    return torch.cat([identity, model.expression_basis])


def _mixed(values: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    gathered = values[:, corners.flatten()].unflatten(1, corners.shape)
    return (gathered * weights[..., None]).sum(2)
