"""Brows, lashes and beards on the mean head."""

import numpy as np
from scipy.spatial import cKDTree

from visage.faces.hair import compiled_growth
from visage.faces.hair.beards import BEARDS, Beard
from visage.faces.hair.locks import curl_locks
from visage.faces.hair.rooted import Rooted, bind_roots
from visage.faces.hair.scalp import Head, Roots, scatter
from visage.faces.shape import MorphableModel

# A brow's middle line on the mean head, x outwards and y, mm, from its inner to its outer end.
_BROW = np.array(
    [[11, 17.4], [18, 19.4], [27, 21.2], [36, 22.2], [45, 21.2], [52, 18.0], [58, 13.8]]
)
_BROW_HALF = np.array([4.0, 4.7, 4.4, 3.9, 3.2, 2.3, 1.2])  # half its thickness there
_LIP_GAP = 1.0  # mm from the lips that no hair grows closer to
_LID_GAP = 1.1  # mm from the lid within which a vertex of the lash ribbon is at its root


def brows(
    head: Head,
    *,
    count: int,
    thickness: float,
    arch: float,
    lift: float,
    width: float,
    seed: int,
) -> Rooted:
    """Eyebrows: hairs grow up at the inner end and sweep outwards, the upper ones downwards too.

    Args:
        head: of the model.
        count: hairs of both.
        thickness: 1 is average.
        arch: mm by which the arch's peak is higher.
        lift: mm by which all is higher.
        width: mm of a hair.
        seed: of the hairs' places.
    """
    random = np.random.default_rng(seed)
    side = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    t = random.beta(1.15, 1.25, count)
    grid = np.linspace(0, 1, len(_BROW))
    across = np.clip(random.normal(0, 0.5, count), -1.25, 1.25)
    x, y = (np.interp(t, grid, _BROW[:, k]) for k in (0, 1))
    half = np.interp(t, grid, _BROW_HALF) * thickness
    dx, dy = (np.interp(t, grid, np.gradient(_BROW[:, k])) for k in (0, 1))
    norm = np.hypot(dx, dy)
    dx, dy = dx / norm, dy / norm
    y = y + lift + arch * np.exp(-(((t - 0.62) / 0.22) ** 2))
    x, y = x - across * half * dy, y + across * half * dx
    roots = on_front(head, np.stack([x * side, y], 1))
    # Angle from straight up to along the brow; the upper hairs lean over it, the lower ones rise.
    turn = np.clip((t - 0.02) / 0.35, 0, 1) ** 0.7
    up = (1 - turn) * 1.0 + turn * (0.28 - 0.45 * across - 0.25 * t)
    along = 0.25 * (1 - turn) + turn
    direction = np.stack([(along * dx - up * dy) * side, along * dy + up * dx, 0 * t], 1)
    direction += random.normal(0, 0.13, (count, 3))
    length = (5.0 + 5.0 * np.sin(np.pi * np.clip(t + 0.1, 0, 1)) ** 1.0) * (0.85 + 0.15 * thickness)
    length *= np.exp(0.18 * random.normal(0, 1, count)) * np.where(np.abs(across) > 0.9, 0.7, 1)
    bend = 0.5 * direction + np.stack([side * dx, dy - 0.25, 0 * t], 1)
    points = _lying(head, roots, direction, bend, length, each=5, rise=0.32)
    thin = np.where(np.abs(across) > 0.8, 0.75, 1.0) * np.exp(0.15 * random.normal(0, 1, count))
    # Hairs of a brow lie on each other, each another way: they hide the light from each other, and
    # have no highlight in common, which would make black brows grey.
    open_ = np.broadcast_to(np.linspace(0.15, 0.5, 5), (count, 5))
    return _rooted(points, open_, width * thin, *bind_roots(roots))


def _lying(head, roots, direction, bend, length, *, each, rise):
    """Strands (n, each, 3) that lie on the skin, turning from `direction` to `bend`."""
    s = np.linspace(0, 1, each)[None, :, None]
    normal = roots.normals[:, None]

    def flat(v):
        v = v - (v * roots.normals).sum(1, keepdims=True) * roots.normals
        return (v / (np.linalg.norm(v, axis=1, keepdims=True) + 1e-9))[:, None]

    path = flat(direction) * (s - 0.5 * s**2) + flat(bend) * 0.5 * s**2
    points = roots.points[:, None] + length[:, None, None] * (
        path + rise * normal * (s - 0.7 * s**2)
    )
    compiled_growth.push_out(points, np.full(each, 0.15), head.distance, head.low, head.cell)
    return points


