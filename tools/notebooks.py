"""A chapter as a notebook: read from Markdown, made ready to run, filled with what the run gave."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping

import jupytext
import nbformat
from nbformat import NotebookNode

from tools.book import PUBLISHED_BRANCH, Book, BookError, Chapter

INSTALL_CELL = """\
# On Colab this fetches the book and installs what Colab lacks. Anywhere else it does nothing.
import os
import subprocess
import sys

if "google.colab" in sys.modules:
    book = "/content/{name}"
    if not os.path.isdir(book):
        clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", "{branch}", "{url}", book]
        subprocess.run(clone, check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "-e", book], check=True)
    sys.path.insert(0, f"{{book}}/src")  # a running kernel does not see a new editable install
    os.chdir(f"{{book}}/{folder}")"""

READERS_NOTE = """\
*The outputs below are of a run with `{values}`. Run again, the cells take what the next one says; \
`full` may need hours, a graphics card, and data that are fetched separately.*"""


def read_chapter(book: Book, chapter: Chapter) -> NotebookNode:
    """Read a chapter and put the install cell before it.

    Cells get ids by position, so that the same text always makes the same notebook.

    Raises:
        BookError: the chapter has no cell tagged ``parameters``, or more than one.
    """
    notebook = jupytext.read(chapter.source)
    tagged = [cell for cell in notebook.cells if is_parameters(cell)]
    if len(tagged) != 1:
        raise BookError(
            f"{chapter.name}.md has {len(tagged)} cells tagged `parameters`; it needs exactly one."
        )
    notebook.cells.insert(0, install_cell(book, chapter))
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position}"
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def install_cell(book: Book, chapter: Chapter) -> NotebookNode:
    """The first cell of every chapter; the page does not show it."""
    url = book.repository_url
    source = INSTALL_CELL.format(
        url=url,
        name=url.rpartition("/")[2],
        branch=PUBLISHED_BRANCH,
        folder=chapter.name.rpartition("/")[0],
    )
    return nbformat.v4.new_code_cell(source, metadata={"tags": ["remove-cell"]})


def is_parameters(cell: Mapping) -> bool:
    """Whether a cell holds the chapter's parameters."""
    return "parameters" in cell["metadata"].get("tags", [])


def with_outputs(
    notebook: NotebookNode, executed: NotebookNode, parameters: Mapping[str, object]
) -> NotebookNode:
    """The chapter as it ran: its own cells, the run's outputs, the parameters that it ran with.

    papermill's extra cell of injected parameters is left out; the chapter's own parameters cell
    shows those values instead. The state of widgets comes along.

    Args:
        notebook: the chapter as `read_chapter` gives it; its prose may be newer than the run.
        executed: what papermill wrote for a notebook with the same code cells.
        parameters: what papermill passed.
    """
    notebook = copy.deepcopy(notebook)
    ran = [
        cell
        for cell in executed.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, done in zip(cells, ran, strict=True):
        cell.outputs = done.outputs
        cell.execution_count = done.execution_count
        if is_parameters(cell):
            cell.source = assign(cell.source, parameters)
    if "widgets" in executed.metadata:
        notebook.metadata["widgets"] = executed.metadata["widgets"]
    return notebook


def for_readers(
    notebook: NotebookNode, executed: NotebookNode, parameters: Mapping[str, object]
) -> NotebookNode:
    """The chapter as it ran, but set to run as its source says: fast, on whatever opens it.

    Colab and Binder give a reader two cores. Where the run had other parameters than the chapter's
    own, a line before their cell says so.

    Args:
        notebook: the chapter as `read_chapter` gives it.
        executed: what papermill wrote.
        parameters: what papermill passed.
    """
    notebook = with_outputs(notebook, executed, {})
    (position,) = [i for i, cell in enumerate(notebook.cells) if is_parameters(cell)]
    own = notebook.cells[position].source
    if assign(own, parameters) != own:
        values = ", ".join(f"{name} = {value!r}" for name, value in parameters.items())
        text = READERS_NOTE.format(values=values.replace("'", '"'))
        notebook.cells.insert(position, nbformat.v4.new_markdown_cell(text, id="profile-note"))
    return notebook


def assign(source: str, values: Mapping[str, object]) -> str:
    """Replace the values of top-level assignments.

    >>> assign('PROFILE = "fast"  # or "full"', {"PROFILE": "full"})
    'PROFILE = "full"  # or "full"'

    Raises:
        BookError: a value has no assignment; papermill would then pass it to nobody.
    """
    lines = source.split("\n")
    missing = set(values)
    for node in ast.parse(source).body:
        name = getattr(node.targets[0], "id", None) if isinstance(node, ast.Assign) else None
        if name in values and node.value.lineno == node.value.end_lineno:
            row, start, end = (
                node.value.lineno - 1,
                node.value.col_offset,
                node.value.end_col_offset,
            )
            line = lines[row].encode()  # ast counts bytes
            new = repr(values[name]).replace("'", '"').encode()
            lines[row] = (line[:start] + new + line[end:]).decode()
            missing.discard(name)
    if missing:
        raise BookError(f"The parameters cell assigns no {', '.join(sorted(missing))}.")
    return "\n".join(lines)
