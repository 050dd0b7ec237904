"""What the experiments of this part have in common: people, amounts, rows and results."""

from __future__ import annotations

from functools import lru_cache, partial

from torch import Tensor

from visage.ledger import Profile, Row
from visage.measured import mean_row, measured_result
from visage.nfgan.measures import Measures, Sample
from visage.nfgan.pairs import EACH, TEST, VALIDATION, Pairs, pairs

PAPER = "liu2018normalized"

_FEW = 4  # people of a fast run
_BETTER = {"sharpness": None}
_UNITS = {"sharpness": "times"}


def people_of(split: str, profile: Profile) -> Pairs:
    """The people of a split that a profile measures: all, or a few."""
    count = {"test": TEST, "validation": VALIDATION}[split][0]
    return pairs(split, count if profile == "full" else _FEW, EACH)


@lru_cache(maxsize=4)
def sample_of(split: str, profile: Profile, each: int | None = None) -> Sample:
    """`people_of`, ready to be generated and measured; all pictures, or the first of each."""
    return Sample.of(people_of(split, profile), each)


def measure_rows(found: Measures, tail: str) -> list[Row]:
    """A row of each measure, by the name and a tail."""
    return [
        mean_row(f"{name}{tail}", getattr(found, name), _UNITS.get(name, ""),
                 _BETTER.get(name, "lower"))
        for name in Measures.names()
    ]  # fmt: skip


def share_row(name: str, found: Tensor, paper: float | None = None) -> Row:
    """A row of how many of (N,) bool are true."""
    return mean_row(name, found.float(), "fraction", "higher", paper)


part_result = partial(measured_result, paper=PAPER)
"""`visage.measured.measured_result` of Liu et al. (2018)."""
