"""Chapters become notebooks."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from tools.book import Book, BookError
from tools.notebooks import assign, install_cell, read_chapter


@pytest.fixture
def install_source(tiny_book):
    return install_cell(tiny_book, tiny_book.chapter("book/part/one")).source


def test_the_first_cell_does_nothing_here(install_source, monkeypatch):
    monkeypatch.setattr(subprocess, "run", pytest.fail)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    path, modules = list(sys.path), set(sys.modules)
    exec(install_source, {})
    assert sys.path == path
    assert set(sys.modules) == modules


def test_the_first_cell_installs_the_book_on_colab(install_source, monkeypatch):
    commands, folders = [], []
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    monkeypatch.setattr("os.chdir", folders.append)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    exec(install_source, {})
    clone, install = commands
    assert clone[:2] == ["git", "clone"]
    assert clone[-2:] == ["https://github.com/nobody/tiny", "/content/tiny"]
    assert "notebooks" in clone
    assert install[1:4] == ["-m", "pip", "install"]
    assert folders == ["/content/tiny/book/part"]
    assert sys.path[0] == "/content/tiny/src"


def test_a_chapter_reads_the_same_twice(tiny_book):
    chapter = tiny_book.chapter("book/part/one")
    assert read_chapter(tiny_book, chapter) == read_chapter(tiny_book, chapter)


def test_a_chapter_needs_one_parameters_cell(tiny_book, edit):
    edit(tiny_book.root / "book/part/one.md", ":tags: [parameters]", ":tags: [other]")
    with pytest.raises(BookError, match=r"one\.md has 0 cells tagged"):
        read_chapter(tiny_book, tiny_book.chapter("book/part/one"))


def test_assign_replaces_values_in_place():
    source = '# é\nPROFILE = "fast"  # or "full"\nSEED = 0\n'
    assert assign(source, {"PROFILE": "full"}) == '# é\nPROFILE = "full"  # or "full"\nSEED = 0\n'
    assert assign(source, {"SEED": 3}) == '# é\nPROFILE = "fast"  # or "full"\nSEED = 3\n'
    with pytest.raises(BookError, match="assigns no LAYERS"):
        assign(source, {"LAYERS": 3})


def test_unknown_pages_and_chapters_are_named(tiny_book):
    with pytest.raises(BookError, match="No chapter is called book/three; there are book/part/one"):
        tiny_book.chapter("book/three")
    (tiny_book.root / "book/part/two.md").unlink()
    with pytest.raises(BookError, match=r"there is no book/part/two\.md"):
        _ = Book(root=tiny_book.root).pages


def test_a_page_stands_in_the_book_once(tiny_book, edit):
    edit(tiny_book.root / "_toc.yml", "part/two", "part/one")
    with pytest.raises(BookError, match="names book/part/one twice"):
        _ = Book(root=tiny_book.root).pages
