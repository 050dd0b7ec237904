"""Whom decoders are measured on: people of the test side, in as many pictures as there are."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from visage.normalization.errors import NormalizationError
from visage.normalization.training_data import TestSet
from visage.photos.lfw import LFWNotFoundError, open_lfw

World = Literal["synthetic", "lfw"]


@lru_cache(maxsize=4)
def people_of_test_side(world: World, each: int = 2) -> TestSet:
    """People of the test side, whom no decoder has seen.

    Args:
        world: of whom.
        each: photographs that a person of LFW has at least, and of which no more are taken;
            synthetic people have four.

    Raises:
        LFWNotFoundError: the photographs are not there.
    """
    from visage.normalization.training_set import lfw_test_set, synthetic_test_set

    if world == "synthetic":
        return synthetic_test_set()
    return lfw_test_set(open_lfw(), least=each, most=each)


def worlds() -> list[World]:
    """Those there is something of to measure: LFW first, where its photographs are."""
    try:
        open_lfw()
    except LFWNotFoundError:
        return ["synthetic"]
    return ["lfw", "synthetic"]


def suffix(world: World) -> str:
    """Of a row's name: photographs, the paper's case, have none."""
    return "" if world == "lfw" else "_synthetic"


def first_rows(test: TestSet, each: int, people: int | None = None) -> Tensor:
    """Rows of the first so many pictures of each person who has as many, person by person.

    Args:
        test: the people.
        each: pictures of each.
        people: so many of them; None is all.

    Returns:
        (P · each,), rows of `test.photos`.

    Raises:
        NormalizationError: nobody has as many.
    """
    places: dict[int, list[int]] = {}
    for row, person in enumerate(test.photos.rows.tolist()):
        places.setdefault(person, []).append(row)
    chosen = [rows[:each] for rows in places.values() if len(rows) >= each][:people]
    if not chosen:
        raise NormalizationError(
            f"none of {len(places)} people has {each} pictures; ask for fewer of each."
        )
    return torch.tensor([row for rows in chosen for row in rows], dtype=torch.int64)
