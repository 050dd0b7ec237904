"""What raters answered, and the table of it that a page exports."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from visage.files import written_whole
from visage.texture.errors import StudyError
from visage.texture.user_study import TRUTH, Trial

CHOICES = {"a": ("real", "made"), "b": ("left", "right")}
"""What can be answered, by study."""


@dataclass(frozen=True)
class Answer:
    """One answer of one rater.

    Raises:
        StudyError: there is no such study or choice, or study A's left half is not the truth.
    """

    study: str  # a or b
    rater: str  # any name; the page makes up a random one for each browser
    seed: int  # of the round
    trial: int  # its place in the round, from 0
    person: int
    pose: int
    left: str  # who made what was on the left
    right: str
    choice: str  # real or made in study A, left or right in study B
    seconds: float  # from the picture to the answer
    at: str  # when, ISO 8601; empty if nobody noted it

    def __post_init__(self):
        if self.choice not in CHOICES.get(self.study, ()):
            raise StudyError(
                f"study {self.study!r} with the answer {self.choice!r}; study a is answered with "
                "real or made, study b with left or right"
            )
        if self.study == "a" and self.left != TRUTH:
            raise StudyError(f"the left half of study A is {self.left!r}; it is always the truth")

    @classmethod
    def to(
        cls, trial: Trial, choice: str, *, rater: str, seed: int, number: int,
        seconds: float = 0.0, at: str = "",
    ) -> Answer:  # fmt: skip
        """An answer to a trial, the `number`-th of its round."""
        return cls(trial.study, rater, seed, number, trial.person, trial.pose, trial.left,
                   trial.right, choice, seconds, at)  # fmt: skip


COLUMNS = tuple(field.name for field in fields(Answer))
"""Of the table, in order."""

_NUMBERS = {"seed": int, "trial": int, "person": int, "pose": int, "seconds": float}


def write_answers(answers: Iterable[Answer], path: str | Path) -> Path:
    """Write answers as CSV, whole or not at all, as the page exports them."""
    path = Path(path)
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as to:
        table = csv.writer(to, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(astuple(answer) for answer in answers)
    return path


def read_answers(*paths: str | Path) -> list[Answer]:
    """Read the tables of one or several raters.

    Raises:
        StudyError: a column is missing, or a row holds what cannot be an answer.
    """
    found = []
    for path in paths:
        with Path(path).open(newline="", encoding="utf-8") as table:
            rows = csv.DictReader(table)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise StudyError(f"{Path(path).name} has no column {', '.join(missing)}")
            found += [
                answer_of(row, f"{Path(path).name}, row {n}") for n, row in enumerate(rows, 2)
            ]
    return found


def answer_of(row: dict, where: str = "an answer") -> Answer:
    """An answer from its columns by name, as texts or numbers.

    Raises:
        StudyError: one is missing, or cannot be what it should be.
    """
    try:
        return Answer(**{name: _NUMBERS.get(name, str)(row[name]) for name in COLUMNS})
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(f"{where} cannot be read: {error}") from None
