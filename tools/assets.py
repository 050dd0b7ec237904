"""Files that pages load and that the library makes in seconds: networks as ONNX, the hero picture.

`visage.explore.assets.ASSETS` says which, and how; nothing of it is tracked.
"""

from __future__ import annotations

import inspect
import json
import sys
import textwrap
import threading
from pathlib import Path

from tools.book import REPOSITORY, Book, BookError
from tools.children import run_child
from tools.keys import Key, environment, reached_files
from visage.explore.assets import ASSETS
from visage.files import written_whole


def make_assets(book: Book, stop: threading.Event | None = None) -> Path:
    """Write every asset that is missing or out of date to ``_build/static/assets``.

    Args:
        book: the book.
        stop: when set, the one that is being made is given up, and no other begun.

    Returns:
        The folder.

    Raises:
        BookError: an asset could not be made; the message has the last line of the error.
    """
    folder = book.build / "static" / "assets"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in ASSETS:
            path.unlink()
    for name in ASSETS:
        stamp = book.build / "assets" / f"{name}.json"
        key = asset_key(book, name)
        standing = json.loads(stamp.read_text(encoding="utf-8")) if stamp.is_file() else None
        if standing != key or not (folder / name).is_file():
            stamp.unlink(missing_ok=True)
            _make(name, folder / name, stop)
            with written_whole(stamp) as temporary:
                temporary.write_text(json.dumps(key, indent=1), encoding="utf-8")
    return folder


def asset_key(book: Book, name: str) -> Key:
    """What an asset depends on: the library that its function reaches, data, versions."""
    source = textwrap.dedent(inspect.getsource(ASSETS[name]))
    return {"source": source, **reached_files(book, [source]), **environment()}


def _make(name: str, path: Path, stop: threading.Event | None) -> None:
    """Run the asset's function in a process of its own: the build itself loads no torch."""
    print(f"Making {name}")
    program = (
        "import sys; from tools.children import end_with_parent; end_with_parent()\n"
        "from visage.explore.assets import ASSETS; from visage.files import written_whole\n"
        "with written_whole(sys.argv[2]) as temporary: ASSETS[sys.argv[1]](temporary)"
    )
    done = run_child([sys.executable, "-c", program, name, path], REPOSITORY, stop)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise BookError(f"The asset {name} could not be made.\n  {last[0]}")
