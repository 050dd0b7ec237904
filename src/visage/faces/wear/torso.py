"""The cloth's rest surface: a body on the mean head's neck, from under the chin to the ribs.

The model's skin ends at the shoulders in a ragged border. Here half-planes through an upright axis
in the neck cut the skin (columns), each cut is continued past the border to an oval at the height
of the ribs, and the whole is smoothed as cloth bridges hollows, never closer to the skin than
`CLEARANCE`. Everything is in the head frame of the mean head.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter, minimum_filter1d
from scipy.spatial import cKDTree

CLEARANCE = 4.0
"""mm between cloth and skin."""

AXIS = -25.0
"""mm, z of the axis (at x = 0) around which columns are counted; column 0 points to +x, and a
quarter of the way round is the front."""

HEM = -430.0
"""mm, y of the lower border: far below any portrait."""

_OVAL = (250.0, 90.0, 94.0)  # mm, half width, front and back of the body at the hem
_ARMPIT = (168.0, -262.0, 15.0, 13.0)  # x and y where arm and chest part, depth, half width


@dataclass(frozen=True)
class Torso:
    """Columns of points from under the chin to the hem, on cloth that hangs without folds."""

    points: np.ndarray  # (N, S, 3) mm, even along each column
    length: np.ndarray  # (N,) mm, of each column
    base: np.ndarray  # (N,) mm from the start, where the neck meets the shoulders
    lowest: np.ndarray  # (N,) mm from the start, where bare skin ends
    anchors: np.ndarray  # (N, S, 3) mm, where on the skin a point belongs


def torso(vertices: np.ndarray, triangles: np.ndarray, columns: int, samples: int) -> Torso:
    """Build the rest surface.

    Args:
        vertices: (V, 3) mm, of the mean head.
        triangles: (F, 3), of its neck and shoulders.
        columns: N, a multiple of 4.
        samples: S, along each column.
    """
    angles = 2 * math.pi * np.arange(columns) / columns
    edges = np.unique(np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1), axis=0)
    cuts = [_cut(vertices, edges, angle) for angle in angles]
    last = np.array([cut[-1, 1] for cut in cuts])
    # A smooth border inside the ragged one.
    wide = max(3, columns // 16)
    highest = -minimum_filter1d(-last, wide, mode="wrap")
    border = gaussian_filter1d(highest, wide / 2, mode="wrap") + 2.0
    points = np.stack(
        [_resampled(_continued(cut, angle, y), samples)
         for cut, angle, y in zip(cuts, angles, border, strict=True)]
    )  # fmt: skip
    skin = np.stack(
        [_resampled(_continued(cut, angle, min(y, cut[-1, 1] + 12)), samples)
         for cut, angle, y in zip(cuts, angles, last, strict=True)]
    )  # fmt: skip
    used = vertices[np.unique(triangles)]
    covered = used[used[:, 1] < -120 - 0.45 * (used[:, 2] - AXIS)]
    cloth = _outside(_parted(_draped(points, skin)), covered)
    steps = np.linalg.norm(np.diff(cloth, axis=1), axis=2)
    lowest = (cloth[..., 1] > border[:, None]).sum(1) * steps.mean(1)
    return Torso(cloth, steps.sum(1), _base(cloth, steps), lowest, points)


def _cut(vertices: np.ndarray, edges: np.ndarray, angle: float) -> np.ndarray:
    """(K, 2) distance from the axis and y of a half-plane's cut with the skin, from the top."""
    x, y, z = vertices.T
    along = x * math.cos(angle) + (z - AXIS) * math.sin(angle)
    # A hair's breadth off, so that no vertex lies in the plane of symmetry.
    across = (z - AXIS) * math.cos(angle) - x * math.sin(angle) + 1e-4
    a, b = edges[across[edges[:, 0]] * across[edges[:, 1]] < 0].T
    share = across[a] / (across[a] - across[b])
    points = np.column_stack([
        along[a] + share * (along[b] - along[a]), y[a] + share * (y[b] - y[a])
    ])  # fmt: skip
    # Above this the jaw begins, and lines from below would meet the skin twice.
    depth = points[:, 0] * math.sin(angle)  # in front of the axis
    below = -106 - np.where(depth > 0, 0.45, 0.3) * depth - points[:, 1]
    kept = (points[:, 0] > 0) & (below > -7)
    points, below = points[kept], below[kept]
    # Down the neck and out along the shoulder: this grows all the way.
    order = np.argsort(0.15 * points[:, 0] - points[:, 1])
    points, below = points[order], below[order]
    # Start on the plane itself: at the first vertex below it, columns would start unevenly.
    first = int((below > 0).argmax())
    if first:
        share = below[first] / (below[first] - below[first - 1])
        start = points[first] + share * (points[first - 1] - points[first])
        points = np.concatenate([start[None], points[first:]])
    return points


