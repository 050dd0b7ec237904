"""The published notebooks run as Colab would run them; the whole of it only where it is asked for.

`VISAGE_ELSEWHERE=1` asks for it: 6 GB of packages, and every chapter. It needs the built book.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import types

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tools import colab, notebooks, published
from tools.book import REPOSITORY, Book, BookError
from tools.notebooks import read_chapter
from tools.plain import plain_markdown
from tools.published import Outcome, publish_branch

BOOK = Book()


def test_chapters_run_from_their_first_cell_on(
    tracked_book, publish, borrowed, edit, monkeypatch, tmp_path, capsys
):
    content = tmp_path / "content"
    monkeypatch.setattr(colab, "CONTENT", content)
    cell = notebooks.INSTALL_CELL.replace("/content/", f"{content}/")
    monkeypatch.setattr(notebooks, "INSTALL_CELL", cell)
    colab.add_google_colab(borrowed)
    monkeypatch.setattr(colab, "make_environment", lambda folder, python: borrowed)
    one, two = (chapter.source for chapter in tracked_book.chapters)
    edit(one, "print(shown(), PROFILE)", "import os\nprint(shown(), PROFILE, os.getcwd())")
    edit(two, "b.NUMBER", "b.NUMBER / 0")
    publish(tracked_book)

    outcomes, versions = colab.run_as_colab(tracked_book, tmp_path / "colab", "python")

    assert [outcome.name for outcome in outcomes] == ["book/part/one", "book/part/two"]
    assert [outcome.error for outcome in outcomes] == ["", "ZeroDivisionError: division by zero"]
    assert "book/part/two: ZeroDivisionError" in capsys.readouterr().out
    assert versions["tiny"] == "1"
    ran = nbformat.read(tmp_path / "colab/executed/book/part/one.ipynb", as_version=4)
    assert ran.cells[-1].outputs[0].text == f"hello fast {content}/tiny/book/part\n"
    assert list(content.iterdir()) == []
    assert not list(tracked_book.root.rglob("*.egg-info"))


def test_the_branch_holds_sources_and_notebooks(tracked_book, publish, tmp_path):
    with pytest.raises(BookError, match=r"is not of this book/part/one\.md; run `make book`"):
        publish_branch(tracked_book, tmp_path / "branch")
    publish(tracked_book)
    branch = publish_branch(tracked_book, tmp_path / "branch")
    said = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "notebooks"],
        cwd=branch,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"book/part/one.md", "book/part/one.ipynb", "src/tiny/a.py", "_toc.yml"} <= set(said)
    assert not any(name.startswith("_build") for name in said)


def test_a_notebook_of_an_older_chapter_is_refused(tracked_book, publish, tmp_path, edit):
    publish(tracked_book)
    edit(tracked_book.root / "book/part/two.md", "b.NUMBER", "b.NUMBER + 1")
    with pytest.raises(BookError, match=r"part/two\.ipynb is not of this"):
        publish_branch(tracked_book, tmp_path / "branch")
    edit(tracked_book.root / "book/part/two.md", "b.NUMBER + 1", "b.NUMBER")
    edit(tracked_book.root / "book/part/two.md", "Some prose", "Better prose")
    publish_branch(tracked_book, tmp_path / "branch")


def test_the_working_folder_must_be_empty(tmp_path, monkeypatch):
    content = tmp_path / "content"
    monkeypatch.setattr(colab, "CONTENT", content)
    assert colab.take_content() == content
    (content / "precious").mkdir()
    with pytest.raises(BookError, match="must be empty; it holds precious"):
        colab.take_content()


def test_widgets_find_the_stand_in_for_colab(monkeypatch):
    from anywidget import _util

    module = types.ModuleType("google.colab.output")
    exec(colab.OUTPUT_MODULE, module.__dict__)
    monkeypatch.setitem(sys.modules, "google.colab.output", module)
    _util.enable_custom_widget_manager_once.cache_clear()
    described = json.dumps(_util.get_repr_metadata())
    _util.enable_custom_widget_manager_once.cache_clear()
    assert "https://example.org/manager.js" in described


def test_the_loose_ranges_admit_what_colab_has():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    ranges = {
        requirement.name: requirement.specifier
        for requirement in map(Requirement, project["dependencies"])
    }
    refused = {
        name
        for name, version in colab.PACKAGES.items()
        if name in ranges and version not in ranges[name]
    }
    assert refused == {"ipywidgets"}, "the first cell would replace what Colab has"
    assert colab.PYTHON in Requirement(f"python{project['requires-python']}").specifier
    (oldest,) = (clause.version for clause in ranges["torch"])
    assert Version(colab.PACKAGES["torch"]).release[:2] == Version(oldest).release[:2]


def test_the_older_packages_are_older_than_the_pinned_ones():
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    pins = dict(line.split()[0].split("==") for line in lines if re.match(r"[\w.-]+==", line))
    for name, version in colab.PACKAGES.items():
        assert Version(version) < Version(pins[name]), name


@pytest.mark.parametrize("recorded", [True, False])
def test_what_ran_is_recorded(monkeypatch, tmp_path, capsys, recorded):
    written = []
    monkeypatch.setattr(published, "record", lambda result: written.append(result) or tmp_path)
    outcomes = [Outcome("one", 3.0, ""), Outcome("two", 5.0, "ValueError: no")]

    status = published.conclude(lambda: (outcomes, "told"), "book/tiny", "It runs.", recorded)

    assert status == 1
    assert len(written) == recorded
    for result in written:
        assert (result.id, result.claim, result.protocol) == ("book/tiny", "It runs.", "told")
        values = {row.name: row.ours for row in result.rows}
        assert values == {"chapters_run": 2, "chapters_failed": 1, "slowest_chapter_seconds": 5}


def test_a_run_that_cannot_begin_says_why(capsys):
    def run():
        raise BookError("no interpreter")

    assert published.conclude(run, "book/tiny", "It runs.", recorded=True) == 1
    assert capsys.readouterr().err == "no interpreter\n"


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.name)
def test_colab_shows_no_myst(chapter):
    """Directives, roles, labels and substitutions, which only the pages understand."""
    myst = re.compile(r"^(`{3,}|:{3,})\{|(?<!`)\{[\w:-]+\}`\S|^\([\w-]+\)=$|\{\{ *\w+ *\}\}", re.M)
    notebook = plain_markdown(read_chapter(BOOK, chapter), chapter.source)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"^```\w*\n.*?^```$", "", cell.source, flags=re.M | re.S)
            assert not myst.search(prose), cell.source


@pytest.mark.skipif(
    "VISAGE_ELSEWHERE" not in os.environ,
    reason="installs Colab's older packages, 6 GB, and runs every chapter: set VISAGE_ELSEWHERE=1",
)
def test_every_chapter_runs_as_on_colab():
    """Records `book/colab`, too."""
    done = subprocess.run([sys.executable, "-m", "tools.colab"], cwd=REPOSITORY)
    assert done.returncode == 0
