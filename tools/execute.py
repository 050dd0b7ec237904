"""Execute the chapters with papermill, each once, side by side, and never what is still good.

An executed notebook counts only with its stamp, a JSON file beside it. The stamp is deleted before
a run and written, whole, after it: neither a failing cell nor Ctrl-C can leave one behind.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.book import REPOSITORY, Book, BookError, Chapter
from tools.children import run_child
from tools.keys import Key, chapter_key, difference
from tools.lock import locked
from tools.notebooks import read_chapter
from visage.files import written_whole


class ChapterError(BookError):
    """A chapter failed while it ran; the message says in which cell, at which line, and why."""


@dataclass(frozen=True)
class Run:
    """A finished execution, as its stamp keeps it.

    Attributes:
        key: what it depended on.
        parameters: what papermill passed.
        seconds: how long it took.
        finished: when, ISO 8601, local time with its offset.
        device: processor or accelerator, in words.
    """

    key: Key
    parameters: dict[str, object]
    seconds: float
    finished: str
    device: str


def execute_all(
    book: Book, jobs: int | None = None, say: Callable[[str], None] = print
) -> dict[str, Run]:
    """Execute every chapter that needs it, `jobs` at a time.

    Args:
        book: the book.
        jobs: how many at once; the number of cores by default.
        say: receives one line a chapter that is executed.

    Returns:
        The runs of all chapters, by name.

    Raises:
        ChapterError: chapters failed; the message has a paragraph each. The others were finished.
    """
    jobs = jobs or os.cpu_count() or 1
    chapters = book.chapters
    failures: list[str] = []
    runs: dict[str, Run] = {}

    stop = threading.Event()

    def one(chapter: Chapter) -> None:
        try:
            runs[chapter.name] = execute(
                book, chapter, jobs=min(jobs, len(chapters)), say=say, stop=stop
            )
        except BookError as error:
            failures.append(str(error))

    with ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(one, chapters))
        finally:
            stop.set()  # on Ctrl-C, before the pool waits for its threads
    if failures:
        raise ChapterError("\n\n".join(failures))
    return {chapter.name: runs[chapter.name] for chapter in chapters}


def execute(
    book: Book,
    chapter: Chapter,
    jobs: int = 1,
    say: Callable[[str], None] = print,
    stop: threading.Event | None = None,
) -> Run:
    """Execute one chapter, unless a good execution is there already.

    Args:
        book: the book, with the profile to run.
        chapter: the chapter.
        jobs: how many chapters run at once, to share the cores between them.
        say: receives a line when the chapter is executed.
        stop: when set, a run in progress is ended and none begins.

    Raises:
        ChapterError: a cell failed. The notebook as far as it got is kept; the message names it.
    """
    notebook = read_chapter(book, chapter)
    parameters = {"PROFILE": book.profile}
    output = notebook_path(book, chapter)
    with locked(output.with_suffix(".lock")):  # `make test` may be at the same chapter
        key = chapter_key(book, notebook, parameters)
        standing = read_run(book, chapter)
        reason = difference(standing.key if standing else None, key)
        if standing and not reason:
            return standing
        say(f"{chapter.name}: {reason}, executing ({book.profile})")
        stamp_path(book, chapter).unlink(missing_ok=True)
        start = time.perf_counter()
        device = _papermill(book, chapter, notebook, parameters, jobs, stop or threading.Event())
        seconds = round(time.perf_counter() - start, 1)
        say(f"{chapter.name}: done in {seconds:.0f} s")
        finished = datetime.now().astimezone().isoformat(timespec="seconds")
        run = Run(key, parameters, seconds, finished, device)
        with written_whole(stamp_path(book, chapter)) as temporary:
            temporary.write_text(json.dumps(asdict(run), indent=1), encoding="utf-8")
        return run


def notebook_path(book: Book, chapter: Chapter) -> Path:
    """Where the executed notebook is."""
    return book.executed / f"{chapter.name}.ipynb"


def stamp_path(book: Book, chapter: Chapter) -> Path:
    """Where the stamp is that makes it count."""
    return book.executed / f"{chapter.name}.json"


def read_run(book: Book, chapter: Chapter) -> Run | None:
    """The standing execution of a chapter; None when there is none."""
    stamp = stamp_path(book, chapter)
    if not (stamp.is_file() and notebook_path(book, chapter).is_file()):
        return None
    try:
        return Run(**json.loads(stamp.read_text(encoding="utf-8")))
    except (ValueError, TypeError):  # of another version of this file
        return None


def _papermill(
    book: Book,
    chapter: Chapter,
    notebook: NotebookNode,
    parameters: dict,
    jobs: int,
    stop: threading.Event,
) -> str:
    """Run the notebook in a process of its own and return the device; the result appears whole."""
    output = notebook_path(book, chapter)
    prepared = output.with_suffix(".prepared.ipynb")
    partial = output.with_suffix(".partial.ipynb")
    output.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, prepared)
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    command = [sys.executable, "-m", "tools.papermill_worker"]
    command += [prepared, partial, chapter.source.parent, json.dumps(parameters)]
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONPATH": _python_path(book)}
    done = run_child(command, REPOSITORY, stop, environment)
    prepared.unlink(missing_ok=True)
    if done.returncode == 0:
        os.replace(partial, output)
        return json.loads(done.stdout.splitlines()[-1])["device"]
    if not done.stdout:
        last = done.stderr.strip().splitlines()[-1:] or [f"papermill ended with {done.returncode}"]
        raise ChapterError(f"{chapter.name}.md could not be executed.\n  {last[0]}")
    outcome = json.loads(done.stdout.splitlines()[-1])
    raise ChapterError(_failure(chapter, outcome["source"], outcome["error"], partial))


def _python_path(book: Book) -> str:
    """The kernel imports the library of this book, whatever else is installed."""
    return os.pathsep.join([str(book.root / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )


def _failure(chapter: Chapter, source: str, error: str, partial: Path) -> str:
    """Chapter, line, cell, the error's last line, and where the notebook is."""
    text = chapter.source.read_text(encoding="utf-8")
    start = text.find(source) if source else -1
    line = f":{text.count(chr(10), 0, start) + 1}" if start >= 0 else ""
    cell = "".join(f"\n    | {row}" for row in source.splitlines()[:8])
    return (
        f"{chapter.name}.md{line}: a cell failed.{cell}\n  {error.splitlines()[-1]}\n"
        f"  The notebook as far as it got: {partial}"
    )