def _continued(cut: np.ndarray, angle: float, border: float) -> np.ndarray:
    """(K', 3) the cut as far as `border`, and a cubic from there down to the hem."""
    kept = cut[: max(4, int(np.searchsorted(-cut[:, 1], -border)))]
    start, back = kept[-1], kept[np.searchsorted(-kept[:, 1], -(kept[-1, 1] + 22)) - 1]
    tangent = (start - back) / np.linalg.norm(start - back)
    c, s = math.cos(angle), math.sin(angle)
    deep = _OVAL[1] if s > 0 else _OVAL[2]
    end = np.array([((abs(c) / _OVAL[0]) ** 2.6 + (abs(s) / deep) ** 2.6) ** (-1 / 2.6), HEM])
    reach = np.linalg.norm(end - start)
    t = np.linspace(0, 1, 40)[1:, None]
    # Hermite: leaves along the skin, arrives hanging straight down.
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * reach * 0.6 * tangent
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * reach * 1.2 * np.array([0.0, -1.0])
    )
    line = np.concatenate([kept, curve])
    return np.column_stack([line[:, 0] * c, line[:, 1], AXIS + line[:, 0] * s])


def _resampled(line: np.ndarray, samples: int) -> np.ndarray:
    """(samples, 3) points evenly along a polyline."""
    along = np.concatenate([[0], np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum()])
    even = np.linspace(0, along[-1], samples)
    return np.column_stack([np.interp(even, along, axis) for axis in line.T])


def _draped(points: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Cloth over points (N, S, 3): smoothed, then pushed out, again and again."""
    cloth = points + CLEARANCE * grid_normals(points)
    # On the neck it follows the skin; the lower, the more it bridges.
    loose = np.clip((-165 - points[..., 1:2]) / 80, 0.12, 1)
    for _ in range(30):
        around = (np.roll(cloth, 1, 0) + np.roll(cloth, -1, 0)) / 2
        ends = np.concatenate([cloth[:, :1], cloth, cloth[:, -1:]], 1)
        along = (ends[:, :-2] + ends[:, 2:]) / 2
        cloth = cloth + 0.5 * loose * ((around + along) / 2 - cloth)
        for below in (points, skin):
            normals = grid_normals(below)
            gap = ((cloth - below) * normals).sum(2, keepdims=True)
            cloth = cloth + normals * np.clip(CLEARANCE - gap, 0, 6)
    # The facets of the skin would show as pleats.
    # Give back what smoothing takes off the narrow sides (Taubin 1995), where the arms are.
    sides = np.clip((np.abs(points[..., :1]) - 110) / 60, 0, 1)
    for _ in range(3):
        once = _smooth(cloth)
        cloth = once + sides * (once - _smooth(once))
    return cloth


def _outside(cloth: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Swell a table (N, S, 3) until vertices (K, 3) of the skin lie `CLEARANCE` below it."""
    spread = (len(cloth) // 24 | 1, cloth.shape[1] // 7 | 1)
    for _ in range(6):
        normals = grid_normals(cloth)
        nearest = cKDTree(cloth.reshape(-1, 3)).query(skin)[1]
        gap = ((cloth.reshape(-1, 3)[nearest] - skin) * normals.reshape(-1, 3)[nearest]).sum(1)
        short = np.zeros(cloth.shape[:2])
        np.maximum.at(short.reshape(-1), nearest, np.clip(CLEARANCE - gap, 0, 12))
        short = _smooth(maximum_filter(short, spread, mode=("wrap", "nearest")))
        cloth = cloth + normals * short[..., None]
    return cloth


def _smooth(table: np.ndarray) -> np.ndarray:
    blurred = gaussian_filter1d(table, len(table) / 40, axis=0, mode="wrap")
    return gaussian_filter1d(blurred, table.shape[1] / 60, axis=1, mode="nearest")


def _parted(cloth: np.ndarray) -> np.ndarray:
    """Press in the lines where the arms leave the chest and the back."""
    x, y, _ = np.moveaxis(cloth, 2, 0)
    place, top, depth, width = _ARMPIT
    below = np.clip((top + 45 - y) / 75, 0, 1) ** 1.5
    off = (np.abs(x) - place - 0.06 * (y - top)) / width
    return cloth - (depth * below * np.exp(-(off**2)))[..., None] * grid_normals(cloth)


def _base(cloth: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Where each column crosses the tilted plane in which a crew neck lies."""
    height = cloth[..., 1] - (-147 - 0.56 * (cloth[..., 2] - AXIS))
    along = np.concatenate([np.zeros((len(cloth), 1)), steps.cumsum(1)], 1)
    first = (height < 0).argmax(1)
    rows = np.arange(len(cloth))
    above, below = height[rows, first - 1], height[rows, first]
    share = above / (above - below)
    found = along[rows, first - 1] * (1 - share) + along[rows, first] * share
    return gaussian_filter1d(found, len(cloth) / 24, mode="wrap")


def grid_normals(points: np.ndarray) -> np.ndarray:
    """Unit normals, outwards, of points (N, S, 3) that are closed over N."""
    around = np.roll(points, -1, 0) - np.roll(points, 1, 0)
    down = np.gradient(points, axis=1)
    normal = np.cross(around, down)
    outward = np.sign((normal[:, -1] * (points[:, -1] - [0, HEM, AXIS])).sum())
    return outward * normal / np.linalg.norm(normal, axis=2, keepdims=True).clip(1e-9)
