"""Processes that a build starts: they can be stopped, and never outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tools.book import BookError


class StoppedError(BookError):
    """The build was stopped while a process of it ran."""


def run_child(
    command: Sequence[object],
    folder: Path,
    stop: threading.Event | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nothing to read, and keep what it writes.

    Args:
        command: the program and its words.
        folder: where it runs.
        stop: when set, the process is ended.
        environment: its variables, this process's own by default.

    Raises:
        StoppedError: `stop` was set.
    """
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    )
    try:
        while True:
            try:
                said, complaint = process.communicate(timeout=0.2)
                return subprocess.CompletedProcess(command, process.returncode, said, complaint)
            except subprocess.TimeoutExpired:
                if stop is not None and stop.is_set():
                    raise StoppedError("Stopped.") from None
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def end_with_parent() -> None:
    """End this process soon after the one that started it, should that be killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def stop_on_termination() -> None:
    """Let SIGTERM do what Ctrl-C does: raise KeyboardInterrupt in the main thread."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
