"""Subject-independent cross-validation (section 5.1): nobody is trained on and tested."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from visage.nfgan.errors import FoldError

__all__ = ["CK_PLUS_FOLDS", "MMI_FOLDS", "splits", "subject_folds"]

CK_PLUS_FOLDS = 8
MMI_FOLDS = 10


def subject_folds(subjects: Tensor, folds: int, seed: int = 0) -> Tensor:
    """Divide pictures into parts that share no person, and are nearly of one size.

    People in a random order, those with most pictures first, each to the part that has fewest.

    Args:
        subjects: (N,) int64, whose picture each is.
        folds: how many parts.
        seed: of the order.

    Returns:
        (N,) int64, the part of each picture; equal for all of a person's. The largest part has at
        most as many pictures more than the smallest as one person has.

    Raises:
        FoldError: there are fewer people than parts, or fewer than two parts.

    >>> subject_folds(torch.tensor([7, 7, 3, 5, 5]), 2)[:2].unique().numel()
    1
    """
    if subjects.ndim != 1:
        raise FoldError(f"subjects are {tuple(subjects.shape)}; expected one for each picture (N,)")
    people, counts = subjects.unique(return_counts=True)
    if not 2 <= folds <= len(people):
        raise FoldError(
            f"{folds} folds of {len(people)} people; give at least 2, and at most one for each"
        )
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))
    order = order[counts[order].argsort(descending=True, stable=True)]
    sizes = [0] * folds
    part = torch.zeros(len(people), dtype=torch.int64)
    for person in order.tolist():
        smallest = min(range(folds), key=sizes.__getitem__)
        part[person] = smallest
        sizes[smallest] += int(counts[person])
    return part[torch.searchsorted(people, subjects)]


def splits(subjects: Tensor, folds: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """The rows to train on and to test on, for each part in turn.

    Args:
        subjects: (N,) int64.
        folds: how many parts.
        seed: of the order.

    Yields:
        Two int64 tensors of rows, in order; every row is tested once.

    Raises:
        FoldError: as `subject_folds`, when the first pair is asked for.
    """
    part = subject_folds(subjects, folds, seed)
    for fold in range(folds):
        yield (part != fold).nonzero()[:, 0], (part == fold).nonzero()[:, 0]
