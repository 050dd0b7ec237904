"""Pairs and guiding faces in an endless stream, for `visage.training`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from visage.nfgan.family import WeightRange
from visage.nfgan.pairs import Pairs
from visage.nfgan.symmetry import mirror


class PairStream:
    """What `visage.nfgan.algorithm.Algorithm1` takes, at random from training pairs.

    The guiding set is the targets, drawn without regard to whose the inputs are, and mirrored as
    often as those are: it says what normalized faces look like, not whose this one should be.

    Args:
        seed: item i depends on (seed, i) only.
        pairs: to draw from.
        weights: to draw the losses' weights from, for a family; None where they are fixed.
    """

    def __init__(self, seed: int, pairs: Pairs, weights: WeightRange | None = None):
        self.seed, self.pairs, self.weights = seed, pairs, weights

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Inputs, targets and guiding faces, each (B, 1, 64, 64) in [0, 1], and the strengths."""
        generators = [np.random.default_rng([self.seed, index]) for index in indices]
        rows, guides, flips = (
            torch.tensor([int(random.integers(count)) for random in generators])
            for count in (len(self.pairs), len(self.pairs.targets), 2)
        )
        drawn = {
            "inputs": self.pairs.inputs[rows].float() / 255,
            "targets": self.pairs.targets_of(rows).float() / 255,
            "guiding": mirror(self.pairs.targets[guides], flips.bool()).float() / 255,
        }
        if self.weights is not None:
            drawn["strengths"] = torch.stack([self.weights.draw(random) for random in generators])
        return drawn
