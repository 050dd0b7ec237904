"""Lines that a face gets with age, as curves on the mean head.

Each is a groove beside which the skin rises a little. Curves are drawn as seen from the front, in
mm, and laid on the surface; both sides differ.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from visage.faces.shape import MorphableModel
from visage.faces.skin.compiled import near_curve
from visage.faces.skin.fields import noise_field, soft_step, spread_over
from visage.faces.skin.layout import Texels

_REACH = 7.0  # mm from a curve; the widest groove ends before


@dataclass(frozen=True)
class Line:
    """One curve, or a mirrored pair of them, as seen from the front."""

    points: tuple[tuple[float, float], ...]  # x, y in mm, from one end to the other
    width: float  # mm, half of the groove's
    paired: bool = True  # drawn on both sides, unlike each other
    strength: float = 1.0  # relative to the others of its name


LINES: dict[str, tuple[Line, ...]] = {
    "forehead_a": (
        Line(((-40, 39), (-22, 42), (0, 38.5), (22, 42), (40, 39)), 0.95, False),
        Line(((-36, 49), (-20, 52), (0, 49), (20, 52), (37, 48)), 0.95, False),
        Line(((-28, 59), (-14, 61), (0, 59), (15, 61), (27, 59)), 0.9, False, 0.8),
    ),
    "forehead_b": (
        Line(((-38, 44), (-20, 45), (-2, 44), (18, 47), (36, 44)), 0.9, False),
        Line(((-32, 54), (-16, 57), (2, 54), (20, 56), (33, 55)), 0.95, False, 0.9),
        Line(((-22, 65), (-10, 66.5), (4, 65), (18, 67)), 0.8, False, 0.6),
        Line(((-44, 35), (-32, 37.5), (-20, 36)), 0.8, True, 0.6),
    ),
    "glabella": (
        Line(((6.5, 13), (7.2, 20), (8.8, 27)), 1.4),
        Line(((-10, 9), (-9.5, 14), (-10.5, 18)), 1.0, False, 0.5),
        Line(((-6, 5), (0, 3.8), (6, 5)), 0.9, False, 0.5),
    ),
    "crow": (
        Line(((47.5, -2), (53, 1.5), (58, 6.5), (61, 11)), 0.85),
        Line(((48, -4), (54, -3.5), (60, -2.5), (64, -0.5)), 0.85),
        Line(((47, -7), (52, -9.5), (57, -12.5), (60.5, -15)), 0.85),
        Line(((49, -5.5), (54, -6.5), (59, -8)), 0.5, True, 0.6),
    ),
    "under_eye": (
        Line(((18.5, -11), (24, -15.5), (31, -17), (39, -15), (45, -10.5)), 0.7),
        Line(((21, -16), (27, -20), (35, -20.5), (42, -17.5)), 0.8, True, 0.7),
        Line(((24, -12), (30, -13.2), (38, -12.3)), 0.45, True, 0.5),
    ),
    "trough": (Line(((17, -10), (21, -17), (27, -23), (34, -27)), 2.4),),
    "nasolabial": (Line(((18.5, -39.5), (21.5, -46), (25.5, -54), (28, -62), (28.5, -69)), 2.3),),
    "marionette": (Line(((23.5, -71), (25.5, -77), (26.5, -84), (25, -91)), 2.3),),
    "chin_fold": (Line(((-14, -85), (-6, -86.5), (0, -86.8), (6, -86.5), (14, -85)), 1.8, False),),
    "lip_lines": tuple(
        Line(((x, -61.5 + 0.03 * x), (1.12 * x, -57), (1.2 * x, end)), 0.6, True, strength)
        for x, end, strength in (
            (3.8, -55, 0.5), (6.3, -51.5, 1), (9.6, -54, 0.7), (12.2, -50.5, 1), (16, -55, 0.7)
        )
    )
    + tuple(Line(((x, -77), (1.15 * x, end)), 0.6, True, 0.6) for x, end in ((3, -81), (8, -83))),
    "cheek_lines": (
        Line(((36, -38), (38.5, -48), (38, -58), (36, -66)), 1.5, True, 0.8),
        Line(((44, -36), (48, -46), (48.5, -57)), 1.3, True, 0.6),
    ),
    "neck_lines": (
        Line(((-52, -128), (-28, -133), (0, -136), (28, -133), (52, -128)), 1.5, False),
        Line(((-54, -150), (-28, -155), (2, -158), (28, -156), (54, -151)), 1.5, False, 0.9),
        Line(((-50, -171), (-25, -177), (0, -179), (26, -176), (50, -172)), 1.3, False, 0.6),
    ),
}  # fmt: skip
"""The lines of a face by name, about as Lemperle et al. 2001 map them."""


def wrinkle_channels(model: MorphableModel, texels: Texels) -> dict[str, np.ndarray]:
    """Depth of the lines (N,) by name: -1 in the middle of a groove, positive beside it."""
    wrinkled = np.isin(texels.parts, [model.part_names.index(name) for name in ("skin", "neck")])
    # The wing of the nose stands over the fold beside it, and has no lines of its own.
    nose = texels.regions[:, model.region_names.index("nose")]
    wrinkled &= nose < 0.6
    wrinkled &= (texels.normals[:, 2] > -0.2) & (texels.positions[:, 2] > 10)
    rows = np.flatnonzero(wrinkled)
    places = texels.positions[rows]
    step = max(1, len(rows) // 40000)
    surface = cKDTree(places[::step, :2]), places[::step]
    found = {}
    for number, (name, lines) in enumerate(LINES.items()):
        random = np.random.default_rng(number)
        total = np.zeros(len(rows), np.float32)
        for line in lines:
            for side in (1, -1) if line.paired else (1,):
                curve = _laid(_jittered(line, side, random), surface)
                # Where two lines cross, the deeper one counts.
                one = line.strength * _groove(places, curve, line.width)
                total = np.where(np.abs(one) > np.abs(total), one, total)
        wobble = np.clip(0.85 + 0.35 * noise_field(places, 9.0, 900 + number), 0.1, 1.4)
        fading = 1 - soft_step(nose[rows], 0.15, 0.55)
        found[name] = spread_over(total * wobble * fading, rows, len(texels.index))
    return found


def _jittered(line: Line, side: int, random: np.random.Generator) -> np.ndarray:
    """(n, 2) points of a smooth curve through the line's points, a little astray."""
    points = np.array(line.points, np.float64) * [side, 1]
    points = points + random.normal(0, 0.45 * min(line.width, 1.2), points.shape)
    spline = CubicSpline(np.linspace(0, 1, len(points)), points)
    return spline(np.linspace(0, 1, 25))


def _laid(curve: np.ndarray, surface: tuple[cKDTree, np.ndarray]) -> np.ndarray:
    """(n, 3) a curve seen from the front, on the surface there."""
    tree, places = surface
    depth = places[tree.query(curve, k=4)[1], 2].mean(1)
    smooth = np.convolve(np.pad(depth, 2, "edge"), [0.1, 0.2, 0.4, 0.2, 0.1], "valid")
    return np.column_stack([curve, smooth]).astype(np.float32)


def _groove(places: np.ndarray, curve: np.ndarray, width: float) -> np.ndarray:
    distance = np.full(len(places), 1e3, np.float32)
    along = np.zeros(len(places), np.float32)
    near_curve(places, curve, _REACH, distance, along)
    # A line begins and ends gently.
    taper = np.clip(np.sin(np.pi * along), 0, 1) ** 0.7
    thin = width * (0.55 + 0.45 * taper)
    reached = distance / thin
    groove = -np.exp(-(reached**2)) + 0.22 * np.exp(-0.5 * ((reached - 2.2) / 0.9) ** 2)
    return (taper * groove * (distance < _REACH)).astype(np.float32)
