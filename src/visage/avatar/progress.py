"""One progress bar for the whole way, which says at what stage it is."""

from __future__ import annotations

from types import TracebackType

from tqdm.auto import tqdm

from visage.avatar.stages import STAGES

_SHARE = {"photograph": 4, "embedding": 2, "inversion": 2, "normalized": 2, "coarse": 6, "fine": 4}
"""Percent that each stage is worth before the last; about their shares of the time."""

_BEFORE_SYNTHESIS = 30  # percent of the texture's: fit, partial albedo, correlations
_FORMAT = "{desc:<11}{percentage:3.0f}%|{bar}| {elapsed}"


class Progress:
    """A bar from 0 to 100; a context manager.

    Args:
        iterations: of the synthesis, the longest part.
        shown: whether to show it.
    """

    def __init__(self, iterations: int, *, shown: bool = True) -> None:
        self.shown = shown
        self._iterations = iterations
        self._starts: dict[str, float] = {}
        total = 0
        for name in STAGES:
            self._starts[name] = total
            total += _SHARE.get(name, 0)
        self._bar = tqdm(
            total=100, bar_format=_FORMAT, leave=False, disable=None if shown else True
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def begin(self, stage: str) -> None:
        """A stage of `STAGES` begins."""
        self._bar.set_description_str(stage, refresh=False)
        self._go_to(self._starts[stage])

    def step(self, steps: int) -> None:
        """So many steps of the synthesis are done."""
        start = self._starts["texture"] + _BEFORE_SYNTHESIS
        self._go_to(start + (100 - start) * min(1.0, steps / self._iterations))

    def _go_to(self, percent: float) -> None:
        self._bar.update(max(0.0, percent - self._bar.n))
        self._bar.refresh()
