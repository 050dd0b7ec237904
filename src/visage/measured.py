"""Rows and results of measurements: what every experiment writes the same way."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from visage.ledger import Profile, Result, Row, current_revision, describe_device

if TYPE_CHECKING:
    from torch import Tensor


def mean_row(
    name: str,
    values: Tensor,
    unit: str,
    better: Literal["lower", "higher"] | None,
    paper: float | None = None,
) -> Row:
    """A row of the mean of values (N,).

    >>> import torch
    >>> row = mean_row("distance", torch.tensor([0.25, 0.75]), "", "lower")
    >>> row.ours, row.n
    (0.5, 2)
    """
    return Row(name, paper, float(values.double().mean()), unit, better, len(values))


def measured_result(
    id: str,
    claim: str,
    protocol: str,
    *,
    paper: str | None,
    profile: Profile,
    seed: int,
    start: float,
    rows: Iterable[Row],
) -> Result:
    """A result of a run that ends now, on this machine, at this revision.

    Args:
        id: ``<part>/<name>``.
        claim: what the paper says (or what we set out to show), in a sentence.
        protocol: whom, how many, how.
        paper: bibliography key, None for a measurement of our own.
        profile: that was run.
        seed: that was used.
        start: `time.perf_counter` at the beginning.
        rows: of the result.
    """
    return Result(
        id=id,
        paper=paper,
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


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads of torch, and then as many as before."""
    import torch  # the ledger's own rows need none

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
