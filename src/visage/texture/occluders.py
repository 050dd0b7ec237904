"""Things in the way of a face: hands, shapes textured from other pictures, bars and edges.

Saito, Li and Li ("Real-time facial segmentation and performance capture from RGB input", 2016)
paste hands and random occluders over photographs to train their segmentation network; so do we,
over rendered people. A hand is a handful of capsules that are lit as round things are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, shift

HAND = "hand"
OBJECT = "object"
KINDS = (HAND, OBJECT)
"""What can be laid over a face."""

_SOFT = 0.7  # pixels over which an edge fades
_SKIN_SPREAD = 0.12  # of the logarithm of a hand's colour about the face's: hands tan more


@dataclass(frozen=True, eq=False)
class Occluder:
    """A layer over a picture of S pixels a side."""

    alpha: np.ndarray  # (S, S) in [0, 1]
    colour: np.ndarray  # (S, S, 3), sRGB in [0, 1]

    def over(self, picture: np.ndarray, shade: float, offset: tuple[float, float]) -> np.ndarray:
        """The picture (S, S, 3) behind the layer, in the layer's soft shadow.

        Args:
            picture: sRGB in [0, 1].
            shade: 0 to 1, how dark the shadow is.
            offset: pixels, down and right, by which the shadow is displaced.
        """
        shadow = gaussian_filter(shift(self.alpha, offset, order=1, mode="nearest"), 2.5)
        behind = picture * (1 - shade * shadow[..., None])
        return behind + self.alpha[..., None] * (self.colour - behind)


def draw_occluder(
    random: np.random.Generator, kind: str, skin: np.ndarray, texture: np.ndarray
) -> Occluder:
    """Draw something that hides a part of the middle of a picture.

    Args:
        random: decides everything.
        kind: of `KINDS`.
        skin: (3,), colour of the face's skin, sRGB in [0, 1].
        texture: (S, S, 3), another picture, sRGB in [0, 1]; objects are cut from it.

    >>> layer = draw_occluder(np.random.default_rng(0), "hand", np.ones(3), np.ones((64, 64, 3)))
    >>> layer.alpha.shape, bool(layer.alpha.max() == 1)
    ((64, 64), True)
    """
    side = len(texture)
    if kind == HAND:
        return _hand(random, skin, texture)
    shapes = (_blob, _card, _bar, _edge)
    alpha = shapes[random.choice(len(shapes), p=(0.4, 0.25, 0.2, 0.15))](random, side)
    return Occluder(alpha, _painted(random, texture))


def _painted(random: np.random.Generator, texture: np.ndarray) -> np.ndarray:
    """Colours (S, S, 3) of an object: another picture's, turned and tinted, or nearly plain."""
    side = len(texture)
    if random.random() < 0.35:
        plain = random.uniform(0.02, 0.95, 3) ** random.uniform(0.7, 1.5)
        grain = gaussian_filter(random.standard_normal((side, side)), random.uniform(1, 8))
        return (plain + 0.06 * (grain / grain.std())[..., None] * random.random()).clip(0, 1)
    turned = np.rot90(texture, random.integers(4))
    start = random.integers(0, side // 2, 2)
    part = turned[start[0] : start[0] + side // 2, start[1] : start[1] + side // 2]
    part = part.repeat(2, 0).repeat(2, 1)[:side, :side]
    part = np.pad(part, ((0, side - len(part)), (0, side - part.shape[1]), (0, 0)), mode="edge")
    # A tint, so that a stranger's skin in it is not the rule.
    return (part[..., random.permutation(3)] * random.uniform(0.5, 1.3, 3)).clip(0, 1)


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (S, S), x to the right and y down, in sides from the middle."""
    line = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    return line[None].repeat(side, 0), line[:, None].repeat(side, 1)


def _solid(distance: np.ndarray) -> np.ndarray:
    """Cover of what is inside where the distance (S, S), in sides, is negative."""
    return (0.5 - distance * len(distance) / (2 * _SOFT)).clip(0, 1)


def _blob(random: np.random.Generator, side: int) -> np.ndarray:
    """A closed curve of a few waves."""
    x, y = _grid(side)
    centre, radius = random.normal(0, 0.2, 2), random.uniform(0.07, 0.24)
    angle = np.arctan2(y - centre[1], x - centre[0])
    away = np.hypot(x - centre[0], y - centre[1])
    outline = np.full_like(angle, radius)
    for wave in range(1, 6):
        outline += (
            radius
            * random.normal(0, 0.35 / wave)
            * np.cos(wave * angle + random.uniform(0, 2 * math.pi))
        )
    return _solid(away - outline.clip(0.2 * radius))


def _card(random: np.random.Generator, side: int) -> np.ndarray:
    """A rectangle with round corners: a book, a telephone, a piece of paper."""
    x, y = _turned(random, side, random.normal(0, 0.22, 2))
    half, corner = random.uniform(0.06, 0.22, 2), random.uniform(0, 0.04)
    dx, dy = np.abs(x) - half[0] + corner, np.abs(y) - half[1] + corner
    outside = np.hypot(dx.clip(0), dy.clip(0))
    return _solid(outside + np.minimum(np.maximum(dx, dy), 0) - corner)


def _bar(random: np.random.Generator, side: int) -> np.ndarray:
    """A microphone, a cable, a branch: from beyond the picture into it."""
    x, y = _turned(random, side, random.normal(0, 0.18, 2))
    thick = random.uniform(0.012, 0.07)
    return _solid(np.hypot(x.clip(0), y) - thick)


def _edge(random: np.random.Generator, side: int) -> np.ndarray:
    """All beyond a wavy line: a scarf, a collar, a hat, a mask over the mouth."""
    x, y = _turned(random, side, (0.0, 0.0), turn=random.normal(0, 0.35))
    wave = random.normal(0, 0.03) * np.cos(random.uniform(3, 14) * x + random.uniform(0, 6))
    bow = random.normal(0, 0.5) * x * x
    below = random.random() < 0.7
    line = random.uniform(0.08, 0.4) if below else -random.uniform(0.25, 0.42)
    distance = line + wave + bow - y
    return _solid(distance if below else -distance)


def _turned(
    random: np.random.Generator, side: int, centre, turn: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    x, y = _grid(side)
    turn = random.uniform(0, 2 * math.pi) if turn is None else turn
    cosine, sine = math.cos(turn), math.sin(turn)
    x, y = x - centre[0], y - centre[1]
    return cosine * x + sine * y, cosine * y - sine * x


def _hand(random: np.random.Generator, skin: np.ndarray, texture: np.ndarray) -> Occluder:
    """Palm, fingers and forearm, or a forearm alone; with a sleeve, or bare."""
    side = len(texture)
    size = random.uniform(0.75, 1.2)
    reach = random.uniform(0, 2 * math.pi)
    towards = np.array([math.cos(reach), math.sin(reach)])
    wrist = random.normal(0, 0.1, 2) - towards * random.uniform(0.12, 0.36)
    alone = random.random() < 0.15
    capsules = [] if alone else _fingers(random, wrist, reach, size)
    forearm = (wrist - 0.9 * towards, wrist + 0.04 * towards, 0.13 * size, 0.105 * size)
    alpha, normal, owner = _rounded([*capsules, forearm], side)
    light = random.normal((0, -0.6, 1.2), 1)
    lit = (normal @ (light / np.linalg.norm(light))).clip(0)
    ambient = random.uniform(0.45, 0.85)
    shade = ambient + (1.15 - ambient) * lit
    colour = skin * np.exp(random.normal(0, _SKIN_SPREAD) + random.normal(0, 0.04, 3))
    patches = gaussian_filter(random.standard_normal((side, side)), 6)
    mottle = 1 + 0.04 * patches / patches.std()
    painted = colour * (shade * mottle)[..., None]
    if random.random() < 0.5:  # a sleeve
        sleeve = (owner == len(capsules))[..., None]
        painted = np.where(sleeve, _painted(random, texture) * shade[..., None], painted)
    return Occluder(alpha, painted.clip(0, 1).astype(np.float32))


def _fingers(random: np.random.Generator, wrist: np.ndarray, reach: float, size: float) -> list:
    """Capsules (from, to, radius, radius), in sides, of the palm, four fingers and the thumb."""
    hand = 0.6 * size  # from the wrist to the tip of the middle finger
    along = np.array([math.cos(reach), math.sin(reach)])
    across = np.array([-along[1], along[0]]) * random.choice([-1, 1])
    knuckles = wrist + 0.5 * hand * along
    palm = [
        (wrist + k * 0.17 * hand * across, knuckles + k * 0.21 * hand * across, *[0.13 * hand] * 2)
        for k in (-1, -0.33, 0.33, 1)
    ]
    spread, curl = random.uniform(0.0, 0.22), random.uniform(0.35, 1.0)
    fingers = []
    for k, length in zip((-1, -0.33, 0.33, 1), (0.40, 0.5, 0.48, 0.38), strict=True):
        start, turn = knuckles + k * 0.24 * hand * across, k * spread + random.normal(0, 0.05)
        bend, own = random.normal(0, 0.12), length * curl * random.uniform(0.85, 1.1)
        for part, thick in ((0.55, 0.085), (0.45, 0.075)):
            way = math.cos(turn) * along + math.sin(turn) * across
            end = start + part * own * hand * way
            fingers.append((start, end, thick * hand, (thick - 0.01) * hand))
            start, turn = end, turn + bend
    side = random.choice([-1, 1])
    out = random.uniform(0.3, 1.0)
    way = math.cos(out) * along + side * math.sin(out) * across
    root = wrist + 0.15 * hand * along + side * 0.2 * hand * across
    thumb = (root, root + 0.42 * hand * way, 0.105 * hand, 0.08 * hand)
    return [*palm, *fingers, thumb]


def _rounded(capsules: list, side: int):
    """Cover (S, S), normals (S, S, 3) and index of the highest of tapering capsules."""
    line = ((np.arange(side) + 0.5) / side - 0.5).astype(np.float32)
    height = np.full((side, side), -1.0, np.float32)
    nearest = np.full((side, side), 1.0, np.float32)
    normal = np.zeros((side, side, 3), np.float32)
    owner = np.full((side, side), -1)
    for index, (start, end, first, last) in enumerate(capsules):
        # Only the box round a capsule: a finger is a hundredth of the picture.
        thick = max(first, last) + 2 / side
        low, high = np.minimum(start, end) - thick, np.maximum(start, end) + thick
        columns, rows = (slice(*np.searchsorted(line, (low[k], high[k]))) for k in (0, 1))
        if columns.start == columns.stop or rows.start == rows.stop:
            continue
        dx, dy = line[None, columns] - start[0], line[rows, None] - start[1]
        axis = end - start
        share = (dx * axis[0] + dy * axis[1]) / max(axis @ axis, 1e-9)
        share = share.clip(0, 1).astype(np.float32)
        dx, dy = dx - share * axis[0], dy - share * axis[1]
        radius, away = first + share * (last - first), np.hypot(dx, dy)
        up = np.sqrt((radius**2 - away**2).clip(0))
        box = rows, columns
        nearest[box] = np.minimum(nearest[box], away - radius)
        higher = (away < radius) & (up > height[box])
        height[box] = np.where(higher, up, height[box])
        facing = np.stack([dx, dy, up], -1) / np.maximum(radius, 1e-6)[..., None]
        normal[box] = np.where(higher[..., None], facing, normal[box])
        owner[box] = np.where(higher, index, owner[box])
    return _solid(nearest), normal, owner
