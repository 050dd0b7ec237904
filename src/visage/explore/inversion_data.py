"""Tracked files of the explorers of part I, which `tools/build_inversion_grid.py` makes."""

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "inversion"


class ExplorerDataError(FileNotFoundError):
    """A file that an explorer shows is not there; the message says how it is made."""


def inversion_file(name: str) -> Path:
    """One of the files: `grid.webp`, `grid.json` or `people.json`.

    Raises:
        ExplorerDataError: it is not there.
    """
    path = FOLDER / name
    if not path.is_file():
        raise ExplorerDataError(
            f"src/visage/explore/inversion/{name} is missing; check it out again, or make it in a "
            "working copy with python -m tools.build_inversion_grid."
        )
    return path


def inversion_json(name: str) -> dict:
    """What such a file says.

    Raises:
        ExplorerDataError: it is not there.
    """
    return json.loads(inversion_file(name).read_text(encoding="utf-8"))
