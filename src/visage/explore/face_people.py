"""The people that the explorer's page can show: drawn once, told by a number."""

import numpy as np
import torch

from visage.faces.shape import MorphableModel

COUNT = 240
SEED = 2026
START = 1
"""Whom the page begins with, counted from 0."""

LOOKS = ("melanin", "haemoglobin", "freckles", "iris", "hair", "red")
"""What bytes of a person's looks mean; 255 is 1."""

STYLES = ("crop", "side_part", "bob", "long_wavy", "curly")
_LEVELS = 4096  # of int16 per standard deviation
_SHORT, _LONG = (0, 1, 0, 4, 1), (3, 2, 3, 4, 2)


def people(model: MorphableModel) -> dict[str, np.ndarray]:
    """Draw them.

    Returns:
        `people` (COUNT, 80) int16, 4096 to a standard deviation; `people_looks` (COUNT, 6) uint8,
        `LOOKS`; `people_hair` (COUNT, 2) uint8: which of `STYLES`, and 1 for a beard.
    """
    generator = torch.Generator().manual_seed(SEED)
    identity = model.sample_identity(COUNT, generator)
    labels = {name: values.numpy() for name, values in model.read(identity).items()}
    random = np.random.default_rng(SEED)
    shares = np.stack([labels[name].clip(0, 1) for name in ("african", "asian", "european")], 1)
    shares /= shares.sum(1, keepdims=True).clip(1e-6)
    melanin = shares @ [0.70, 0.26, 0.15] + random.normal(0, 0.06, COUNT)
    haemoglobin = random.normal(0.42, 0.12, COUNT) - 0.1 * melanin
    freckles = (random.random(COUNT) < 0.3) * (melanin < 0.25) * random.random(COUNT)
    iris = shares @ [0.95, 0.85, 0.35] + random.normal(0, 0.2, COUNT)
    hair = shares @ [0.92, 0.88, 0.42] + random.normal(0, 0.15, COUNT)
    red = random.beta(0.8, 4, COUNT)
    looks = np.stack([melanin.clip(0.04, 0.95), haemoglobin.clip(0.1, 0.9), freckles, iris], 1)
    looks = np.column_stack([looks, hair.clip(0.08, 0.97), red])
    turn = np.arange(COUNT) % 5
    style = np.where(labels["sex"] > 0.5, np.take(_SHORT, turn), np.take(_LONG, turn))
    beard = (labels["sex"] > 0.6) & (np.arange(COUNT) % 4 == 3)
    return {
        "people": np.rint(identity.numpy() * _LEVELS).astype(np.int16),
        "people_looks": np.rint(looks.clip(0, 1) * 255).astype(np.uint8),
        "people_hair": np.stack([style, beard], 1).astype(np.uint8),
    }
