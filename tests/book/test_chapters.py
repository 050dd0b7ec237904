"""The chapters themselves: executed here, and by `make book` not again."""

from __future__ import annotations

import os

import pytest

from tools.book import Book
from tools.execute import execute
from tools.notebooks import is_parameters, read_chapter

BOOK = Book()
JOBS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))

each_chapter = pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.name)


@pytest.mark.book
@each_chapter
def test_a_chapter_runs_from_its_first_cell_to_its_last(chapter):
    run = execute(BOOK, chapter, jobs=JOBS)
    assert run.parameters == {"PROFILE": "fast"}


@each_chapter
def test_a_chapter_follows_the_pattern(chapter):
    notebook = read_chapter(BOOK, chapter)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    install = code[0]
    assert install.metadata.tags == ["remove-cell"]
    assert "google.colab" in install.source
    (position,) = [i for i, cell in enumerate(code) if is_parameters(cell)]
    parameters, before = code[position], code[:position]
    # A chapter may open with its picture, so long as nothing is used before it is set.
    assert not any("PROFILE" in cell.source or "SEED" in cell.source for cell in before)
    values: dict = {}
    exec(parameters.source, values)
    assert values["PROFILE"] == "fast"
    assert isinstance(values["SEED"], int)
    assert not any(cell.outputs for cell in code)


@each_chapter
def test_exercises_have_solutions(chapter):
    text = chapter.source.read_text(encoding="utf-8")
    exercises = {
        line.split()[-1] for line in text.splitlines() if line.startswith(":label: exercise")
    }
    for label in exercises:
        assert f"{{solution-start}} {label}" in text or f"{{solution}} {label}" in text
