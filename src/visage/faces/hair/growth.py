"""Growing a head of hair on the mean head: roots, length, comb, locks, curls, openness."""

import numpy as np

from visage.faces.hair import compiled_growth
from visage.faces.hair.locks import curl_locks, cut_off, tie_up
from visage.faces.hair.scalp import Head, Roots, inside_hairline, scatter, skull_map
from visage.faces.hair.styles import HairStyle

_CROWN = np.array([6.0, 88.0, -42.0])  # mm; whorls lie a little to one side
_MIDDLE = np.array([0.0, 30.0, -8.0])  # mm, of a ball of hair
_SOFT = 9.0  # mm over which hair sets in at the hairline
_LEAST = 0.4  # mm over the skin
_FADE = 22.0  # mm into the hair over which the surroundings' light fades
_DARKEST = 0.22


def roots_of(
    head: Head, style: HairStyle, ears: np.ndarray, count: int, random: np.random.Generator
) -> tuple[Roots, np.ndarray]:
    """Where a style grows, and how far inside of the hairline that is (n,), mm.

    Args:
        head: of the model.
        style: whose hairline it is.
        ears: (V,) in [0, 1], where nothing grows.
        count: how many.
        random: generator.
    """
    shape = {"height": style.height, "recession": style.recession}
    depth = inside_hairline(head.vertices, **shape)
    rough = np.clip((depth + 14) / 14, 0, 1) * (ears < 0.5)
    skin = np.zeros(len(head.vertices))
    skin[head.outside] = 1
    roots = scatter(head, rough * skin, 2 * count + 200, random)
    # The edge wanders by a few mm, in tufts, and dissolves.
    flat = skull_map(roots.points)
    wander = sum(
        np.cos(flat @ random.normal(0, 1 / scale, 2) + random.uniform(0, 6.3)) * scale / 9
        for scale in (28, 14, 9, 6, 4)
    )
    depth = inside_hairline(roots.points, **shape) + wander
    chance = np.clip(depth / _SOFT, 0, 1) ** 1.3
    if style.bald:
        chance = chance * (1 - _bare(flat, style.bald))
    ear = (ears[roots.corners] * roots.weights).sum(1)
    kept = random.random(len(roots)) < chance * (ear < 0.3)
    kept = kept.nonzero()[0][:count]
    return roots[kept], depth[kept]


def _bare(flat: np.ndarray, bald: float) -> np.ndarray:
    """Share of hairs that are lost at places (n, 2) of the skull's map: the crown, then the top."""
    x, y = flat.T
    # An ellipse round the crown that grows forward until it joins the forehead.
    reach = 30 + 75 * bald
    ellipse = np.hypot(x / (26 + 30 * bald), (y - 12 - 45 * bald) / reach)
    return np.clip((1.15 - ellipse) / 0.3, 0, 1) * min(1.0, 0.55 + 0.5 * bald)


def grow(
    head: Head, style: HairStyle, ears: np.ndarray, count: int, seed: int
) -> tuple[Roots, np.ndarray, np.ndarray, np.ndarray]:
    """Grow one head of hair.

    Args:
        head: of the model.
        style: how.
        ears: (V,) in [0, 1].
        count: strands at most.
        seed: of everything random.

    Returns:
        roots: n of them, in random order.
        points: (n, K, 3) float32, mm, on the mean head; the first are the roots.
        openness: (n, K) float32.
        fineness: (n,) float32, relative width: finer at the hairline.
    """
    random = np.random.default_rng(seed)
    roots, depth = roots_of(head, style, ears, int(count * style.density), random)
    n = len(roots)
    p = roots.points
    edge = np.clip(depth / 16, 0, 1)
    above = np.clip((p[:, 1] - 15) / 45, 0, 1)  # 0 over the ear, 1 on top
    low = np.clip((-5 - p[:, 1]) / 45, 0, 1) * (p[:, 2] < 0)
    above, low = (3 * t**2 - 2 * t**3 for t in (above, low))
    length = style.sides + (style.length - style.sides) * above + (style.nape - style.sides) * low
    if style.up:  # a quiff is long at the front
        length = np.maximum(length * np.clip((p[:, 2] + 90) / 150, 0.3, 1), style.nape)
    front = p[:, 2] > 30
    if style.length < 120:  # sideburns and temples are cut short
        length = np.where(front & (p[:, 1] < 30), np.minimum(length, 16), length)
    comb, pull = _comb(p, style, random)
    guard = np.full(n, style.guard)
    if style.fringe:
        zone = np.clip((style.fringe_half + random.normal(0, 4, n) - np.abs(p[:, 0])) / 6, 0, 1)
        zone *= np.clip((p[:, 2] - 32 + 0.2 * random.normal(0, 9, n)) / 12, 0, 1) * (p[:, 1] > 45)
        fringe = random.random(n) < zone
        length = np.where(fringe, style.fringe + 0.55 * (88 - p[:, 2]).clip(0), length)
        forward = np.stack([0.006 * p[:, 0], np.full(n, -0.2), np.full(n, 1.0)], 1)
        comb = np.where(fringe[:, None], forward, comb)
        pull = np.where(fringe, 0, pull)
        guard = np.where(fringe, 0, guard)
    if style.sphere:
        trimmed = style.sphere - np.linalg.norm(p - _MIDDLE, axis=1)
        length = np.minimum(length, np.maximum(trimmed, 6) * (length / style.length) ** 0.3)
    noise = np.clip(random.normal(0, 1, n), -2, 2)
    length = length * np.exp(style.spread * noise) * (0.45 + 0.55 * edge)
    layer = style.volume * (0.08 + 0.92 * random.random(n) ** 0.8) * (0.35 + 0.65 * edge)
    layer = np.minimum(layer, 0.3 * length)
    points = np.empty((n, style.points, 3))
    settings = (style.lift, style.lifted, style.stiffness, style.gravity, style.hold)
    field = (head.distance, head.low, head.cell)
    grown = points
    centre = _CROWN
    if style.gather:
        centre = np.array(style.gather)
        grown = np.empty((n, int(0.45 * style.points), 3))
        length = 1.1 * np.linalg.norm(centre - p, axis=1)
        pull = -pull
    compiled_growth.grow(
        p, roots.normals, length, layer, comb, pull, guard, centre, settings, *field, grown
    )
    for _ in range(3):
        # Steps in and out of the layer leave kinks.
        middle = grown[:, 1:-1].copy()
        grown[:, 1:-1] = 0.5 * middle + 0.25 * (grown[:, :-2] + grown[:, 2:])
    if style.gather:
        tie_up(grown, points, style, random)
    curl_locks(points, roots, style.locks, random)
    if style.cut > -1000:
        cut_off(points, style.cut + random.normal(0, 2.5, n))
    least = np.full(style.points, _LEAST)
    compiled_growth.push_out(points, least, *field)
    points[:, 0] = p
    fineness = (style.width * (0.35 + 0.65 * edge)).astype(np.float32)
    return roots, points.astype(np.float32), openness(points), fineness


