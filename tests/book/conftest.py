"""A book of two chapters and a library of four modules, to try the pipeline on."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest

from tools.book import Book
from tools.notebooks import read_chapter
from tools.plain import plain_markdown
from tools.published import outer_environment

HEADER = dedent("""\
    ---
    jupytext:
      text_representation: {extension: .md, format_name: myst}
    kernelspec: {display_name: Python 3, language: python, name: python3}
    ---
    """)

# A package that can be installed, editable, without setuptools and without a network.
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""
BACKEND = dedent("""\
    import os, zipfile

    def build_editable(folder, config_settings=None, metadata_directory=None):
        files = {
            "tiny.pth": os.path.abspath("src"),
            "tiny-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n",
            "tiny-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: backend\\n"
            "Root-Is-Purelib: true\\nTag: py3-none-any\\n",
            "tiny-1.dist-info/RECORD": "",
        }
        with zipfile.ZipFile(os.path.join(folder, "tiny-1-py3-none-any.whl"), "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
        return "tiny-1-py3-none-any.whl"
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


@pytest.fixture
def tracked_book(tiny_book) -> Book:
    """The tiny book as a git repository whose package can be installed."""
    (tiny_book.root / "pyproject.toml").write_text(PYPROJECT)
    (tiny_book.root / "backend.py").write_text(BACKEND)
    (tiny_book.root / ".gitignore").write_text("_build/\n__pycache__/\n")
    for words in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *words], cwd=tiny_book.root, check=True, env=outer_environment())
    return tiny_book


@pytest.fixture
def publish():
    """Leaves notebooks as `make book` would, but for the outputs."""

    def published(book: Book) -> None:
        for chapter in book.chapters:
            path = book.published / f"{chapter.name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(plain_markdown(read_chapter(book, chapter), chapter.source), path)

    return published


@pytest.fixture
def borrowed(tmp_path) -> Path:
    """The interpreter of an environment that borrows this one's packages: no time to make it."""
    folder = tmp_path / "elsewhere"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"
