"""Functions of a place on the head: noise, soft steps, soft blobs."""

import numpy as np

from visage.faces.skin.compiled import noise


def noise_field(places: np.ndarray, wavelength: float, seed: int) -> np.ndarray:
    """Gradient noise (N,) at places (N, 3), about of variance 1 and of mean 0."""
    result = np.empty(len(places), np.float32)
    noise(np.ascontiguousarray(places, np.float32), wavelength, seed, result)
    return result


def soft_step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, and smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def soft_blob(places: np.ndarray, blob: tuple[float, ...]) -> np.ndarray:
    """A Gaussian (N,) of height 1 at places (N, 3).

    Args:
        places: mm.
        blob: its middle (|x|, y, z) and standard deviations along the axes. Off the midline there
            is one on each side.
    """
    middle, spread = np.array(blob, np.float32).reshape(2, 3)
    offset = places - middle
    if middle[0]:
        offset[:, 0] = np.abs(places[:, 0]) - middle[0]
    return np.exp(-0.5 * ((offset / spread) ** 2).sum(1))


def spread_over(values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """(count,) with values at some rows, and zero elsewhere."""
    whole = np.zeros(count, np.float32)
    whole[rows] = values
    return whole
