"""The book's exercises, and whether running a chapter tests their solutions."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from nbformat import NotebookNode

from tools.book import Book, Chapter
from tools.notebooks import read_chapter

EXERCISE = re.compile(
    r"^`{3,}\{exercise(?:-start)?\}[^\n]*\n(?::[^\n]*\n)*?:label: (\S+)", re.MULTILINE
)
OPENS = re.compile(r"^`{3,}\{solution-start\} (\S+)", re.MULTILINE)
CLOSES = re.compile(r"^`{3,}\{solution-end\}", re.MULTILINE)
NOT_RUN = {"skip-execution", "raises-exception"}
MAY_NOT_RUN = (ast.If, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter.

    Attributes:
        label: unique in the book.
        tested: whether its solution asserts what it says whenever the chapter is run.
    """

    label: str
    tested: bool


def exercises(book: Book) -> list[Exercise]:
    """All exercises of the book's chapters, in the book's order."""
    return [one for chapter in book.chapters for one in chapter_exercises(book, chapter)]


def chapter_exercises(book: Book, chapter: Chapter) -> list[Exercise]:
    """The exercises of one chapter, in its order.

    A solution lies between `solution-start` and `solution-end`. It is tested if a code cell there
    asserts something, in a statement that runs whenever the cell does.
    """
    labels: list[str] = []
    tested: set[str] = set()
    inside = None
    for cell in read_chapter(book, chapter).cells:
        if cell.cell_type == "markdown":
            labels += EXERCISE.findall(cell.source)
            inside = _solution_after(cell.source, inside)
        elif inside and cell.cell_type == "code" and _asserts(cell):
            tested.add(inside)
    return [Exercise(label, label in tested) for label in labels]


def _solution_after(text: str, inside: str | None) -> str | None:
    """The label of the solution that is open where a Markdown cell ends."""
    marks = [(found.start(), found.group(1)) for found in OPENS.finditer(text)]
    marks += [(found.start(), None) for found in CLOSES.finditer(text)]
    return max(marks)[1] if marks else inside


def _asserts(cell: NotebookNode) -> bool:
    """Whether a cell that is run certainly meets an assertion."""
    if NOT_RUN & set(cell.metadata.get("tags", ())):
        return False
    lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    return any(_is_assertion(node) for node in _certain(ast.parse("\n".join(lines))))


def _certain(node: ast.AST):
    """The nodes below one, without what a condition or a definition may leave out."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, MAY_NOT_RUN):
            yield child
            yield from _certain(child)


def _is_assertion(node: ast.AST) -> bool:
    """An `assert`, or a call of a function of that name, like torch.testing.assert_close."""
    if isinstance(node, ast.Call):
        named = node.func
        name = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
        return name.startswith("assert")
    return isinstance(node, ast.Assert)
