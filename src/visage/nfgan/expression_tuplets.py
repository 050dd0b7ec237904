"""Drawing (N+M)-tuplets of expressive faces, with or without a neutral face of the query's person.

"Not all subjects reveal every expression in the dataset for similarity comparison. We supplement
the normalized face image to the dataset in the training phase" (Liu et al. 2018, section 5.4). Our
reading: the normalized face of the query, which has the query's identity and surely another
expression, is one more negative of its tuplet. It has no class of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from visage.nfgan.errors import ExpressionError, TupletError


@dataclass(frozen=True, eq=False)
class ExpressionCrops:
    """S subjects' N expressive faces, ready for the network.

    Attributes:
        crops: (N, A, 1, 60, 60), A augmented versions of each face.
        labels: (N,) int64, from 0.
        subjects: (N,) int64.
        neutral: (N, A, 1, 60, 60), a neutral face of the person on each picture, in the same
            augmented versions; or None.
    """

    crops: Tensor
    labels: Tensor
    subjects: Tensor
    neutral: Tensor | None = None

    def __post_init__(self):
        count = len(self.crops)
        if self.crops.ndim != 5 or len(self.labels) != count or len(self.subjects) != count:
            raise ExpressionError(
                f"crops {tuple(self.crops.shape)} with {len(self.labels)} labels and "
                f"{len(self.subjects)} subjects; expected (N, A, 1, 60, 60) with N of both"
            )
        if self.neutral is not None and self.neutral.shape != self.crops.shape:
            raise ExpressionError(
                f"neutral faces are {tuple(self.neutral.shape)}; expected one for each crop, "
                f"{tuple(self.crops.shape)}"
            )

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, rows: Tensor) -> ExpressionCrops:
        """Some of the faces: rows (K,) int64, or (N,) bool."""
        neutral = None if self.neutral is None else self.neutral[rows]
        return replace(
            self,
            crops=self.crops[rows],
            labels=self.labels[rows],
            subjects=self.subjects[rows],
            neutral=neutral,
        )


@dataclass(frozen=True)
class TupletConfig:
    """How tuplets are put together."""

    positives: int = 4  # N, the query among them
    negatives: int = 4  # M, without the neutral face

    def __post_init__(self):
        if self.positives < 1 or self.negatives < 1:
            raise TupletError(
                f"{self.positives} positives and {self.negatives} negatives; give 1 or more"
            )


def draw_tuplet(
    labels: Tensor, subjects: Tensor, query: int, config: TupletConfig, random: np.random.Generator
) -> list[int]:
    """Choose the faces of one tuplet.

    Positives show the query's expression on other people, in so far as there are enough. Negatives
    show other expressions: first those of the query's own person, which differ from it in nothing
    but the expression ("identity-aware hard negatives"), then other people's.

    Args:
        labels: (N,) int64.
        subjects: (N,) int64.
        query: row of the query.
        config: how many of both.
        random: what to draw from.

    Returns:
        The query's row, N − 1 of positives, M of negatives.

    Raises:
        TupletError: there is only one expression.
    """
    same = (labels == labels[query]).numpy()
    own = (subjects == subjects[query]).numpy()
    if same.all():
        raise TupletError("all faces show the same expression; there is nothing to tell apart")
    fewer = config.positives - 1
    positives = _shuffled(same & ~own, random)[:fewer]
    spare = np.flatnonzero(same)
    filled = [*positives, *random.choice(spare, fewer - len(positives))]
    negatives = [*_shuffled(~same & own, random), *_shuffled(~same & ~own, random)]
    first = negatives[: config.negatives]
    rest = random.choice(negatives, config.negatives - len(first))
    return [query, *map(int, filled), *map(int, first), *map(int, rest)]


@dataclass(frozen=True, eq=False)
class TupletStream:
    """Endless tuplets: item i has query number i of a shuffled round through all faces.

    A stream with neutral faces and one without draw the same tuplets.
    """

    seed: int
    data: ExpressionCrops
    config: TupletConfig

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Tuplets of these numbers: faces, labels and, where there are any, neutral faces."""
        drawn = [self._item(index) for index in indices]
        rows = torch.tensor([item[0] for item in drawn])
        versions = torch.from_numpy(np.stack([item[1] for item in drawn]))
        found = {"faces": self.data.crops[rows, versions], "labels": self.data.labels[rows]}
        if self.data.neutral is not None:
            # In the query's own crop: then the two differ in the expression, and not in the place.
            found["neutral"] = self.data.neutral[rows[:, 0], versions[:, 0]]
        return found

    def _item(self, index: int) -> tuple[list[int], np.ndarray]:
        count, versions = self.data.crops.shape[:2]
        turn, place = divmod(index, count)
        query = int(np.random.default_rng([self.seed, 0, turn]).permutation(count)[place])
        random = np.random.default_rng([self.seed, 1, index])
        rows = draw_tuplet(self.data.labels, self.data.subjects, query, self.config, random)
        return rows, random.integers(versions, size=len(rows))


def _shuffled(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.permutation(np.flatnonzero(mask))
