"""Where a reconstruction is, so that it can be stopped and continued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from visage.files import written_whole
from visage.inversion.errors import InversionError


@dataclass(frozen=True)
class ReconstructionState:
    """Everything that the steps still to come depend on, and what is reported of those done.

    Attributes:
        step: how many are done.
        numbers: (B, ...), what is optimised (`visage.inversion.pixels`).
        moments: of the optimiser.
        best: (B, ...), the numbers with the lowest score so far.
        best_score: (B,), losses with the last step's TV weight, so that steps can be compared.
        best_step: (B,), when that was.
        first_loss: (B,), what an explosion is measured against.
        diverged: (B,), whether the image was stopped; its numbers are its best then.
        losses: by term, each (step, B).
        problem: describes targets and settings; a state of another problem is refused.
    """

    step: int
    numbers: Tensor
    moments: tuple[Tensor, ...]
    best: Tensor
    best_score: Tensor
    best_step: Tensor
    first_loss: Tensor
    diverged: Tensor
    losses: Mapping[str, Tensor]
    problem: str

    def save(self, path: str | Path) -> None:
        """Write to a file that appears whole or not at all."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        with written_whole(path) as temporary:
            torch.save(content | {"losses": dict(self.losses)}, temporary)

    @classmethod
    def load(cls, path: str | Path, problem: str, device: torch.device) -> ReconstructionState:
        """Read a state of the same problem.

        Raises:
            InversionError: the file is no state, or one of other targets or settings.
        """
        try:
            content = torch.load(path, map_location=device, weights_only=True)
            state = cls(**content)
        except (UnpicklingError, RuntimeError, EOFError, TypeError) as error:
            raise InversionError(f"{path} is no saved reconstruction; remove it.") from error
        if state.problem != problem:
            raise InversionError(
                f"{path} holds a reconstruction of other targets or with other settings; "
                "give the same ones, or another path."
            )
        return state
