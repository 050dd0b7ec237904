"""The published notebooks, and running them as another machine would: Colab's, or Binder's.

Both open the branch `notebooks`, which the publish workflow makes: the tracked files, with each
chapter as an `.ipynb` beside its Markdown. Here the same branch stands in a folder, and a kernel of
another environment runs what it holds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tools.book import PUBLISHED_BRANCH, REPOSITORY, Book, BookError, Chapter
from tools.notebooks import read_chapter
from visage.ledger import Row, record
from visage.measured import measured_result

PARAMETERS = {"PROFILE": "fast"}
# What this shell sets for the library must not reach a machine that knows nothing of it.
_PRIVATE = ("VISAGE_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "GIT_DIR", "GIT_WORK_TREE")


@dataclass(frozen=True)
class Outcome:
    """How one chapter went.

    Attributes:
        name: the chapter.
        seconds: wall time, the kernel's start and the first cell included.
        error: empty when every cell ran; else the last line of what went wrong.
    """

    name: str
    seconds: float
    error: str


def publish_branch(book: Book, folder: Path) -> Path:
    """A repository whose branch `notebooks` holds what the publish workflow puts there.

    Args:
        book: built, so that its notebooks are those of its chapters.
        folder: is made anew.

    Raises:
        BookError: a chapter's notebook is missing, or older than the chapter.
    """
    notebooks = [published_notebook(book, chapter) for chapter in book.chapters]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tracked = _git(book.root, "ls-files", "-z").split("\0")
    for name in filter(None, tracked):
        if (book.root / name).is_file():  # not one that was deleted and is still in the index
            _copy(book.root / name, folder / name)
    for notebook in notebooks:
        _copy(notebook, folder / notebook.relative_to(book.published))
    _git(folder, "init", "--quiet", "--initial-branch", PUBLISHED_BRANCH)
    _git(folder, "add", "--all", "--force")
    author = ["-c", "user.name=Visage", "-c", "user.email=visage@example.org"]
    _git(folder, *author, "commit", "--quiet", "--message", "Executed notebooks")
    return folder


def published_notebook(book: Book, chapter: Chapter) -> Path:
    """The notebook of a chapter, as `make book` left it.

    Raises:
        BookError: it is missing, or its code is not the chapter's.
    """
    path = book.published / f"{chapter.name}.ipynb"
    if not path.is_file() or _code(nbformat.read(path, 4)) != _code(read_chapter(book, chapter)):
        raise BookError(f"{path} is not of this {chapter.name}.md; run `make book` first.")
    return path


def outer_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what belongs to this working copy, and with `more`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_PRIVATE)}
    return kept | dict(more or {})


def add_kernel(folder: Path, python: Path, environment: Mapping[str, str]) -> Path:
    """Describe a kernel named ``elsewhere`` that another interpreter runs.

    Returns:
        What the variable JUPYTER_PATH must name for Jupyter to find it.
    """
    kernel = folder / "jupyter" / "kernels" / "elsewhere" / "kernel.json"
    kernel.parent.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    description = {"argv": command, "display_name": "Elsewhere", "language": "python"}
    kernel.write_text(json.dumps(description | {"env": dict(environment)}, indent=1))
    return folder / "jupyter"


def run_published(
    branch: Path,
    names: Iterable[str],
    folder: Path,
    jupyter: Path,
    cwd: Callable[[str], Path],
    say: Callable[[str], None] = print,
) -> list[Outcome]:
    """Run chapters one after the other, each with a fresh kernel, and go on when one fails.

    Args:
        branch: from `publish_branch`; its notebooks are run as they are.
        names: of the chapters.
        folder: where the executed notebooks go, those that failed as far as they got.
        jupyter: from `add_kernel`.
        cwd: the folder that a chapter's kernel starts in.
        say: receives a line a chapter.
    """
    outcomes = []
    for name in names:
        executed = folder / "executed" / f"{name}.ipynb"
        executed.parent.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        error = _run(branch / f"{name}.ipynb", executed, cwd(name), jupyter)
        outcomes.append(Outcome(name, round(time.perf_counter() - start, 1), error))
        say(f"{name}: {error or 'well'} ({outcomes[-1].seconds:.0f} s)")
    return outcomes


def conclude(
    run: Callable[[], tuple[list[Outcome], str]], id: str, claim: str, recorded: bool
) -> int:
    """The exit status of a run of chapters; a run of all of them is recorded in the ledger.

    Args:
        run: the chapters' outcomes, and the protocol in words.
        id: of the ledger's entry.
        claim: what it shows when nothing failed.
        recorded: whether to record it.
    """
    start = time.perf_counter()
    try:
        outcomes, protocol = run()
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    if recorded:
        rows = outcome_rows(outcomes)
        result = measured_result(
            id, claim, protocol, paper=None, profile="fast", seed=0, start=start, rows=rows
        )
        print(record(result))
    return any(outcome.error for outcome in outcomes)


def outcome_rows(outcomes: list[Outcome]) -> tuple[Row, ...]:
    """The ledger's rows."""
    n = len(outcomes)
    seconds = [outcome.seconds for outcome in outcomes]
    return (
        Row("chapters_run", None, n, "", "higher", n),
        Row("chapters_failed", None, sum(bool(o.error) for o in outcomes), "", "lower", n),
        Row("slowest_chapter_seconds", None, max(seconds), "s", "lower", n),
    )


def _run(notebook: Path, executed: Path, cwd: Path, jupyter: Path) -> str:
    """The error of one run, in a line; empty when there was none."""
    command = [sys.executable, "-m", "tools.papermill_worker", notebook, executed, cwd]
    done = subprocess.run(
        [str(word) for word in [*command, json.dumps(PARAMETERS), "elsewhere"]],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=outer_environment({"JUPYTER_PATH": str(jupyter)}),
    )
    if not done.stdout.strip():
        last = done.stderr.strip().splitlines()[-1:] or [f"papermill ended with {done.returncode}"]
        return last[0]
    outcome = json.loads(done.stdout.splitlines()[-1])
    return outcome.get("error", "").strip().rpartition("\n")[2]


def _code(notebook: Mapping) -> list[str]:
    """Sources of the code cells, but not of the one that says which profile ran."""
    return [
        cell["source"]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", [])
    ]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, env=outer_environment()
    )
    if done.returncode:
        raise BookError(f"git {words[0]} did not work in {folder}: {done.stderr.strip()}")
    return done.stdout
