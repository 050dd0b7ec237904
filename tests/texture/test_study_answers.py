"""Answers, and their table."""

from dataclasses import asdict, replace

import pytest

from visage.texture.errors import StudyError
from visage.texture.study_answers import COLUMNS, Answer, answer_of, read_answers, write_answers
from visage.texture.user_study import Trial

ONE = Answer("a", "me", 7, 3, 5, 0, "truth", "pca", "made", 2.345, "2026-01-02T03:04:05.678Z")
OTHER = Answer("b", 'a, "b"', 8, 0, 1, 1, "pca", "convex", "right", 1.0, "")


def test_tables_come_back(tmp_path):
    path = write_answers([ONE, OTHER], tmp_path / "me.csv")
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert read_answers(path) == [ONE, OTHER]
    again = write_answers([replace(ONE, rater="you")], tmp_path / "you.csv")
    assert [answer.rater for answer in read_answers(path, again)] == ["me", 'a, "b"', "you"]


def test_an_answer_to_a_trial():
    trial = Trial("a", 5, 0, "truth", "pca")
    made = Answer.to(trial, "made", rater="me", seed=7, number=3, seconds=2.345,
                     at="2026-01-02T03:04:05.678Z")  # fmt: skip
    assert made == ONE
    assert answer_of(asdict(ONE)) == ONE
    assert answer_of({name: str(value) for name, value in asdict(ONE).items()}) == ONE


def test_what_cannot_be_an_answer(tmp_path):
    with pytest.raises(StudyError, match="study 'a' with the answer 'left'"):
        replace(ONE, choice="left")
    with pytest.raises(StudyError, match="study 'c'"):
        replace(ONE, study="c")
    with pytest.raises(StudyError, match="always the truth"):
        replace(ONE, left="pca")
    path = tmp_path / "cut.csv"
    path.write_text("study,rater\na,me\n")
    with pytest.raises(StudyError, match=r"cut\.csv has no column seed, trial"):
        read_answers(path)
    write_answers([ONE], path)
    path.write_text(path.read_text().replace("2.345", "soon"))
    with pytest.raises(StudyError, match=r"cut\.csv, row 2 cannot be read"):
        read_answers(path)