def lashes(
    model: MorphableModel, head: Head, *, length: float, count: int, width: float, seed: int
) -> Rooted:
    """Lashes of both lids of both eyes.

    They stand along the roots of the model's lash ribbons, and are bound to these, so that they
    follow the lids.

    Args:
        model: for its lash ribbons.
        head: of the model.
        length: mm of the longest upper lash.
        count: lashes of an upper lid; a lower one has two thirds.
        width: mm of a lash.
        seed: of what lashes differ in.
    """
    random = np.random.default_rng(seed)
    parts = []
    for side in (1.0, -1.0):
        for upper in (True, False):
            mask = model.regions["upper_lashes" if upper else "lower_lashes"].cpu().numpy()
            ribbon = ((mask > 0.5) & (side * head.vertices[:, 0] > 0)).nonzero()[0]
            n = count if upper else 2 * count // 3
            parts.append(_row(head, ribbon, side, upper, length, n, random))
    points, index, weights = (np.concatenate(each) for each in zip(*parts, strict=True))
    shuffled = random.permutation(len(points))
    points, index, weights = points[shuffled], index[shuffled], weights[shuffled]
    return _rooted(
        points, np.full(points.shape[:2], 0.8), np.full(len(points), width), index, weights
    )


def _row(head, ribbon, side, upper, length, count, random):
    """Lashes of one lid: points (n, 6, 3), index and weights (n, 3, 4)."""
    at = head.vertices[ribbon] * [side, 1, 1]
    gap = cKDTree(head.vertices[head.outside] * [side, 1, 1]).query(at)[0]
    edge = at[gap < _LID_GAP]
    low, high = edge[:, 0].min(), edge[:, 0].max()
    weight = 1 / (0.3 + gap[gap < _LID_GAP])
    curve = [np.polyfit(edge[:, 0], edge[:, k], 3, w=weight) for k in (1, 2)]
    t = (np.arange(count) + random.uniform(-0.35, 0.35, count) + 0.5) / count
    x = low + (high - low) * (0.04 + 0.96 * t)
    root = np.stack([x, np.polyval(curve[0], x), np.polyval(curve[1], x)], 1)
    # Short at the inner corner, longest before the outer one; tips gather in small tufts.
    size = length * (0.45 + 0.55 * np.sin(np.pi * (0.12 + 0.68 * t))) * (1 if upper else 0.5)
    size = size * np.exp(0.12 * np.clip(random.normal(0, 1, count), -2, 2))
    tuft = 0.28 * np.sin(t * (38 if upper else 30)) + random.normal(0, 0.09, count)
    flare = (1.5 * t - 0.55) * 0.75 + tuft
    forward = np.stack([flare, np.zeros(count), np.ones(count)], 1)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    s = np.linspace(0, 1, 6)[None, :, None]
    rise = (-0.12 * s + 0.78 * s**2) if upper else (-0.45 * s - 0.05 * s**2)
    lift = np.exp(0.12 * random.normal(0, 1, count))[:, None, None] * rise * [0, 1, 0]
    points = root[:, None] + size[:, None, None] * (forward[:, None] * (s - 0.22 * s**2) + lift)
    points = points * [side, 1, 1]
    tree = cKDTree(head.vertices[ribbon])
    index, weights = [], []
    for control in (0, 2, 5):
        far, near = tree.query(points[:, control], k=4)
        share = 1 / (far + 0.3) ** 2
        index.append(ribbon[near])
        weights.append(share / share.sum(1, keepdims=True))
    return points, np.stack(index, 1), np.stack(weights, 1)


