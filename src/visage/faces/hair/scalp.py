"""The mean head as hair sees it: where hair grows, and what it must not enter.

The hairline is a closed curve on a map of the skull: the equidistant azimuthal projection, in which
a point's distance from the pole (the crown) is its angle from there, times a radius. Distances to
the curve are about right in millimetres, and say how dense, fine and short hair is at its edge.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from visage.faces.shape import MorphableModel

CENTRE = np.array([0.0, 25.0, -2.0])  # mm, of the skull
RADIUS = 95.0  # mm, of the skull
_POLE = np.array([0.0, 0.9, -0.436])  # the crown, a little behind the top
_RIGHT = np.array([1.0, 0.0, 0.0])
_FRONT = np.cross(_RIGHT, _POLE)

# The hairline of one half, mm on the mean head, from the middle of the forehead over the corner of
# the temple, the sideburn and the ear to the middle of the nape.
_HAIRLINE = np.array(
    [
        [0, 74, 88], [18, 75, 85], [36, 74, 76], [50, 66, 66], [57, 53, 62], [62, 37, 57],
        [66, 20, 49], [70, 3, 40], [71, -14, 33], [71, -24, 29], [72, -22, 22], [73, -8, 21],
        [74, 4, 20], [75, 13, 11], [74, 10, -4], [72, -6, -17], [70, -24, -24], [64, -40, -36],
        [50, -56, -48], [34, -66, -55], [16, -68, -58], [0, -66, -57],
    ],
    dtype=np.float64,
)  # fmt: skip
_FRONT_ANCHORS = 5  # those of the forehead, which recede
_CELL = 6.0  # mm, of the distance field
_LOW, _HIGH = np.array([-180.0, -320.0, -170.0]), np.array([180.0, 180.0, 180.0])


@dataclass(frozen=True, eq=False)
class Head:
    """The mean head's outside as arrays, read-only."""

    vertices: np.ndarray  # (V, 3) float64, mm: all of the model's
    normals: np.ndarray  # (V, 3)
    triangles: np.ndarray  # (F, 3) int64: skin and neck
    outside: np.ndarray  # vertices (n,) of those
    distance: np.ndarray  # (X, Y, Z) float32, mm to the skin, negative inside, on a grid
    low: np.ndarray  # (3,) mm, the grid's first corner
    cell: float  # mm


