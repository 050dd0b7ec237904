"""Hair for the page: a few thousand strands a style, which the page multiplies.

A strand is a polyline on the mean head, bound to the skin at its root, and lashes also at their
tips; the page moves it as the skin there moves, and draws copies of it nearby.
"""

from dataclasses import dataclass

import numpy as np

from visage.faces.hair.facial import beard, brows, lashes
from visage.faces.hair.growth import grow
from visage.faces.hair.rooted import bind_roots
from visage.faces.hair.scalp import Head, head_of
from visage.faces.hair.styles import STYLES
from visage.faces.shape import MorphableModel

STEP = 0.1  # mm of a stored level, of the scalp
FINE_STEP = 0.02  # of brows and lashes, which are near
SEED = 11


@dataclass(frozen=True)
class Tuft:
    """How much of a style the page gets."""

    strands: int
    points: int  # a strand; curls need many
    width: float  # mm
    copies: int = 1  # drawn of each strand
    apart: float = 0.0  # mm between a strand and its copies
    step: float = STEP
    dark: float = 1.0  # factor of the colour of the hair


TUFTS: dict[str, Tuft] = {
    "crop": Tuft(strands=4200, points=8, width=0.3, copies=5, apart=2.2),
    "side_part": Tuft(strands=3600, points=12, width=0.3, copies=5, apart=2.4),
    "bob": Tuft(strands=2600, points=16, width=0.32, copies=5, apart=2.8),
    "long_wavy": Tuft(strands=2300, points=26, width=0.32, copies=5, apart=3.0),
    "curly": Tuft(strands=2300, points=30, width=0.32, copies=4, apart=3.2),
    "beard": Tuft(strands=2600, points=6, width=0.22, copies=2, apart=1.6),
    "brows": Tuft(strands=760, points=5, width=0.12, step=FINE_STEP, dark=0.8),
    "lashes": Tuft(strands=330, points=6, width=0.09, step=FINE_STEP, dark=0.3),
}
"""What is exported, by name: the styles of the scalp, and what grows in the face."""


def hair_arrays(model: MorphableModel) -> dict[str, np.ndarray]:
    """Grow everything in `TUFTS`.

    Returns:
        For each name: `hair_<name>_points` (S, 3, K) int16 in steps of the tuft's,
        `hair_<name>_openness` (S, K) uint8, `hair_<name>_index` (S, C, 4) uint16 and
        `hair_<name>_weights` (S, C, 4) uint8: which vertices the root (and, if C is 2, the tip)
        follows.
    """
    head = head_of(model)
    arrays = {}
    for name, tuft in TUFTS.items():
        grown = _grown(model, head, name, tuft)
        arrays |= {f"hair_{name}_{key}": value for key, value in _packed(tuft, *grown).items()}
    return arrays


def _grown(model: MorphableModel, head: Head, name: str, tuft: Tuft) -> tuple[np.ndarray, ...]:
    """Points (S, K, 3), openness (S, K), and index and weights (S, C, 4)."""
    if name in STYLES:
        ears = model.regions["ears"].numpy()
        roots, points, openness, _ = grow(head, STYLES[name], ears, tuft.strands, SEED)
        return points, openness, *bind_roots(roots)
    if name == "beard":
        rooted = beard(model, head, "short_beard", scale=1.2, density=0.6, seed=SEED)
    elif name == "brows":
        shape = {"thickness": 0.95, "arch": 0.0, "lift": -1.0}
        rooted = brows(head, count=tuft.strands, width=tuft.width, seed=SEED, **shape)
    else:
        rooted = lashes(model, head, length=7.5, count=100, width=tuft.width, seed=SEED)
    return rooted.points, rooted.openness, rooted.index, rooted.weights


def _packed(
    tuft: Tuft, points: np.ndarray, openness: np.ndarray, index: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    kept = slice(0, tuft.strands)
    ends = [0] if index.shape[1] == 1 or tuft.step == STEP else [0, -1]
    at = np.linspace(0, points.shape[1] - 1, tuft.points)
    low = np.minimum(at.astype(int), points.shape[1] - 2)
    part = at - low
    points, openness = points[kept], openness[kept]
    between = points[:, low] * (1 - part[:, None]) + points[:, low + 1] * part[:, None]
    light = openness[:, low] * (1 - part) + openness[:, low + 1] * part
    return {
        "points": np.rint(between.transpose(0, 2, 1) / tuft.step).astype(np.int16),
        "openness": np.rint(light * 255).astype(np.uint8),
        "index": index[kept][:, ends].astype(np.uint16),
        "weights": np.rint(weights[kept][:, ends] * 255).astype(np.uint8),
    }
