"""Compiled loop over the folds of cloth."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def fold(points, creases, waves, sides, height):
    """Add the height of creases and waves; see `visage.faces.wear.folds`.

    Args:
        points: (B, R, N, 3) float32, mm.
        creases: (B, K, 8) float32: x, y, angle, half length, width, height, bend, and 1 for the
            front or 0 for the back.
        waves: (B, W, 4) float32: number, phase, lean, height.
        sides: (N,) float32, 1 on the front, 0 on the back.
        height: (B, R, N) float32, zeros.
    """
    batch, rows, columns, _ = points.shape
    for b in range(batch):
        for k in range(creases.shape[1]):
            px, py, angle, length, width, tall, bend, front = creases[b, k]
            c, s = math.cos(angle), math.sin(angle)
            for r in range(rows):
                for n in range(columns):
                    dx, dy = points[b, r, n, 0] - px, points[b, r, n, 1] - py
                    along = (dx * c + dy * s) / length
                    across = (dy * c - dx * s) / width + bend * along * along
                    if not (abs(along) < 1 and -4 < across < 7):
                        continue
                    facing = sides[n] if front > 0.5 else 1 - sides[n]
                    fade = (1 - along * along) ** 2
                    # A ridge, and a shallower, wider valley below it.
                    valley = 0.6 * (across - 1.7)
                    ridge = math.exp(-across * across) - 0.55 * math.exp(-valley * valley)
                    height[b, r, n] += tall * facing * fade * ridge
        for w in range(waves.shape[1]):
            number, phase, lean, tall = waves[b, w]
            for r in range(rows):
                for n in range(columns):
                    x, y = points[b, r, n, 0], points[b, r, n, 1]
                    hang = min(max((-y - np.float32(200)) / np.float32(160), 0), 1)
                    if hang > 0:
                        turn = number * (x + lean * y) + phase + sides[n]
                        height[b, r, n] += tall * hang * math.sin(turn)
