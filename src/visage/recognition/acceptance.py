"""Does an image pass for a person before a recogniser? Type I and type II acceptance.

Type I compares an image made from an embedding with the very photograph that the embedding is of,
type II with another photograph of that person (Mai et al. 2019, "On the Reconstruction of Face
Images from Deep Face Templates"). Both count only at a stated false-accept rate, and only before a
recogniser that took no part in making the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from visage.ledger import Row
from visage.recognition.verification import tar_at_far

FALSE_ACCEPT_RATES = {"1e-2": 0.01, "1e-3": 0.001}


class AcceptanceError(ValueError):
    """Photographs on which no acceptance can be measured."""


class Judge(Protocol):
    """A recogniser that says how much alike faces are, as `visage.recognition.judge.Judge` does."""

    def look(self, chips: Tensor) -> Any:
        """See chips (N, 3, S, S), in [0, 1] or uint8."""
        ...

    def scores(self, a: Any, b: Any) -> Tensor:
        """Likeness (A, B) of what was seen, each with each; higher is more alike."""
        ...


@dataclass(frozen=True)
class Bench:
    """A judge, N people, two photographs of each, and the distances at which it accepts.

    Attributes:
        judge: the recogniser.
        source: what it saw of the N photographs whose embeddings are inverted.
        other: what it saw of another photograph of each person.
        thresholds: scores by false-accept rate, from which a pair is accepted.
    """

    judge: Judge
    source: Any
    other: Any
    thresholds: dict[str, float]

    @classmethod
    def of(cls, judge: Judge, source: Tensor, other: Tensor) -> Bench:
        """Embed photographs and set the thresholds on pairs of different people among them.

        Args:
            judge: the recogniser.
            source: (N, 3, S, S), uint8.
            other: (N, 3, S, S), uint8, of the same people in the same order.

        Raises:
            AcceptanceError: not two photographs of each, or too few people for the rates.
        """
        if source.shape != other.shape:
            raise AcceptanceError(
                f"{len(source)} and {len(other)} photographs; give two of each person."
            )
        if len(source) ** 2 - len(source) < 1 / min(FALSE_ACCEPT_RATES.values()):
            raise AcceptanceError(
                f"{len(source)} people are too few to tell one pair in a thousand"
            )
        first, second = judge.look(source), judge.look(other)
        scores = judge.scores(first, second).flatten().numpy()
        same = torch.eye(len(source), dtype=torch.bool).flatten().numpy()
        thresholds = {
            name: -tar_at_far(-scores, same, rate).threshold
            for name, rate in FALSE_ACCEPT_RATES.items()
        }
        return cls(judge, first, second, thresholds)

    def accepted(self, images: Tensor) -> dict[str, np.ndarray]:
        """Which images (N, 3, S, S) pass, (N,) bool by "type1_far_1e-2" and so on."""
        made = self.judge.look(images)
        scores = {
            "type1": self.judge.scores(made, self.source).diagonal(),
            "type2": self.judge.scores(made, self.other).diagonal(),
        }
        return {
            f"{kind}_far_{rate}": (alike >= threshold).numpy()
            for kind, alike in scores.items()
            for rate, threshold in self.thresholds.items()
        }

    def rows(self, images: Tensor, suffix: str = "") -> list[Row]:
        """`accepted` as rows."""
        return [
            Row(f"{name}{suffix}", None, float(passed.mean()), "fraction", "higher", len(passed))
            for name, passed in self.accepted(images).items()
        ]

    def real_rows(self, suffix: str = "") -> list[Row]:
        """How often two photographs of one person pass: what no reconstruction should be above."""
        alike = self.judge.scores(self.source, self.other).diagonal()
        return [
            Row(f"real_pairs_far_{rate}{suffix}", None, float((alike >= threshold).float().mean()),
                "fraction", None, len(alike))
            for rate, threshold in self.thresholds.items()
        ]  # fmt: skip
