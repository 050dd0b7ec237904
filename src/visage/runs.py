"""What a training run leaves on disk, and how it goes on from there.

A run is a folder: ``last.ckpt`` holds everything that a resumed run needs, ``log.jsonl`` a line of
loss terms every few steps.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from visage.files import written_whole

if TYPE_CHECKING:
    from visage.training import TrainingConfig

# Settings that a continuation may change: the curve does not depend on them.
_FREE_TO_CHANGE = {"checkpoint_every", "log_every", "workers"}


class TrainingError(RuntimeError):
    """A run that cannot go on; the message says what to do."""


class Run:
    """The state of a run.

    Args:
        folder: made when there is something to write.
        recipe: the name of what is trained.
        config: of this run; a continuation must have the same.
        model: the bare network, not the wrapper of a distributed strategy.
        optimizer: of its parameters.
    """

    def __init__(
        self,
        folder: Path,
        recipe: str,
        config: TrainingConfig,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
    ):
        self.checkpoint, self.log_file = folder / "last.ckpt", folder / "log.jsonl"
        self.recipe, self.config = recipe, config
        self.model, self.optimizer = model, optimizer
        self.step, self.seconds = 0, 0.0
        self.average: dict[str, Tensor] = {}
        if config.ema:
            self.average = {name: t.detach().clone() for name, t in model.state_dict().items()}

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "recipe": self.recipe,
            "config": asdict(self.config),
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
        }
        with written_whole(self.checkpoint) as temporary:
            torch.save(state, temporary)

    def resume(self, device: torch.device) -> None:
        """Take up the folder's checkpoint, if there is one, and cut the log back to it.

        Raises:
            TrainingError: the checkpoint is damaged, or of another recipe or other settings.
        """
        if not self.checkpoint.exists():
            self.log_file.unlink(missing_ok=True)
            return
        try:
            state = torch.load(self.checkpoint, map_location=device, weights_only=True)
        except Exception as error:  # torch names no type for what a damaged file raises
            raise TrainingError(
                f"{self.checkpoint} cannot be read ({type(error).__name__}); "
                "delete it to start again."
            ) from None
        self._refuse_another_run(state)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.average = state["step"], state["seconds"], state["average"]
        if self.log_file.exists():
            lines = self.log_file.read_text("utf-8").splitlines(keepends=True)
            # A killed run may have logged past its checkpoint, and half of its last line.
            whole = [line for line in lines if line.endswith("\n")]
            kept = [line for line in whole if json.loads(line)["step"] < self.step]
            with written_whole(self.log_file) as temporary:
                temporary.write_text("".join(kept), "utf-8")

    def _refuse_another_run(self, state: dict) -> None:
        differences = [
            f"{name} was {state['config'].get(name)!r} and is now {mine!r}"
            for name, mine in asdict(self.config).items()
            if name not in _FREE_TO_CHANGE and mine != state["config"].get(name)
        ]
        if state["recipe"] != self.recipe:
            differences.insert(0, f"it trains {state['recipe']!r}")
        if differences:
            raise TrainingError(
                f"{self.checkpoint.parent} holds another run: {'; '.join(differences)}. "
                "Give this run another folder, or delete that one."
            )

    def average_weights(self, decay: float) -> None:
        """Let the running mean follow the weights; a no-op for a run that keeps none."""
        if not self.average:
            return
        # A mean over few steps at first, so that it forgets the initial weights.
        decay = min(decay, (1 + self.step) / (10 + self.step))
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)

    def log(self, terms: dict[str, float]) -> None:
        """Append a line for the current step."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        line = {"step": self.step, **terms, "seconds": round(self.seconds, 2)}
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