@lru_cache(maxsize=4)
def head_of(model: MorphableModel) -> Head:
    """What `Head` holds, of a model; kept in memory."""
    vertices = model.mean.double().cpu().numpy()
    normals = model.normals(model.mean[None])[0].double().cpu().numpy()
    triangles = model.triangles.cpu().numpy()
    parts = [model.part_triangles[name] for name in ("skin", "neck")]
    triangles = np.concatenate([triangles[part] for part in parts])
    outside = np.unique(triangles)
    # One vertex in a few suffices for a field of 6 mm.
    axes = [np.arange(low, high, _CELL) for low, high in zip(_LOW, _HIGH, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    tree = cKDTree(vertices[outside])
    far, near = tree.query(grid.reshape(-1, 3), k=4)
    offset = grid.reshape(-1, 1, 3) - vertices[outside][near]
    plane = (offset * normals[outside][near]).sum(2)
    weight = 1 / (far + 1) ** 2
    height = (plane * weight).sum(1) / weight.sum(1)
    # Far from the skin its planes say nothing; the distance itself does.
    blend = np.clip((far[:, 0] - 15) / 15, 0, 1)
    height = (1 - blend) * height + blend * np.sign(height) * far[:, 0]
    distance = height.reshape(grid.shape[:3]).astype(np.float32)
    return Head(vertices, normals, triangles, outside, distance, _LOW, _CELL)


def skull_map(points: np.ndarray) -> np.ndarray:
    """Points (n, 3) on the map of the skull: (n, 2) mm, to the person's left and to the front."""
    direction = points - CENTRE
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    across, ahead = direction @ _RIGHT, direction @ _FRONT
    angle = np.arctan2(np.hypot(across, ahead), direction @ _POLE)
    flat = np.stack([across, ahead], 1)
    return (
        flat
        / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
        * (RADIUS * angle[:, None])
    )


def inside_hairline(points: np.ndarray, *, height: float = 0, recession: float = 0) -> np.ndarray:
    """How far inside of the hairline points (n, 3) are: (n,) mm, negative outside.

    Args:
        points: on the mean head.
        height: mm by which the whole front lies higher.
        recession: mm by which the temples' corners do, in addition.
    """
    curve = skull_map(_HAIRLINE)
    receding = np.zeros(len(curve))
    receding[: _FRONT_ANCHORS + 2] = height * np.array([1, 1, 1, 1, 0.8, 0.4, 0.1])
    receding[: _FRONT_ANCHORS + 2] += recession * np.array([0, 0.2, 0.9, 1, 0.7, 0.3, 0])
    curve -= curve / np.linalg.norm(curve, axis=1, keepdims=True) * receding[:, None]
    curve = np.concatenate([curve, curve[-2:0:-1] * [-1, 1]])
    closed = np.concatenate([curve, curve[:1]])
    along = np.linalg.norm(np.diff(closed, axis=0), axis=1) ** 0.5
    spline = CubicSpline(np.r_[0, along.cumsum()], closed, bc_type="periodic")
    fine = spline(np.linspace(0, along.sum(), 320, endpoint=False))
    flat = skull_map(points)
    nearest, _ = cKDTree(fine).query(flat)
    return np.where(_encloses(fine, flat), nearest, -nearest)


def _encloses(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether points (n, 2) lie in a polygon (m, 2): an odd number of edges to their right."""
    a, b = polygon, np.roll(polygon, -1, 0)
    odd = np.zeros(len(points), bool)
    x, y = points.T
    for (ax, ay), (bx, by) in zip(a, b, strict=True):
        if ay != by:
            odd ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) / (by - ay) * (bx - ax))
    return odd


@dataclass(frozen=True, eq=False)
class Roots:
    """Places on the skin, bound to it."""

    points: np.ndarray  # (n, 3) mm, on the mean head
    normals: np.ndarray  # (n, 3)
    corners: np.ndarray  # (n, 3) int64, vertices of the triangle
    weights: np.ndarray  # (n, 3), barycentric

    def __len__(self) -> int:
        """Roots."""
        return len(self.points)

    def __getitem__(self, index: np.ndarray) -> "Roots":
        """Some of them, by index or mask."""
        return Roots(
            self.points[index], self.normals[index], self.corners[index], self.weights[index]
        )


def scatter(head: Head, density: np.ndarray, count: int, random: np.random.Generator) -> Roots:
    """Draw places on the skin, in random order.

    Args:
        head: of the model.
        density: (V,) at the vertices, relative; interpolated on triangles.
        count: how many.
        random: generator.
    """
    corners = head.triangles[(density[head.triangles] > 0).any(1)]
    a, b, c = (head.vertices[corners[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    share = area * density[corners].max(1)
    if not share.sum() > 0:
        count = 0
        share = np.ones(1)
        corners = head.triangles[:1]
    # Drawn by the densest corner first, then kept by the density at the place.
    tries = 4 * count + 64
    face = random.choice(len(corners), tries, p=share / share.sum())
    u, v = random.random((2, tries))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    weights = np.stack([1 - u - v, u, v], 1)
    local = (weights * density[corners[face]]).sum(1) / density[corners[face]].max(1)
    kept = (random.random(tries) < local).nonzero()[0][:count]
    face, weights = corners[face[kept]], weights[kept]
    points = (weights[:, :, None] * head.vertices[face]).sum(1)
    normals = (weights[:, :, None] * head.normals[face]).sum(1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Roots(points, normals, face, weights)
