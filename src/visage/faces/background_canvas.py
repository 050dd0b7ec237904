"""The small canvas that backgrounds are painted on, with its tools."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from visage.faces.compiled_backgrounds import paint_boxes, paint_discs

CANVAS = 120
"""Cells on a side."""

MARGIN = 12
"""Cells beyond the picture on each side, so that blur has something to draw from."""

INSIDE = CANVAS - 2 * MARGIN
"""Cells across the picture."""


@dataclass(eq=False)
class Canvas:
    """Light on a canvas, to be seen out of focus. Painting changes `light` in place."""

    light: np.ndarray  # (CANVAS, CANVAS, 3), linear
    defocus: float  # standard deviation of the blur, hundredths of the picture's longer side
    exposure: float  # mean of the finished picture

    def __post_init__(self):
        self.light = np.ascontiguousarray(self.light, dtype=np.float32)

    def boxes(self, boxes, colours) -> None:
        """Cover rectangles (N, 5): left, top, right, bottom in cells, and opacity."""
        if len(boxes):
            paint_boxes(self.light, np.array(boxes, np.float64), np.array(colours, np.float64))

    def discs(self, discs, colours) -> None:
        """Paint discs (N, 6): x, y, radius, softness in cells, opacity, adding (1) or not (0)."""
        if len(discs):
            paint_discs(self.light, np.array(discs, np.float64), np.array(colours, np.float64))


def cells(place):
    """Normalised coordinates (0 to 1 in the picture) to cells."""
    return MARGIN + np.asarray(place) * INSIDE


def noise(random: np.random.Generator, scales: tuple[int, ...]) -> np.ndarray:
    """(CANVAS, CANVAS) smooth noise of variance about 1; scales are blobs across the canvas."""
    total = np.zeros((CANVAS, CANVAS))
    for octave, count in enumerate(scales):
        spread = _spread(count)
        total += 0.6**octave * (spread @ random.standard_normal((count + 2, count + 2)) @ spread.T)
    return (total * 1.5).astype(np.float32)


@lru_cache(maxsize=32)
def _spread(count: int) -> np.ndarray:
    """(CANVAS, count + 2) cubic B-spline weights."""
    place = np.linspace(0.5, count + 0.5, CANVAS)
    off = np.abs(place[:, None] - np.arange(count + 2))
    near = 2 / 3 - off**2 + off**3 / 2
    far = (2 - off).clip(0) ** 3 / 6
    return np.where(off < 1, near, far)


def shades(random: np.random.Generator, level: float, *, muted: float) -> np.ndarray:
    """(3,) a colour of about the given level; muted from 0 (strong) to 1 (grey)."""
    # Paints and cloths are blue or brown to yellow more often than pink or green.
    hue = random.choice([random.normal(0.08, 0.05), random.normal(0.6, 0.06), random.uniform()],
                        p=[0.42, 0.33, 0.25])  # fmt: skip
    phase = (hue + np.array([0, 2 / 3, 1 / 3])) % 1
    pure = np.clip(6 * np.abs(phase - 0.5) - 1, 0, 1)
    grey = 1 - (1 - muted) * random.uniform(0.35, 1)
    warmth = np.array([1.0, 0.96, 0.9]) ** random.normal(0.3, 1)
    colour = (grey + (1 - grey) * pure) * warmth
    return colour / colour.mean() * level * np.exp(random.normal(0, 0.4))
