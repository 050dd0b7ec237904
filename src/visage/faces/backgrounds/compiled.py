"""Compiled loops that paint backgrounds: soft rectangles and discs on a canvas."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def paint_boxes(canvas, boxes, colours):
    """Paint rectangles over a canvas (S, S, 3), one after another, edges antialiased.

    Args:
        canvas: (S, S, 3) float32, overwritten where a box lies.
        boxes: (N, 5), left, top, right, bottom in cells, and opacity.
        colours: (N, 3).
    """
    size = canvas.shape[0]
    for k in range(len(boxes)):
        left, top, right, bottom, opacity = boxes[k]
        for y in range(max(0, int(np.floor(top))), min(size, int(np.ceil(bottom)))):
            tall = min(y + 1.0, bottom) - max(float(y), top)
            for x in range(max(0, int(np.floor(left))), min(size, int(np.ceil(right)))):
                wide = min(x + 1.0, right) - max(float(x), left)
                share = opacity * max(0.0, tall) * max(0.0, wide)
                for c in range(3):
                    canvas[y, x, c] += share * (colours[k, c] - canvas[y, x, c])


@njit(cache=True, nogil=True, error_model="numpy")
def paint_discs(canvas, discs, colours):
    """Paint discs, such as lights out of focus, over a canvas (S, S, 3).

    Args:
        canvas: (S, S, 3) float32.
        discs: (N, 6), x, y, radius and softness of the edge in cells, opacity, and 1 to add light
            or 0 to cover.
        colours: (N, 3).
    """
    size = canvas.shape[0]
    for k in range(len(discs)):
        px, py, radius, soft, opacity, adds = discs[k]
        reach = radius + soft
        for y in range(max(0, int(py - reach)), min(size, int(py + reach) + 2)):
            for x in range(max(0, int(px - reach)), min(size, int(px + reach) + 2)):
                away = np.sqrt((x + 0.5 - px) ** 2 + (y + 0.5 - py) ** 2)
                share = opacity * min(max((reach - away) / (2 * soft), 0.0), 1.0)
                if share <= 0:
                    continue
                for c in range(3):
                    if adds > 0.5:
                        canvas[y, x, c] += share * colours[k, c]
                    else:
                        canvas[y, x, c] += share * (colours[k, c] - canvas[y, x, c])
