"""What is done to strands once they have grown: locks, curls, a straight edge, a tail, a bun."""

import numpy as np
from scipy.spatial import cKDTree

from visage.faces.hair.scalp import Roots
from visage.faces.hair.styles import HairStyle, Locks


def _frames(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two directions (n, K, 3) across the strands, turning as little as they do."""
    tangent = np.gradient(points, axis=1)
    tangent /= np.linalg.norm(tangent, axis=2, keepdims=True) + 1e-9
    a = np.empty_like(tangent)
    start = np.cross(tangent[:, 0], [0.31, 0.17, 0.93])
    for k in range(tangent.shape[1]):
        start = start - (start * tangent[:, k]).sum(1, keepdims=True) * tangent[:, k]
        start = start / (np.linalg.norm(start, axis=1, keepdims=True) + 1e-9)
        a[:, k] = start
    return a, np.cross(tangent, a)


def curl_locks(points: np.ndarray, roots: Roots, locks: Locks, random: np.random.Generator) -> None:
    """Gather strands into locks and wind them."""
    n, each = points.shape[:2]
    if n == 0:
        return
    steps = np.linalg.norm(np.diff(points, axis=1), axis=2)
    along = np.concatenate([np.zeros((n, 1)), steps.cumsum(1)], 1)
    s = np.linspace(0, 1, each)
    # Locks: leaders are spread evenly enough by chance; strands of another direction stay away.
    area = 60000 * max(n, 1) / 12000
    leaders = random.permutation(n)[: max(1, int(area / locks.clump**2 * 12000 / max(n, 12000)))]
    middle = points[:, each // 2]
    near = np.concatenate([roots.points, 0.35 * middle], 1)
    _, lock = cKDTree(near[leaders]).query(near)
    leader = leaders[lock]
    join = locks.clumping * s**0.8 * random.uniform(0.6, 1.0, n)[:, None]
    # Strands join at the same length along the lock, however long each is.
    share = np.clip(along / np.maximum(along[leader][:, -1:], 1e-6), 0, 1) * (each - 1)
    low = np.minimum(share.astype(int), each - 2)
    t = (share - low)[..., None]
    row = leader[:, None]
    target = points[row, low] * (1 - t) + points[row, low + 1] * t
    over = along > along[leader][:, -1:]
    join = np.where(over, np.minimum.accumulate(np.where(over, join * 0.6, join), 1), join)
    # Hair on the two sides of a parting does not share a lock.
    way = middle - points[:, 0]
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-9
    alike = np.clip(((way * way[leader]).sum(1) - 0.5) / 0.35, 0, 1)
    join = join * alike[:, None]
    apart = np.linalg.norm(target - points, axis=2)
    join = join * np.exp(-((apart / (2.5 * locks.clump)) ** 2))
    points += join[..., None] * (target - points)
    a, b = _frames(points)
    if locks.curl:
        phase = random.uniform(0, 2 * np.pi, n)[leader] + random.normal(0, 0.25, n)
        turn = locks.turn * np.exp(
            0.14 * random.normal(0, 1, n)[leader] + 0.015 * random.normal(0, 1, n)
        )
        radius = locks.curl * np.exp(0.25 * random.normal(0, 1, n)[leader])
        angle = phase[:, None] + 2 * np.pi * along / turn[:, None]
        grown = radius[:, None] * np.clip(along / locks.curl_from, 0, 1) ** 1.2
        offset = a * (np.cos(angle) * grown)[..., None]
        offset += (1 - locks.flat) * b * (np.sin(angle) * grown)[..., None]
        points += offset - offset[:, :1]
    if locks.frizz:
        mess = random.normal(0, 1, (n, 3, 2))
        wild = locks.frizz * np.exp(0.5 * np.clip(random.normal(0, 1, n), -2, 2))
        bend = np.stack([s**1.5, np.sin(2.5 * np.pi * s) * s], 0)
        points += wild[:, None, None] * np.einsum("ncm,mk->nkc", mess, bend) * 0.7


def cut_off(points: np.ndarray, level: np.ndarray) -> None:
    """Shorten strands (n, K, 3) that reach below their level (n,), mm, and respace their points."""
    n, each = points.shape[:2]
    below = points[:, :, 1] < level[:, None]
    first = np.where(below.any(1), below.argmax(1), each - 1)
    share = np.linspace(0, 1, each)[None] * first[:, None]
    low = np.minimum(share.astype(int), each - 2)
    t = (share - low)[..., None]
    row = np.arange(n)[:, None]
    points[:] = points[row, low] * (1 - t) + points[row, low + 1] * t


def tie_up(
    grown: np.ndarray, points: np.ndarray, style: HairStyle, random: np.random.Generator
) -> None:
    """Tie strands (n, M, 3) together, and add (n, K - M, 3) behind the tie: a tail or a bun."""
    (n, first), each = grown.shape[:2], points.shape[1]
    tie = np.array(style.gather)
    axis = tie - np.array([0.0, 25.0, -10.0])
    axis /= np.linalg.norm(axis)
    u = np.cross(axis, [1.0, 0.0, 0.0])
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    angle, radius = random.uniform(0, 2 * np.pi, n), np.sqrt(random.random(n))
    disc = radius[:, None] * (np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v)
    goal = tie + (7 if style.bun == 0 else 12) * disc
    share = np.linspace(0, 1, first)[None, :, None] ** 2
    points[:, :first] = grown + share * (goal - grown[:, -1])[:, None]
    rest = each - first
    t = np.linspace(0, 1, rest + 1)[1:]
    if style.bun:
        centre = tie + 0.45 * style.bun * axis
        start = np.arctan2(disc @ v, disc @ u)[:, None]
        around = (
            start + t * random.uniform(2.5, 5.5, n)[:, None] * random.choice([-1, 1], n)[:, None]
        )
        tilt = random.normal(0, 0.5, n)[:, None] + t * random.normal(0, 0.4, n)[:, None]
        size = style.bun * (0.8 + 0.2 * random.random(n))[:, None, None]
        ball = (np.cos(around) * np.cos(tilt))[..., None] * u
        ball = ball + (np.sin(around) * np.cos(tilt))[..., None] * v
        ball = ball + 0.8 * np.sin(tilt)[..., None] * axis
        ease = np.clip(t * rest / 4, 0, 1)[None, :, None]
        points[:, first:] = (1 - ease) * goal[:, None] + ease * (centre + size * ball)
        return
    # The tail leaves along the axis, and gravity bends it down.
    length = style.tail * np.exp(0.1 * np.clip(random.normal(0, 1, n), -2, 2))
    fall = np.exp(-(t * style.tail) / 38)
    direction = fall[:, None] * axis + (1 - fall)[:, None] * np.array([0.0, -1.0, -0.1])
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    curve = direction.cumsum(0) / rest
    thick = 1 + 2.6 * np.sin(np.pi * np.clip(t, 0, 1) ** 0.6) * (1 - 0.5 * t)
    sway = 3 * np.sin(6 * t)[:, None] * np.array([1.0, 0.0, 0.6]) * t[:, None]
    tail = tie + length[:, None, None] * curve + sway
    across = 7 * (thick[:, None] * disc[:, None])
    # Across the tail, not along its fall.
    across = across - (across * direction).sum(2, keepdims=True) * direction * 0.8
    points[:, first:] = tail + across
