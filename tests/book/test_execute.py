"""Chapters are executed when they have to be, once; a run that did not end well leaves no stamp."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from tools.book import REPOSITORY, Book
from tools.execute import ChapterError, execute_all, notebook_path, read_run, stamp_path
from tools.notebooks import read_chapter, with_outputs


@pytest.fixture
def run():
    """Execute a book and tell which chapters ran."""

    def executed(book: Book) -> list[str]:
        said: list[str] = []
        # Books read their files once; a build is a fresh process, and so is this.
        fresh = Book(root=book.root, profile=book.profile, package=book.package)
        execute_all(fresh, jobs=2, say=said.append)
        return sorted(line.partition(":")[0] for line in said if "executing" in line)

    return executed


def test_only_what_a_change_affects_is_executed(tiny_book, run, edit):
    one, two = "book/part/one", "book/part/two"
    assert run(tiny_book) == [one, two]
    assert run(tiny_book) == []
    edit(tiny_book.root / "book/part/one.md", "Some prose.", "Better prose.")
    assert run(tiny_book) == []
    edit(tiny_book.root / "book/part/two.md", "b.NUMBER", "b.NUMBER + 1")
    assert run(tiny_book) == [two]
    edit(tiny_book.root / "src/tiny/c.py", "hello", "good day")
    assert run(tiny_book) == [one]
    notebook = nbformat.read(notebook_path(tiny_book, tiny_book.chapter(one)), as_version=4)
    assert notebook.cells[-1].outputs[0].text == "good day fast\n"


def test_another_profile_runs_by_itself_and_is_shown(tiny_book, run):
    full = Book(root=tiny_book.root, profile="full", package="tiny")
    assert run(full) == ["book/part/one", "book/part/two"]
    assert run(full) == []
    chapter = full.chapter("book/part/one")
    executed = nbformat.read(notebook_path(full, chapter), as_version=4)
    assert any("injected-parameters" in cell.metadata.get("tags", []) for cell in executed.cells)
    shown = with_outputs(read_chapter(full, chapter), executed, read_run(full, chapter).parameters)
    sources = [cell.source for cell in shown.cells if cell.cell_type == "code"]
    assert sources[1] == 'PROFILE = "full"\nSEED = 0'
    assert len(sources) == 3
    assert shown.cells[-1].outputs[0].text == "hello full\n"


def test_a_failing_cell_is_named_and_leaves_no_stamp(tiny_book, run, edit):
    source = tiny_book.root / "book/part/two.md"
    edit(source, "b.NUMBER", "total = 1\ntotal / 0")
    chapter = tiny_book.chapter("book/part/two")
    with pytest.raises(ChapterError) as caught:
        run(tiny_book)
    message = str(caught.value)
    line = source.read_text().split("total = 1")[0].count("\n")
    assert f"book/part/two.md:{line}: a cell failed" in message
    assert "ZeroDivisionError: division by zero" in message
    assert "total / 0" in message
    partial = notebook_path(tiny_book, chapter).with_suffix(".partial.ipynb")
    assert str(partial) in message
    assert "ZeroDivisionError" in partial.read_text()
    assert not stamp_path(tiny_book, chapter).exists()
    assert read_run(tiny_book, tiny_book.chapter("book/part/one")) is not None

    edit(source, "total / 0", "total / 2")
    assert run(tiny_book) == ["book/part/two"]
    assert read_run(tiny_book, chapter) is not None


def test_an_interrupt_leaves_no_stamp_and_no_process(tiny_book, run, edit, tmp_path):
    assert run(tiny_book) == ["book/part/one", "book/part/two"]
    started = tmp_path / "started"
    waiting = (
        f"import os, pathlib, time\npathlib.Path({str(started)!r}).write_text(str(os.getpid()))"
    )
    edit(tiny_book.root / "book/part/two.md", "b.NUMBER", f"{waiting}\ntime.sleep(600)")
    program = (
        "import pathlib, sys; from tools.book import Book; from tools.execute import execute_all\n"
        "execute_all(Book(root=pathlib.Path(sys.argv[1]), package='tiny'), jobs=1)"
    )
    build = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=REPOSITORY,
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    _wait_until(started.exists)
    os.killpg(build.pid, signal.SIGINT)
    _, complaint = build.communicate(timeout=30)
    assert build.returncode != 0
    assert b"KeyboardInterrupt" in complaint
    assert not stamp_path(tiny_book, tiny_book.chapter("book/part/two")).exists()
    assert stamp_path(tiny_book, tiny_book.chapter("book/part/one")).exists()
    _wait_until(lambda: not _alive(int(started.read_text())))


def test_a_broken_stamp_is_no_stamp(tiny_book):
    chapter = tiny_book.chapter("book/part/one")
    stamp = stamp_path(tiny_book, chapter)
    stamp.parent.mkdir(parents=True)
    notebook_path(tiny_book, chapter).write_text("{}")
    for content in ("", "{", json.dumps({"key": {}})):
        stamp.write_text(content)
        assert read_run(tiny_book, chapter) is None


def _wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().split()[2] != "Z"
