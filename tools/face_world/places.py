"""Where on the mean head a detector sees the landmarks of finished people: see `PLACES`."""

import numpy as np
from scipy.spatial import cKDTree

from tools.face_world.voting import MIRRORED

PLACES = {
    22: (10.9, 16.1),
    23: (22.3, 21.7),
    24: (34.2, 24.1),
    25: (46.3, 22.5),
    26: (55.9, 14.5),
    27: (0.0, -0.3),
    28: (0.0, -12.1),
    29: (0.0, -24.3),
    30: (0.0, -35.8),
    33: (0.0, -48.8),
    34: (7.0, -47.0),
    35: (13.3, -44.4),
    42: (18.2, -4.0),
    43: (25.8, 1.4),
    44: (34.5, 1.8),
    45: (42.0, -2.1),
    46: (35.1, -6.2),
    47: (26.4, -6.3),
    51: (0.0, -61.6),
    52: (5.9, -59.9),
    53: (14.1, -62.9),
    54: (22.4, -69.0),
    55: (15.0, -75.1),
    56: (6.5, -78.4),
    57: (0.0, -78.9),
}
"""mm to the person's left and above the eyes, of the landmarks on that side and on the midline, as
``python -m tools.measure_landmarks`` printed them for 160 training people (154 found). They are
copied here so that the asset does not change whenever skin or hair do."""


def moved(landmarks: np.ndarray, mean: np.ndarray, skin: np.ndarray, mirror: np.ndarray):
    """Landmarks that are nearest to `PLACES`.

    Args:
        landmarks: (68,) vertices, as voted; they say how deep a place is, such as on a lip.
        mean: (V, 3), mm above the eyes.
        skin: vertices that a landmark may be.
        mirror: (V,) each vertex's mirror image.

    Returns:
        (68,); landmarks without a place stay.
    """
    found = landmarks.copy()
    middle = skin[np.abs(mean[skin, 0]) < 0.1]
    left = skin[mean[skin, 0] > 0.1]
    for index, (x, y) in PLACES.items():
        among = middle if x == 0 else left
        goal = [x, y, mean[landmarks[index], 2]]
        found[index] = among[cKDTree(mean[among]).query(goal)[1]]
        found[MIRRORED[index]] = mirror[found[index]]
    return found