def _comb(
    p: np.ndarray, style: HairStyle, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Directions (n, 3) and pulls (n,) of the comb at roots (n, 3)."""
    n = len(p)
    pull = np.full(n, 1.0 if style.gather else style.whorl)
    comb = np.zeros((n, 3))
    # Behind the crown, what is combed back goes down.
    ahead = np.clip((p[:, 2] + 70) / 70, 0, 1)
    comb[:, 2] -= style.back * ahead
    comb[:, 1] -= 0.9 * style.back * (1 - ahead)
    if style.up:
        front = np.clip((p[:, 2] - 10) / 50, 0, 1) * (p[:, 1] > 50)
        comb[:, 1] += style.up * front
    if style.part:
        side = np.where(p[:, 0] + random.normal(0, 0.7, n) < style.part_at, -1.0, 1.0)
        # The wide side is combed over the top, the narrow one down.
        comb[:, 0] += style.part * side
        comb[:, 1] -= 0.3 * style.part
    comb += random.normal(0, 0.08, (n, 3)) * (np.abs(comb).sum(1, keepdims=True) + pull[:, None])
    return comb, pull


def openness(points: np.ndarray) -> np.ndarray:
    """Share of the surroundings' light that reaches points (n, K, 3) of a head of hair.

    exp(-depth/fade), depth below the hair's outside in the same direction from the head's axis.

    Returns:
        (n, K) float32, in [0.22, 1].
    """
    if points.size == 0:
        return np.zeros(points.shape[:2], np.float32)
    flat = points.reshape(-1, 3)
    axis = np.stack([0 * flat[:, 0], np.minimum(flat[:, 1], 35), 0 * flat[:, 2] - 5], 1)
    away = flat - axis
    radius = np.linalg.norm(away, axis=1)
    up = np.arcsin(np.clip(away[:, 1] / (radius + 1e-9), -1, 1))
    row = np.where(flat[:, 1] > 35, 40 + up / (np.pi / 2) * 10, 40 + (flat[:, 1] - 35) / 12)
    row = np.clip(row, 0, 50).astype(int)
    column = ((np.arctan2(away[:, 0], away[:, 2]) / (2 * np.pi) + 0.5) * 36).astype(int) % 36
    cell = row * 36 + column
    # The outside is the 90th percentile of each direction, roughly: mean plus 1.3 deviations.
    count = np.bincount(cell, minlength=51 * 36).clip(1)
    mean = np.bincount(cell, radius, 51 * 36) / count
    square = np.bincount(cell, radius**2, 51 * 36) / count
    outside = (mean + 1.3 * np.sqrt(np.maximum(square - mean**2, 0)))[cell]
    depth = np.maximum(outside - radius, 0)
    crowd = 1 - np.exp(-count[cell] / 12)
    light = 1 - crowd * (1 - np.exp(-depth / _FADE))
    return np.maximum(light, _DARKEST).reshape(points.shape[:2]).astype(np.float32)
