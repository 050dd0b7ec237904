"""Measures of a head, taken at fixed vertices, and the ranges that adults fall into.

The ranges are ours, rounded: about the 0.5th percentile of women to the 99.5th of men in surveys
of adults (Zhuang et al. 2010, "Facial anthropometric differences among gender, ethnicity, and age
groups", 3,997 people of working age, is the largest that measures faces), widened where a vertex
is not exactly the survey's landmark. The ratios are what no single measure catches: skulls that
taper like a cone, jaws wider than the cheeks.
"""

import numpy as np

from tools.face_world.crop import Crop

LIMITS = {
    "head breadth": (132, 174),
    "head length": (168, 222),
    "face breadth": (112, 160),  # across the cheek bones
    "jaw breadth": (84, 144),  # at the angles of the jaw
    "face length": (96, 144),  # chin to the root of the nose
    "vertex height": (92, 132),  # top of the head above the eyes
    "nose breadth": (25, 52),
    "nose length": (38, 64),
    "nose protrusion": (6, 22),
    "mouth breadth": (38, 66),
    "lip height": (7, 31),
    "lip to chin": (22, 50),
    "pupils": (52, 75),  # between the eyes' centres
    "ear height": (44, 74),
    "jaw / face breadth": (0.68, 0.96),
    "crown / head breadth": (0.76, 0.92),  # at seven tenths of the height above the eyes
    "chin / jaw breadth": (0.36, 0.72),
    "vertex / face length": (0.76, 1.24),
    "breadth / length of head": (0.68, 0.92),  # the cephalic index
}


class Measures:
    """Reads measures off heads that share the topology of `kept`."""

    def __init__(self, kept: Crop, lips: np.ndarray, ears: np.ndarray):
        p = kept.points
        skin = np.zeros(len(p), bool)
        skin[kept.vertices("skin")] = True
        x, y, z = p.T
        bare = skin & (ears < 0.02)
        self.crown = np.flatnonzero(bare & (y > 80) & (y < 92))
        self.skull = np.flatnonzero(bare & (y > 10))
        self.face = np.flatnonzero(bare & (y > -45) & (y < -5) & (z > 20))
        self.jaw = np.flatnonzero(bare & (y > -80) & (y < -55) & (z > 12) & (z < 55))
        self.chin = np.flatnonzero(bare & (y > -102) & (y < -92) & (z > 70))
        self.wings = np.flatnonzero(bare & (y > -46) & (y < -30) & (np.abs(x) < 22) & (z > 98))
        self.lips = np.flatnonzero(skin & (lips > 0.5))
        self.ear = np.flatnonzero(skin & (ears > 0.5) & (x > 0))
        self.skin = np.flatnonzero(skin)
        eyes = kept.vertices("eyes")
        self.eyes = [eyes[p[eyes, 0] * side > 0] for side in (1, -1)]
        midline = np.flatnonzero(skin & (np.abs(x) < 0.5) & (z > 60))
        self.root = _extreme(midline, (y > -12) & (y < 12), -z)
        self.tip = _extreme(midline, (y > -45) & (y < -10), z)
        self.base = _extreme(midline, (y > -55) & (y < y[self.tip] - 3), -z)
        self.brow = np.flatnonzero(skin & (np.abs(x) < 0.5) & (y > 12) & (y < 35) & (z > 60))
        self.menton = _extreme(midline, z > 85, -y)

    def __call__(self, head: np.ndarray) -> dict[str, float]:
        """Measures of a head (V, 3) in mm, upright as the base mesh is."""

        def breadth(index):
            return float(np.ptp(head[index, 0]))

        def apart(a, b):
            return float(np.linalg.norm(head[a] - head[b]))

        left, right = (head[eye].mean(0) for eye in self.eyes)
        crown, skull, face = breadth(self.crown), breadth(self.skull), breadth(self.face)
        jaw, length = breadth(self.jaw), apart(self.menton, self.root)
        back = head[self.skin, 2].min()
        depth = float(head[self.brow, 2].max() - back)
        vertex = float(head[self.skin, 1].max() - (left + right)[1] / 2)
        return {
            "head breadth": skull,
            "head length": depth,
            "face breadth": face,
            "jaw breadth": jaw,
            "face length": length,
            "vertex height": vertex,
            "nose breadth": breadth(self.wings),
            "nose length": apart(self.root, self.base),
            "nose protrusion": float(head[self.tip, 2] - head[self.base, 2]),
            "mouth breadth": breadth(self.lips),
            "lip height": float(np.ptp(head[self.lips, 1])),
            "lip to chin": float(head[self.lips, 1].min() - head[self.menton, 1]),
            "pupils": float(np.linalg.norm(left - right)),
            "ear height": float(np.ptp(head[self.ear, 1])),
            "jaw / face breadth": jaw / face,
            "crown / head breadth": crown / skull,
            "chin / jaw breadth": breadth(self.chin) / jaw,
            "vertex / face length": vertex / length,
            "breadth / length of head": skull / depth,
        }

    def plausible(self, head: np.ndarray) -> bool:
        """Whether every measure lies within its limits."""
        found = self(head)
        return all(low <= found[name] <= high for name, (low, high) in LIMITS.items())


def _extreme(candidates: np.ndarray, where: np.ndarray, value: np.ndarray) -> int:
    chosen = candidates[where[candidates]]
    return int(chosen[np.argmax(value[chosen])])
