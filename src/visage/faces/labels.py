"""What makes a whole person: labels that many features follow, and how they are distributed.

The people that the morphable model was made from were drawn with these labels, and the model draws
new people with them, so that sex stays two-humped and ages are as many young as old, which normal
coefficients alone would wash out.
"""

import numpy as np

WHOLE_LABELS = ("sex", "age", "muscle", "weight", "african", "asian", "european")
"""Sex from 0 (female) to 1 (male); age in years; muscle and weight from 0 to 1; three shares that
sum to 1, called as MakeHuman calls its sculptures (they say nothing of anybody's origin)."""

AGES = (18.0, 78.0)  # years: adults


def draw_labels(count: int, random: np.random.Generator) -> np.ndarray:
    """Draw the labels of people.

    Returns:
        (count, 7), in the order of `WHOLE_LABELS`.

    >>> draw_labels(2, np.random.default_rng(0)).shape
    (2, 7)
    """
    # Most people are near one end, some in between: faces are not all typical of their sex.
    sex = random.beta(0.35, 0.35, count)
    age = random.uniform(*AGES, count)
    muscle = random.normal(0.42 + 0.16 * sex, 0.13).clip(0, 1)
    weight = random.normal(0.5, 0.17, count).clip(0.05, 0.95)
    # Corners are likelier than the middle, and everything between occurs.
    shares = random.dirichlet([0.45] * 3, count)
    return np.column_stack([sex, age, muscle, weight, shares])
