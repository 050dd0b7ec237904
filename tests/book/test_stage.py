"""What Sphinx reads is derived from the book, and the site appears only when it is whole."""

from __future__ import annotations

import json
from dataclasses import replace

import nbformat
import pytest
import yaml

from tools.book import Book, BookError
from tools.execute import Run, notebook_path
from tools.notebooks import is_parameters
from tools.site import build_html
from tools.stage import sphinx_config, stage


@pytest.fixture
def runs(tiny_book) -> dict[str, Run]:
    """Runs as papermill would leave them, without papermill."""
    from tools.notebooks import read_chapter

    key = {"packages": {"torch": "2"}, "python": "3.12.1"}
    runs = {}
    for chapter in tiny_book.chapters:
        notebook = read_chapter(tiny_book, chapter)
        notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="it ran\n")]
        path = notebook_path(tiny_book, chapter)
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        runs[chapter.name] = Run(
            key, {"PROFILE": "fast"}, 1.5, "2026-01-02T03:04:05+00:00", "a CPU"
        )
    return runs


def test_the_stage_holds_what_sphinx_needs(tiny_book, runs):
    source = stage(tiny_book, runs)
    names = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert names == {
        "_config.yml",
        "_toc.yml",
        "_static/note.txt",
        "index.md",
        "part/one.ipynb",
        "part/two.ipynb",
    }
    assert (source.parent / "src" / "tiny" / "a.py").is_file()
    assert yaml.safe_load((source / "_toc.yml").read_text())["root"] == "index"
    notebook = nbformat.read(source / "part/one.ipynb", as_version=4)
    assert notebook.cells[0].metadata.tags == ["remove-cell"]
    assert "profile `fast` in 2 s on a CPU, Python 3.12.1, torch 2" in notebook.cells[-1].source
    published = nbformat.read(tiny_book.published / "book/part/one.ipynb", as_version=4)
    assert published.cells[-1].outputs[0].text == "it ran\n"


def test_a_published_notebook_runs_fast_whatever_was_shown(tiny_book, runs):
    name = "book/part/one"
    runs[name] = replace(runs[name], parameters={"PROFILE": "full"})
    source = stage(tiny_book, runs)
    shown = nbformat.read(source / "part/one.ipynb", as_version=4)
    assert any(cell.source.startswith('PROFILE = "full"') for cell in shown.cells)
    published = nbformat.read(tiny_book.published / f"{name}.ipynb", as_version=4)
    (position,) = [i for i, cell in enumerate(published.cells) if is_parameters(cell)]
    assert published.cells[position].source.startswith('PROFILE = "fast"')
    assert 'a run with `PROFILE = "full"`' in published.cells[position - 1].source
    assert published.cells[-1].outputs[0].text == "it ran\n"
    other = nbformat.read(tiny_book.published / "book/part/two.ipynb", as_version=4)
    assert not any("a run with" in cell.source for cell in other.cells)


def test_a_page_that_is_gone_leaves_the_stage(tiny_book, runs, edit):
    source = stage(tiny_book, runs)
    before = (source / "part/one.ipynb").stat().st_mtime_ns
    edit(tiny_book.root / "_toc.yml", "- file: book/part/two\n", "")
    fresh = Book(root=tiny_book.root, package="tiny")
    stage(fresh, runs)
    assert not (source / "part/two.ipynb").exists()
    assert not (tiny_book.published / "book/part/two.ipynb").exists()
    assert (source / "part/one.ipynb").stat().st_mtime_ns == before
    assert (tiny_book.root / "src/tiny/b.py").exists()


def test_the_configuration_is_derived(tiny_book, runs):
    config = sphinx_config(tiny_book, runs)
    assert config["execute"] == {"execute_notebooks": "off"}
    assert config["sphinx"]["config"]["html_static_path"] == ["_static", "../../static"]
    table = config["sphinx"]["config"]["myst_substitutions"]["run_times"]
    assert "| [](/part/one) | fast | 1.5 | 2026-01-02 03:04 | a CPU |" in table
    assert tiny_book.config["sphinx"]["config"]["html_static_path"] == ["book/_static"]


def test_a_warning_keeps_the_old_site_and_comes_again(tiny_book, runs, edit, capfd):
    build_html(tiny_book, stage(tiny_book, runs))
    page = tiny_book.html / "part" / "one.html"
    assert "it ran" in page.read_text()
    stamp = tiny_book.build / "html.json"
    made = stamp.stat().st_mtime_ns
    build_html(tiny_book, stage(tiny_book, runs))
    assert stamp.stat().st_mtime_ns == made

    edit(tiny_book.root / "book/index.md", "{doc}`part/one`", "{doc}`part/none`")
    for _ in range(2):
        with pytest.raises(BookError, match="warnings"):
            build_html(tiny_book, stage(tiny_book, runs))
        assert "part/none" in capfd.readouterr().err
        assert not stamp.exists()
        assert page.exists()

    edit(tiny_book.root / "book/index.md", "part/none", "part/two")
    build_html(tiny_book, stage(tiny_book, runs))
    assert json.loads(stamp.read_text())
