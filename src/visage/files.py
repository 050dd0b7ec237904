"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder, renamed to ``path`` when the block ends well.

    When the block raises, or is interrupted, the temporary file is removed and whatever stood at
    ``path`` stays as it was. Folders above ``path`` are made.

    >>> folder = Path(tempfile.mkdtemp())
    >>> with written_whole(folder / "note.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "note.txt").read_text(), len(list(folder.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp's files are private; these are for everybody.
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
