"""The cascade's regressions, by ridge regression (Hoerl and Kennard 1970), stage after stage.

A stage has to learn from guesses as good as those that it will meet. Guesses of a regression about
the very pictures that it was fitted to are better; so each picture's guess comes from a regression
fitted to the other half of the pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.fitting.cascade import (
    YAW,
    Cascade,
    CascadeError,
    Regression,
    flipped,
    grid_features,
    point_features,
)
from visage.faces.fitting.cascade_data import FaceWindows
from visage.faces.fitting.mirror import Mirror
from visage.faces.fitting.window_pose import TrackedPoints

_AT_ONCE = 32


@dataclass(frozen=True)
class CascadeConfig:
    """How the cascade is learned; chosen on validation people."""

    stages: int = 3  # with the first; a fourth brought points nearer, but not heads
    grid_ridge: float = 1.0  # of the first stage, times the pictures, features of variance 1
    point_ridge: float = 1.0  # of the others


DEFAULT = CascadeConfig()


@torch.no_grad()
def learn_cascade(faces: FaceWindows, config: CascadeConfig = DEFAULT) -> Cascade:
    """Learn from all people of a stream.

    Args:
        faces: at least 64 people; 32,000 take about half an hour and 4 GB.
        config: how.

    Raises:
        CascadeError: there are too few people.
    """
    if len(faces) < 64:
        raise CascadeError(f"a cascade of {len(faces)} people; give at least 64")
    windows, truth = _collected(faces)
    mirror, points = Mirror.of(faces.model), TrackedPoints(faces.model)

    def features(of: Callable[[Tensor, slice], Tensor], name: str) -> Tensor:
        found = [of(some.float() / 255, slice(i * _AT_ONCE, (i + 1) * _AT_ONCE))
                 for i, some in enumerate(tqdm(windows.split(_AT_ONCE), desc=name))]  # fmt: skip
        return torch.cat(found)

    seen = features(lambda some, _: grid_features(some), "stage 0")
    first, guess = _fitted(seen, truth, config.grid_ridge)
    mirrored = guess[:, YAW] < 0
    guess, truth = mirror.where(mirrored, guess), mirror.where(mirrored, truth)
    stages = [first]
    for stage in range(1, config.stages):
        places = torch.cat([points(some) for some in guess.split(_AT_ONCE)])
        seen = features(
            lambda some, at: point_features(flipped(some, mirrored[at]), places[at]),  # noqa: B023
            f"stage {stage}",
        )
        regression, change = _fitted(seen, truth - guess, config.point_ridge)
        stages.append(regression)
        guess = guess + change
    return Cascade(tuple(stages))


def _collected(faces: FaceWindows) -> tuple[Tensor, Tensor]:
    """All windows, as bytes, and their numbers."""
    windows, numbers = [], []
    for start in tqdm(range(0, len(faces), _AT_ONCE), desc="windows"):
        some, behind = faces.batch(range(start, min(start + _AT_ONCE, len(faces))))
        windows.append((some * 255).round().to(torch.uint8))
        numbers.append(behind)
    return torch.cat(windows), torch.cat(numbers)


def _fitted(features: Tensor, target: Tensor, strength: float) -> tuple[Regression, Tensor]:
    """The regression of all, and (N, 138) what those of one half say about the other half."""
    mean = features.mean(0)
    # Features that hardly vary would be blown up.
    spread = features.std(0) + 1e-3 * features.std()
    features.sub_(mean).div_(spread)
    offset = target.mean(0)
    halves = [_Sums.of(features[part::2], target[part::2] - offset) for part in (0, 1)]
    guess = torch.empty_like(target)
    for part, other in ((0, 1), (1, 0)):
        guess[part::2] = features[part::2] @ halves[other].solution(strength) + offset
    weights = (halves[0] + halves[1]).solution(strength) / spread[:, None]
    return Regression(mean, weights, offset), guess


@dataclass(frozen=True, eq=False)
class _Sums:
    gram: Tensor  # (F, F)
    right: Tensor  # (F, 138)
    count: int

    @classmethod
    def of(cls, features: Tensor, target: Tensor) -> "_Sums":
        return cls(features.mT @ features, features.mT @ target, len(features))

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.gram + other.gram, self.right + other.right, self.count + other.count)

    def solution(self, strength: float) -> Tensor:
        """(F, 138): the weights of least squares with strength · N Σ w²."""
        matrix = self.gram.clone()
        matrix.diagonal().add_(strength * self.count)
        return torch.cholesky_solve(self.right, torch.linalg.cholesky(matrix))
