"""Train one of the book's networks in one process and in two, and record ``book/cluster``.

Both runs are started as a reader starts them, ``visage train`` alone and with ``fabric run`` in
front of it, and their logs are compared step by step.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from visage.ledger import Result, Row, current_revision, describe_device, record

NETWORK = "face_segmentation"
"""Its own data, its own loss, batch normalisation, and all its chance in the data."""
STEPS = 40
PROCESSES = 2


class ClusterError(RuntimeError):
    """A run that did not go through."""


@dataclass(frozen=True)
class Curve:
    """The loss of every step of a run, and how long the command took."""

    losses: tuple[float, ...]
    seconds: float


def command(name: str, steps: int, processes: int, folder: Path) -> list[str]:
    """What trains a network for some steps, in one process or under ``fabric run`` in several.

    >>> command("locator", 5, 1, Path("one"))[1:7]
    ['train', 'locator', '--precision', '32-true', '--steps', '5']
    """
    launcher = []
    if processes > 1:
        launcher = [sys.executable, "-m", "lightning_fabric.cli", "--accelerator=cpu"]
        launcher += ["--strategy=ddp", f"--devices={processes}", "--"]
    visage = str(Path(sys.executable).with_name("visage"))
    settings = ["--precision", "32-true", "--steps", str(steps), "--log-every", "1"]
    return [*launcher, visage, "train", name, *settings, "--folder", str(folder)]


def trained(name: str, steps: int, processes: int, folder: Path) -> Curve:
    """Train, and read the log.

    Raises:
        ClusterError: the command failed.
    """
    # What an outer `fabric run` has set would make this one part of it.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("LT_")}
    clean.setdefault("OMP_NUM_THREADS", "1")
    start = time.perf_counter()
    done = subprocess.run(
        command(name, steps, processes, folder),
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ClusterError(f"training {name} in {processes} processes failed: {last}")
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    losses = tuple(json.loads(line)["loss"] for line in lines)
    return Curve(losses, time.perf_counter() - start)


def largest_difference(one: Curve, two: Curve) -> float:
    """Of the losses of two runs, relative to the first's.

    >>> round(largest_difference(Curve((2.0, 1.0), 0), Curve((2.0, 1.1), 0)), 3)
    0.1

    Raises:
        ClusterError: they have not taken equally many steps.
    """
    if len(one.losses) != len(two.losses):
        raise ClusterError(
            f"one run has {len(one.losses)} steps in its log and the other {len(two.losses)}"
        )
    return max(abs(a - b) / abs(a) for a, b in zip(one.losses, two.losses, strict=True))


def main() -> int:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        one = trained(NETWORK, STEPS, 1, Path(folder) / "one")
        two = trained(NETWORK, STEPS, PROCESSES, Path(folder) / "two")
    result = Result(
        id="book/cluster",
        paper=None,
        claim="A recipe under several processes follows the loss curve of one.",
        protocol=(
            f"`visage train {NETWORK} --precision 32-true --steps {STEPS} --log-every 1` alone, "
            f"and with `fabric run --accelerator cpu --devices {PROCESSES} --strategy ddp --` in "
            "front of it (gloo), on one machine, from one seed; the largest difference of their "
            "losses over all steps, relative to the first's. Seconds of the whole commands, which "
            "load the same data."
        ),
        profile="full",
        seed=0,
        device=describe_device(),
        seconds=round(time.perf_counter() - start, 1),
        revision=current_revision(),
        figure=None,
        rows=(
            Row("largest_relative_difference", None, largest_difference(one, two), "", "lower", 1),
            Row("first_loss", None, one.losses[0], "", None, 1),
            Row("last_loss", None, one.losses[-1], "", None, 1),
            Row("steps", None, len(one.losses), "", None, 1),
            Row("processes", None, PROCESSES, "", None, 1),
            Row("seconds_one", None, round(one.seconds, 1), "s", "lower", 1),
            Row("seconds_two", None, round(two.seconds, 1), "s", "lower", 1),
        ),
    )
    print(record(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
