"""Files that appear whole or not at all, and arrays on disk that grow."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike


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


def opened_array(path: str | Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap:
    """An array on disk with room for as many rows; what is written to it is kept.

    For work that is done row by row and goes on where it was stopped: a new file is all zeros, and
    takes no room on disks that keep it sparse. An array with fewer rows grows, and keeps those that
    it has.

    Args:
        path: of an .npy file, in a folder that is there.
        dtype: of a new array.
        shape: rows first; one with more rows stays as it is.

    Returns:
        Open to read and write, with at least as many rows.

    Raises:
        ValueError: the file holds rows of another shape or type.

    >>> import numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> opened_array(folder / "done.npy", np.bool_, (2,))[1] = True
    >>> opened_array(folder / "done.npy", np.bool_, (3,)).tolist()
    [False, True, False]
    """
    import numpy as np  # the command line reads this module before anything heavy

    path = Path(path)
    old = np.lib.format.open_memmap(path, mode="r+") if path.exists() else None
    if old is not None and (old.shape[1:] != tuple(shape[1:]) or old.dtype != np.dtype(dtype)):
        raise ValueError(
            f"{path.name} holds rows of {old.shape[1:]} {old.dtype}; expected {tuple(shape[1:])} "
            f"{np.dtype(dtype)}, so delete it, or give another name"
        )
    if old is not None and len(old) >= shape[0]:
        return old
    with written_whole(path) as temporary:
        new = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
        if old is not None:
            new[: len(old)] = old
        new.flush()
    return np.lib.format.open_memmap(path, mode="r+")
