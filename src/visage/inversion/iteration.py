"""One step of a reconstruction: from a state to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visage.inversion.descent import descend, first_moments, shaped_gradient, step_size
from visage.inversion.objective import Evaluation, Objective
from visage.inversion.pixels import Pixels
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.inversion.state import ReconstructionState
from visage.inversion.total_variation import total_variation_weight
from visage.recognition.encoder import RANGE_LIMIT

Callback = Callable[[int, Tensor, dict[str, Tensor]], None]
"""Called after a step is evaluated: (step, images (B, 3, S, S), terms (B,) by name)."""

_SMALL_LOSS = 1.0
"""A start at the solution has a loss near 0, and no multiple of it means divergence."""


@dataclass(frozen=True)
class Iteration:
    """What is the same in every step.

    Attributes:
        objective: the loss.
        targets: (B, dim).
        config: settings.
        pixels: the parametrisation.
        seeds: of the jitter: one for all images, or one for each.
        callback: sees every step, or None.
    """

    objective: Objective
    targets: Tensor
    config: ReconstructionConfig
    pixels: Pixels
    seeds: list[int]
    callback: Callback | None = None

    def first(self, numbers: Tensor, problem: str) -> ReconstructionState:
        """The state before the first step, at numbers (B, ...)."""
        batch, device = len(numbers), numbers.device
        return ReconstructionState(
            step=0,
            numbers=numbers,
            moments=first_moments(numbers, self.config.optimiser),
            best=numbers,
            best_score=numbers.new_full((batch,), torch.inf),
            best_step=torch.zeros(batch, dtype=torch.long, device=device),
            first_loss=numbers.new_zeros(batch),
            diverged=torch.zeros(batch, dtype=torch.bool, device=device),
            losses={},
            problem=problem,
        )

    def advanced(self, state: ReconstructionState) -> ReconstructionState:
        """The state one step later; the one given stays whole."""
        step, config = state.step, self.config
        diverged = state.diverged | self.out_of_range(state.numbers)
        numbers = chosen(diverged, state.best, state.numbers).requires_grad_()
        decoded = self.pixels.decode(numbers)
        images = _leaf(decoded, config.channels_last)
        found, tv = self._evaluated(images, step)
        total = found.total()
        (gradient,) = torch.autograd.grad(total.sum(), images)
        total = total.detach()
        if self.callback is not None:
            terms = {name: value.detach() for name, value in found.terms.items()}
            self.callback(step, images.detach(), terms | {"total": total})
        first = total if step == 0 else state.first_loss
        limit = config.explosion * first.abs().clamp(min=_SMALL_LOSS)
        # Written so that NaN counts as divergence.
        diverged = diverged | ~(total.abs() <= limit) | ~gradient.abs().amax((1, 2, 3)).isfinite()
        score = _score(found, tv, self._tv_weight(config.steps - 1))
        better = ~diverged & (score < state.best_score)
        best = chosen(better, numbers.detach(), state.best)
        moved, moments = self._moved(numbers, decoded, gradient, state)
        distance = self.objective.encoder.distance(found.embeddings.detach(), self.targets)
        return replace(
            state,
            step=step + 1,
            numbers=chosen(diverged, best, moved),
            moments=moments,
            best=best,
            best_score=torch.where(better, score, state.best_score),
            best_step=torch.where(better, step, state.best_step),
            first_loss=first,
            diverged=diverged,
            losses=_appended(state.losses, {**found.terms, "total": total, "distance": distance}),
        )

    def out_of_range(self, numbers: Tensor) -> Tensor:
        """Which images (B,) an encoder would refuse: not finite, or far outside [0, 1]."""
        with torch.no_grad():
            largest = self.pixels.decode(numbers).abs().amax((1, 2, 3))
            return ~(largest <= RANGE_LIMIT)  # also where it is NaN

    def _evaluated(self, images: Tensor, step: int) -> tuple[Evaluation, float]:
        """The objective at a step, and the TV weight that it was evaluated with."""
        jitter, tv = self.config.jitter, self._tv_weight(step)
        moves = None if jitter is None else jitter.draws(self.seeds, step).to(images.device)
        found = self.objective.evaluate(images, self.targets, tv_weight=tv, similarities=moves)
        return found, tv

    def _tv_weight(self, step: int) -> float:
        config = self.config
        return total_variation_weight(
            step, config.steps, config.objective.tv_weight, config.tv_final
        )

    def _moved(
        self, numbers: Tensor, decoded: Tensor, gradient: Tensor, state: ReconstructionState
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Numbers and moments after the optimiser's step."""
        config = self.config
        shaped = shaped_gradient(torch.nan_to_num(gradient), config.gradient, config.levels)
        if decoded is not numbers:
            (shaped,) = torch.autograd.grad(decoded, numbers, shaped)
        size = step_size(state.step, config.steps, config.learning_rate, config.final_learning_rate)
        moved, moments = descend(
            numbers.detach(),
            shaped,
            state.moments,
            state.step,
            size,
            config.optimiser,
            config.momentum,
        )
        return self.pixels.limit(moved), moments


def chosen(which: Tensor, there: Tensor, here: Tensor) -> Tensor:
    """Rows of `there` where `which` (B,), of `here` elsewhere; a new tensor (B, ...)."""
    return torch.where(which.view(-1, *[1] * (here.ndim - 1)), there, here)


def _leaf(decoded: Tensor, channels_last: bool) -> Tensor:
    """The images as the start of a new graph: their gradient is shaped before it goes further."""
    images = decoded.detach()
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    return images.requires_grad_()


def _score(found: Evaluation, tv_weight: float, final_weight: float) -> Tensor:
    """The loss (B,) with the final TV weight, so that steps can be compared."""
    terms = {name: value.detach() for name, value in found.terms.items()}
    if "tv" in terms:
        terms["tv"] = terms["tv"] * (final_weight / tv_weight)
    return torch.stack(list(terms.values())).sum(0)


def _appended(losses: Mapping[str, Tensor], row: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Losses by term (steps, B) with one more step's (B,)."""
    new = {name: value.detach()[None] for name, value in row.items()}
    return {n: torch.cat([losses[n], v]) if n in losses else v for n, v in new.items()}
