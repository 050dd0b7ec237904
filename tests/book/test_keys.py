"""What a chapter depends on, found by reading."""

from __future__ import annotations

import nbformat
import pytest

from tools.imports import Library
from tools.keys import chapter_key, difference, environment, named_data

FILES = {
    "__init__.py": "",
    "plain.py": "import math",
    "deep/__init__.py": "from . import near",
    "deep/near.py": "def late():\n    from visage_like.plain import math\n",
    "deep/lazy.py": "import importlib\nTABLE = {'x': 'visage_like.plain:thing'}\n",
    "deep/look.css": "p {}",
    "deep/assets/mesh.npz": "mesh",
    "other/__init__.py": "",
    "other/table.json": "[]",
}


@pytest.fixture
def library(tmp_path) -> Library:
    folder = tmp_path / "src" / "visage_like"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Library(folder)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os", set()),
        ("import visage_like.plain as p", {"__init__.py", "plain.py"}),
        (
            "from visage_like.deep.near import late",
            {
                "__init__.py",
                "plain.py",
                "deep/__init__.py",
                "deep/near.py",
                "deep/look.css",
                "deep/assets/mesh.npz",
            },
        ),
        ("from visage_like import other", {"__init__.py", "other/__init__.py", "other/table.json"}),
        ("importlib.import_module('visage_like.plain')", {"__init__.py", "plain.py"}),
        ("!visage train", set(FILES)),
    ],
    ids=[
        "nothing",
        "module",
        "through others",
        "package",
        "by name",
        "a shell command: everything",
    ],
)
def test_closure(library, code, expected):
    found = {path.relative_to(library.folder).as_posix() for path in library.closure([code])}
    assert found == expected


def test_lazily_imported_modules_count(library):
    found = library.closure(["from visage_like.deep import lazy"])
    assert library.folder / "plain.py" in found


def test_named_data(tmp_path):
    for name in ("results/part/x.json", "results/part/x.svg", "results/part/y.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/net.safetensors").write_text("w")

    def names(text, every_result=False):
        found = named_data(tmp_path, [text], every_result)
        return {path.relative_to(tmp_path).as_posix() for path in found}

    assert names("ledger.read('part/x')") == {"results/part/x.json", "results/part/x.svg"}
    assert names("load_checkpoint('net')") == {"checkpoints/net.safetensors"}
    assert names("nothing") == set()
    assert len(names("list_results()", every_result=True)) == 3


def _notebook(*sources, tags=()):
    cells = [nbformat.v4.new_code_cell(s, metadata={"tags": list(tags)}) for s in sources]
    return nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_markdown_cell("prose")])


def test_every_part_of_a_key_counts(tiny_book, monkeypatch):
    old = chapter_key(tiny_book, _notebook("from tiny import b", "'part/x'"), {"PROFILE": "fast"})

    def why(*sources, profile="fast", tags=()):
        new = chapter_key(tiny_book, _notebook(*sources, tags=tags), {"PROFILE": profile})
        return difference(old, new)

    same = ("from tiny import b", "'part/x'")
    assert why(*same) == ""
    assert why("from tiny import b", "'part/x' ") == "cells changed"
    assert why(*same, tags=["raises-exception"]) == "cells changed"
    assert why(*same, profile="full") == "PROFILE changed"
    (tiny_book.root / "results/part/x.json").write_text("[]")
    assert why(*same) == "results/part/x.json changed"
    (tiny_book.root / "src/tiny/b.py").write_text("NUMBER = 8")
    assert why(*same) == "src/tiny/b.py changed"
    monkeypatch.setenv("VISAGE_DATA", "/somewhere/else")
    assert "photographs" not in why(*same)
    asks = (*same, "os.environ['VISAGE_DATA']")
    old = chapter_key(tiny_book, _notebook(*asks), {"PROFILE": "fast"})
    monkeypatch.setenv("VISAGE_DATA", "/elsewhere/again")
    assert why(*asks) == "photographs changed"


def test_versions_are_part_of_the_environment():
    assert environment()["packages"]["numpy"]
    old = {"packages": {"numpy": "1", "torch": "2"}}
    assert difference(old, {"packages": {"numpy": "2", "torch": "3"}}) == "numpy and 1 more changed"