def beard(
    model: MorphableModel, head: Head, style: str, *, scale: float, density: float, seed: int
) -> Rooted:
    """A beard, on the region that the model calls so, and not on the lips.

    Args:
        model: for its regions.
        head: of the model.
        style: one of `BEARDS`.
        scale: factor of its length.
        density: factor of the number of hairs.
        seed: of everything random.
    """
    kind = BEARDS[style]
    random = np.random.default_rng(seed)
    region = model.regions["beard"].double().cpu().numpy()
    lips = model.regions["lips"].double().cpu().numpy()
    # The upper lip is small, and its hair dense.
    x, y, z = head.vertices.T
    lip = (np.abs(x) < 32) & (y > -74) & (z > 85)
    place = region * (lips < 0.05) * (1 + 1.5 * lip)
    roots = scatter(head, place, int(kind.count * density), random)
    chance = _bearded(roots.points, kind, random)
    chance *= cKDTree(head.vertices[lips > 0.3]).query(roots.points)[0] > _LIP_GAP
    roots = roots[random.random(len(roots)) < chance]
    n, p = len(roots), roots.points
    chin = np.clip((-60 - p[:, 1]) / 40, 0, 1) * np.clip((p[:, 2] - 40) / 40, 0, 1)
    length = scale * (kind.length * (1 - chin) + kind.chin * chin)
    length = length * np.exp(0.2 * np.clip(random.normal(0, 1, n), -2, 2))
    comb = np.stack([0.006 * p[:, 0], np.full(n, -1.0), np.full(n, 0.25)], 1)
    # The moustache is combed to both sides.
    above = np.clip((p[:, 1] + 68) / 6, 0, 1) * (np.abs(p[:, 0]) < 26) * (p[:, 2] > 90)
    comb[:, 0] += 0.9 * np.tanh(p[:, 0] / 3) * above
    length = length * (1 - 0.45 * above * (kind.length > 3))
    comb += random.normal(0, 0.22, (n, 3))
    layer = np.minimum(0.12 + 0.3 * random.random(n), 1) * np.minimum(0.5 * length, 9)
    points = np.empty((n, kind.points, 3))
    settings = (0.45, 6.0, 0.6, 0.25, 0.5)
    field = (head.distance, head.low, head.cell)
    origin = np.array([0.0, 40.0, 0.0])
    compiled_growth.grow(
        p,
        roots.normals,
        length,
        layer,
        comb,
        np.zeros(n),
        np.zeros(n),
        origin,
        settings,
        *field,
        points,
    )
    curl_locks(points, roots, kind.locks, random)
    compiled_growth.push_out(points, np.full(kind.points, 0.15), *field)
    points[:, 0] = p
    deep = np.linspace(0.45 if kind.length > 3 else 0.85, 1, kind.points)
    return _rooted(
        points, np.broadcast_to(deep, points.shape[:2]), np.full(n, kind.width), *bind_roots(roots)
    )


def _bearded(p: np.ndarray, kind: Beard, random: np.random.Generator) -> np.ndarray:
    """Share of hairs that grow at places (n, 3) with a kind of beard; edges are soft."""
    x, y, z = np.abs(p[:, 0]), p[:, 1] + random.normal(0, 0.8, len(p)), p[:, 2]
    lip = np.clip((31 - x) / 4, 0, 1) * np.clip((y + 76) / 4, 0, 1) * (z > 85)
    chin = np.clip((27 - x) / 6, 0, 1) * np.clip((-70 - y) / 6, 0, 1) * np.clip((z - 62) / 12, 0, 1)
    beside = np.clip(1.4 - np.abs(x - 28) / 6, 0, 1) * ((y < -62) & (y > -98)) * (z > 80)
    rest = np.clip((y + 150) / 30, 0, 1) * np.clip((y + 140 + 0.25 * z) / 14, 0, 1)
    # Cheeks are bare above a line from the ear to the corner of the mouth.
    line = -22 - 0.55 * np.clip(z - 30, 0, 60)
    rest = rest * np.clip((line - y) / 9 + 0.3, 0, 1)
    chance = np.maximum.reduce(
        [kind.lip * lip, kind.goatee * np.maximum(chin, beside), kind.rest * rest]
    )
    return chance


def on_front(head: Head, xy: np.ndarray) -> Roots:
    """The skin that a camera in front of the face sees at places (n, 2), mm."""
    corners = head.triangles
    facing = head.normals[corners, 2].mean(1) > 0.1
    corners = corners[facing & (head.vertices[corners, 2].mean(1) > 40)]
    middle = head.vertices[corners, :2].mean(1)
    near = cKDTree(middle).query(xy, k=10)[1]  # (n, 10)
    a, b, c = (head.vertices[corners[near, k], :2] for k in range(3))
    p = xy[:, None]
    area = _cross(b - a, c - a)
    weights = np.stack([_cross(b - p, c - p), _cross(c - p, a - p), _cross(a - p, b - p)], 2)
    weights = weights / area[..., None]
    best = weights.min(2).argmax(1)
    row = np.arange(len(xy))
    weights = weights[row, best].clip(0)
    weights /= weights.sum(1, keepdims=True)
    face = corners[near[row, best]]
    normals = (weights[:, :, None] * head.normals[face]).sum(1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Roots((weights[:, :, None] * head.vertices[face]).sum(1), normals, face, weights)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _rooted(points, openness, width, index, weights) -> Rooted:
    single = (np.ascontiguousarray(each, np.float32) for each in (points, openness, width))
    return Rooted(*single, index.astype(np.int32), weights.astype(np.float32))
