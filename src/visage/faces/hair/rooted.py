"""Strands that are bound to a face's vertices, so that they follow every head and expression."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from visage.faces.hair.scalp import Head, Roots

_SPACING = 14.0  # mm between the vertices that far points follow
_REACH = 25.0  # mm over which a strand's points go over from following its root to following these


@dataclass(frozen=True, eq=False)
class Rooted:
    """S strands of K points at rest on the mean head, with C controls along each.

    A control's displacement is the weighted mean of four vertices'; in between, displacements are
    interpolated. The first control is the root, which stays on the skin.
    """

    points: np.ndarray  # (S, K, 3) float32, mm
    openness: np.ndarray  # (S, K) float32
    width: np.ndarray  # (S,) float32, mm
    index: np.ndarray  # (S, C, 4) int32, vertices
    weights: np.ndarray  # (S, C, 4) float32

    def __len__(self) -> int:
        """Strands."""
        return len(self.points)

    def thinned(self, count: int) -> "Rooted":
        """At most `count` of the strands, wider in turn."""
        if count >= len(self):
            return self
        kept = np.arange(count) * len(self) // max(count, 1)
        wider = np.float32(len(self) / max(count, 1))
        return Rooted(
            self.points[kept],
            self.openness[kept],
            self.width[kept] * wider,
            self.index[kept],
            self.weights[kept],
        )

    def carried(self, moved: np.ndarray) -> np.ndarray:
        """Points (S, K, 3) when the vertices move by (V, 3) float32, mm."""
        result = np.empty_like(self.points)
        carry_points(self.points, self.index, self.weights, moved, result)
        return result


def bind_roots(roots: Roots) -> tuple[np.ndarray, np.ndarray]:
    """Index and weights (S, 1, 4) for short strands, which follow their roots."""
    index = np.concatenate([roots.corners, roots.corners[:, :1]], 1)
    weights = np.concatenate([roots.weights, 0 * roots.weights[:, :1]], 1)
    return index[:, None].astype(np.int32), weights[:, None].astype(np.float32)


def bind_along(
    head: Head, roots: Roots, points: np.ndarray, controls: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Index and weights (S, C, 4) for long strands.

    A control follows the nearest of some vertices that are spread evenly, weighted by one over the
    squared distance, so that neighbours move alike; near the root, it follows the root.
    """
    sparse = head.outside[_spread(head.vertices[head.outside])]
    tree = cKDTree(head.vertices[sparse])
    index, weights = bind_roots(roots)
    each = points.shape[1]
    for control in range(1, controls):
        place = points[:, round(control * (each - 1) / (controls - 1))]
        far, near = tree.query(place, k=4)
        # The last neighbour's weight fades to nothing, so that none appears at once.
        weight = (1 / (far + 8) - 0.9 / (far[:, -1:] + 8)) ** 2
        weight /= weight.sum(1, keepdims=True)
        index = np.concatenate([index, sparse[near][:, None].astype(np.int32)], 1)
        weights = np.concatenate([weights, weight[:, None].astype(np.float32)], 1)
    if len(points):
        close = np.linalg.norm(points[:, -1] - points[:, 0], axis=1) < _REACH
        index[close, 1:], weights[close, 1:] = index[close, :1], weights[close, :1]
    return index, weights


def _spread(points: np.ndarray) -> np.ndarray:
    """Indices of points that are about `_SPACING` apart: one in each cell of a grid."""
    cells = np.floor(points / _SPACING).astype(int)
    return np.unique(cells, axis=0, return_index=True)[1]


@njit(cache=True, nogil=True, error_model="numpy")
def carry_points(points, index, weights, moved, result):
    """Add to points (S, K, 3) what their controls move by, given vertices' moves (V, 3)."""
    count, each = points.shape[:2]
    controls = index.shape[1]
    shift = np.zeros((controls, 3), np.float32)
    for s in range(count):
        for c in range(controls):
            for a in range(3):
                total = np.float32(0)
                for k in range(4):
                    total += weights[s, c, k] * moved[index[s, c, k], a]
                shift[c, a] = total
        for k in range(each):
            place = np.float32(k * (controls - 1)) / np.float32(max(each - 1, 1))
            c = min(int(place), max(controls - 2, 0))
            t = place - np.float32(c)
            n = min(c + 1, controls - 1)
            for a in range(3):
                result[s, k, a] = points[s, k, a] + shift[c, a] + t * (shift[n, a] - shift[c, a])
