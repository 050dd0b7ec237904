"""One at a time: a lock that a process holds until it ends, however it ends.

``python tools/lock.py FILE COMMAND...`` runs a command under the lock of a file that is there.
Only the standard library is needed, any Python will do.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

WAITING = "Another run is at work in this folder; waiting for it to end."


@contextmanager
def locked(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold a lock for the time of a block; wait for whoever holds it.

    The system lets go of it when the process ends, even when it is killed.

    Args:
        path: the file that stands for the lock; made if need be, never removed.
        waiting: what to say, once, to somebody who has to wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        _take(file, waiting)
        yield


def _take(file: IO, waiting: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting:
            print(waiting, file=sys.stderr, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)


def main() -> None:
    name, *command = sys.argv[1:]
    file = open(name)  # noqa: SIM115 (the command takes it over)
    _take(file, WAITING)
    os.set_inheritable(file.fileno(), True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
