"""A book of two chapters and a library of four modules, to try the pipeline on."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tools.book import Book

HEADER = dedent("""\
    ---
    jupytext:
      text_representation: {extension: .md, format_name: myst}
    kernelspec: {display_name: Python 3, language: python, name: python3}
    ---
    """)


def chapter_text(title: str, code: str) -> str:
    """A chapter with a parameters cell and one cell of code."""
    return (
        f"{HEADER}\n# {title}\n\nSome prose.\n\n"
        '```{code-cell} ipython3\n:tags: [parameters]\n\nPROFILE = "fast"\nSEED = 0\n```\n\n'
        f"```{{code-cell}} ipython3\n{code}\n```\n"
    )


@pytest.fixture
def tiny_book(tmp_path) -> Book:
    files = {
        "_toc.yml": "format: jb-book\nroot: book/index\nchapters:\n"
        "- file: book/part/one\n- file: book/part/two\n",
        "_config.yml": "title: Tiny\nauthor: Nobody\nonly_build_toc_files: true\n"
        "repository: {url: https://github.com/nobody/tiny, branch: notebooks}\n"
        "sphinx: {config: {html_static_path: [book/_static], language: en}}\n",
        "book/index.md": "# Tiny\n\nRead {doc}`part/one`.\n",
        "book/_static/note.txt": "a static file",
        "book/part/one.md": chapter_text(
            "One", "from tiny.a import shown\nprint(shown(), PROFILE)"
        ),
        "book/part/two.md": chapter_text("Two", "from tiny import b\nb.NUMBER"),
        "src/tiny/__init__.py": "",
        "src/tiny/a.py": "from .c import WORD\n\n\ndef shown():\n    return WORD\n",
        "src/tiny/b.py": "NUMBER = 7\n",
        "src/tiny/c.py": 'WORD = "hello"\n',
        "results/part/x.json": "{}",
        "checkpoints/net.safetensors": "weights",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Book(root=tmp_path, package="tiny")


def edit(path: Path, old: str, new: str) -> None:
    """Replace a piece of a file that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(name="edit")
def _edit():
    return edit


@pytest.fixture(name="chapter_text")
def _chapter_text():
    return chapter_text
