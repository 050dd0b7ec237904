"""The people that the explorer's page can show: drawn once, told by a number."""

import numpy as np
import torch

from visage.faces.shape import MorphableModel

COUNT = 240
SEED = 2026
_LEVELS = 4096  # of int16 per standard deviation


def people(model: MorphableModel) -> dict[str, np.ndarray]:
    """Draw them.

    Returns:
        `people` (COUNT, 80) int16, 4096 to a standard deviation; `people_skin` (COUNT, 4) uint8:
        melanin, haemoglobin, freckles and the iris's melanin, 255 is 1.
    """
    generator = torch.Generator().manual_seed(SEED)
    identity = model.sample_identity(COUNT, generator)
    labels = model.read(identity)
    random = np.random.default_rng(SEED)
    shares = np.stack(
        [labels[name].numpy().clip(0, 1) for name in ("african", "asian", "european")]
    )
    shares /= shares.sum(0).clip(1e-6)
    melanin = shares.T @ [0.72, 0.26, 0.12] + random.normal(0, 0.06, COUNT)
    haemoglobin = random.normal(0.42, 0.12, COUNT) - 0.1 * melanin
    freckles = (random.random(COUNT) < 0.3) * (melanin < 0.25) * random.random(COUNT)
    iris = shares.T @ [0.9, 0.85, 0.4] + random.normal(0, 0.2, COUNT)
    skin = np.stack([melanin.clip(0.04, 0.95), haemoglobin.clip(0.1, 0.9), freckles, iris], 1)
    return {
        "people": np.rint(identity.numpy() * _LEVELS).astype(np.int16),
        "people_skin": np.rint(skin.clip(0, 1) * 255).astype(np.uint8),
    }
