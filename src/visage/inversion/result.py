"""The frame that all results of this part have."""

from __future__ import annotations

import time
from collections.abc import Iterable

from visage.ledger import Profile, Result, Row, current_revision, describe_device


def part_result(
    name: str,
    claim: str,
    protocol: str,
    *,
    profile: Profile,
    seed: int,
    start: float,
    rows: Iterable[Row],
) -> Result:
    """A result of this part.

    Args:
        name: of the experiment, without the part.
        claim: what the paper says, in a sentence.
        protocol: whom, how many, how.
        profile: that was run.
        seed: that was used.
        start: `time.perf_counter` at the beginning.
        rows: of the result.
    """
    return Result(
        id=f"inversion/{name}",
        paper="zhmoginov2016inverting",
        claim=claim,
        protocol=protocol,
        profile=profile,
        seed=seed,
        device=describe_device(),
        seconds=time.perf_counter() - start,
        revision=current_revision(),
        figure=None,
        rows=tuple(rows),
    )
