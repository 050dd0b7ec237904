"""The small canvas that backgrounds are painted on, with its tools."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from visage.faces.backgrounds.compiled import paint_boxes, paint_discs

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
    # Paints and cloths are brown to yellow or blue more often than pink or green. Plain numbers,
    # because a shelf of books asks for a hundred colours.
    kind, hue, strength = random.random(), random.random(), random.uniform(0.35, 1)
    warmth, gain = random.normal(0.3, 1), random.normal(0, 0.4)
    if kind < 0.75:
        hue = 0.08 + 0.1 * (hue - 0.5) if kind < 0.42 else 0.6 + 0.12 * (hue - 0.5)
    grey = 1 - (1 - muted) * strength
    colour = []
    for phase, tint in ((0, 1.0), (2 / 3, 0.96), (1 / 3, 0.9)):
        pure = min(max(6 * abs((hue + phase) % 1 - 0.5) - 1, 0.0), 1.0)
        colour.append((grey + (1 - grey) * pure) * tint**warmth)
    scale = 3 * level * math.exp(gain) / sum(colour)
    return np.array([scale * c for c in colour])
