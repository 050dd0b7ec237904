"""Histograms of gradients, in one pass over the pixels."""

import math

import numpy as np
from numba import njit


@njit(cache=True)
def gradient_histograms(roots: np.ndarray, bins: int) -> np.ndarray:
    """Strength of the gradients by direction, mean over blocks of 2 × 2 pixels.

    Of the channel where it is strongest; shared by the two nearest directions. Differences are
    central, and zero across the picture's edge.

    Args:
        roots: (B, 3, H, W) float32, H and W even.
        bins: directions over half a turn.

    Returns:
        (B, bins, H / 2, W / 2) float32.
    """
    batch, channels, height, width = roots.shape
    found = np.zeros((batch, bins, height // 2, width // 2), np.float32)
    for b in range(batch):
        for y in range(height):
            for x in range(width):
                best, right, down = np.float32(-1), np.float32(0), np.float32(0)
                for c in range(channels):
                    across = along = np.float32(0)
                    if 0 < x < width - 1:
                        across = roots[b, c, y, x + 1] - roots[b, c, y, x - 1]
                    if 0 < y < height - 1:
                        along = roots[b, c, y + 1, x] - roots[b, c, y - 1, x]
                    squared = across * across + along * along
                    if squared > best:
                        best, right, down = squared, across, along
                if best <= 0:
                    continue
                place = math.atan2(down, right) / math.pi * bins
                below = math.floor(place)
                share = place - below
                strength = math.sqrt(best) / 4
                found[b, int(below) % bins, y // 2, x // 2] += strength * (1 - share)
                found[b, (int(below) + 1) % bins, y // 2, x // 2] += strength * share
    return found
