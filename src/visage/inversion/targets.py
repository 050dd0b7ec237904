"""Targets to train networks on: embeddings of people, and of people in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from visage.inversion.errors import InversionError


class TargetStream:
    """Target embeddings for `visage.training`: people, and people in between.

    Args:
        seed: item i depends on (seed, i) only.
        embeddings: (N, dim), of people to learn from.
        mixed: share of targets that lie between two people: more people than there are.
    """

    def __init__(self, seed: int, embeddings: Tensor, mixed: float = 0.5):
        if not 0 <= mixed <= 1:
            raise InversionError(f"mixed is a share from 0 to 1, not {mixed}.")
        self.seed, self.embeddings, self.mixed = seed, embeddings, mixed

    def batch(self, indices: Sequence[int]) -> Tensor:
        """Embeddings (B, dim)."""
        return torch.stack([self._draw(np.random.default_rng([self.seed, i])) for i in indices])

    def _draw(self, random: np.random.Generator) -> Tensor:
        first, second = random.integers(len(self.embeddings), size=2)
        share, mixes = random.uniform(), random.uniform() < self.mixed
        if not mixes:
            return self.embeddings[first]
        return torch.lerp(self.embeddings[first], self.embeddings[second], share)
