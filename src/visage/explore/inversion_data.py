"""Tracked files of the explorers of part I, which `tools/build_inversion_grid.py` makes."""

import json
from pathlib import Path

from visage.ledger import repository


class ExplorerDataError(FileNotFoundError):
    """A file that an explorer shows is not there; the message says how it is made."""


def inversion_file(name: str) -> Path:
    """A file of ``book/_static/inversion``, which the site serves as it is.

    Raises:
        ExplorerDataError: it is not there.
    """
    root = repository()
    if root is None:
        raise ExplorerDataError(
            "this explorer shows files of the book, and the package is not installed from a "
            "working copy; clone the repository and install it with pip install -e."
        )
    path = root / "book" / "_static" / "inversion" / name
    if not path.is_file():
        raise ExplorerDataError(
            f"book/_static/inversion/{name} is missing; check it out again, or make it with "
            "python -m tools.build_inversion_grid."
        )
    return path


def inversion_json(name: str) -> dict:
    """What such a file says.

    Raises:
        ExplorerDataError: it is not there.
    """
    return json.loads(inversion_file(name).read_text(encoding="utf-8"))
