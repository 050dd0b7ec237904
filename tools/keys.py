"""Keys: a chapter is executed again when, and only when, something that it depends on has changed.

A key is a plain dictionary that is stored beside the executed notebook, so that a run can say why
it happens. It holds
- the code cells with their tags (prose is not part of it: a corrected sentence costs no execution),
- the parameters that papermill passes,
- a hash of each file of the library that the cells can reach (`tools.imports`),
- a hash of each file below ``results/`` and ``checkpoints/`` whose name, without its suffix, stands
  anywhere in the cells or in those library files; all of ``results/`` for cells that call
  ``list_results``,
- the version of Python and of every installed package, and the platform,
- the folder that VISAGE_DATA names, where the cells or those library files mention it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from tools.book import Book
from tools.imports import Library

Key = dict[str, object]


def chapter_key(book: Book, notebook: Mapping, parameters: Mapping[str, object]) -> Key:
    """The key of a chapter.

    Args:
        book: where the library, results and checkpoints are.
        notebook: the notebook as it will be executed.
        parameters: what papermill will pass to it.
    """
    cells = [
        [cell["source"], sorted(cell["metadata"].get("tags", []))]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    sources = [source for source, _ in cells]
    reached = reached_files(book, sources)
    return {
        "cells": digest(json.dumps(cells).encode()),
        "parameters": dict(parameters),
        **reached,
        **environment(),
    }


def reached_files(book: Book, sources: Iterable[str]) -> Key:
    """Hashes of the library files that code reaches, and of the data and photographs they name."""
    sources = list(sources)
    library = Library(book.root / "src" / book.package).closure(sources)
    texts = sources + [path.read_text("utf-8") for path in library if path.suffix == ".py"]
    named = named_data(book.root, texts, every_result="list_results" in "\n".join(sources))
    photographs = any("VISAGE_DATA" in text for text in texts)
    return {
        "library": hashes(book.root, library),
        "data": hashes(book.root, named),
        "photographs": os.environ.get("VISAGE_DATA", "") if photographs else "",
    }


def named_data(root: Path, texts: Iterable[str], every_result: bool) -> set[Path]:
    """Files below results/ and checkpoints/ that the texts name."""
    text = "\n".join(texts)
    found = set()
    for folder in (root / "results", root / "checkpoints"):
        for path in folder.rglob("*"):
            name = path.relative_to(folder).with_name(path.name.partition(".")[0]).as_posix()
            if path.is_file() and (name in text or (every_result and folder.name == "results")):
                found.add(path)
    return found


@cache
def environment() -> Key:
    """Versions of everything that is installed, and the platform."""
    packages = {
        distribution.metadata["Name"]: distribution.version
        for distribution in metadata.distributions()
    }
    return {
        "packages": dict(sorted(packages.items())),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def hashes(root: Path, paths: Iterable[Path]) -> dict[str, str]:
    """Relative path to the hash of the file's bytes."""
    return {path.relative_to(root).as_posix(): digest(path.read_bytes()) for path in sorted(paths)}


def digest(content: bytes) -> str:
    """A short hash, to tell contents apart."""
    return hashlib.sha256(content).hexdigest()[:20]


def difference(old: Key | None, new: Key) -> str:
    """Why a key no longer fits, in words; empty when it does.

    >>> difference({"library": {"x.py": "1"}}, {"library": {"x.py": "2"}})
    'x.py changed'
    >>> difference(None, {"cells": "a"})
    'not executed yet'
    >>> difference({"cells": "a"}, {"cells": "a"})
    ''
    """
    if old is None:
        return "not executed yet"
    for part in new:
        before, after = old.get(part), new[part]
        if before == after:
            continue
        if not (isinstance(before, dict) and isinstance(after, dict)):
            return f"{part} changed"
        names = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"{names[0]}{more} changed"
    return ""
