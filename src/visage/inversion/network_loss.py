"""What the feed-forward networks are trained for, and measured by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Generator, Tensor, nn

from visage.inversion.embedding_distance import normalised_dot
from visage.inversion.jitter import Jitter
from visage.inversion.objective import Objective, ObjectiveConfig, References
from visage.inversion.problem import Problem


class NetworkLoss:
    """The objective of the iteration, on a network's pictures (section 4).

    Args:
        problem: makes the encoder and the examples, once they are needed.
        references: makes the guide, bands and colours, likewise.
        config: weights.
        jitter: how pictures are moved before the encoder sees them.
    """

    def __init__(
        self,
        problem: Callable[[], Problem],
        references: Callable[[], References],
        config: ObjectiveConfig,
        jitter: Jitter | None,
    ):
        self.problem, self.references = problem, references
        self.config, self.jitter = config, jitter
        self.objective = lru_cache(maxsize=2)(self._objective)

    def __call__(
        self, network: nn.Module, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss over targets (B, dim), and its terms."""
        objective = self.objective(targets.device)
        return self._evaluated(objective, network(targets), targets, generator)

    def _evaluated(
        self, objective: Objective, images: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        similarities = None
        if self.jitter is not None:
            seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
            # One move for all, so that the one guide is embedded once.
            similarities = self.jitter.draws([seed], 0).to(targets.device)
        found = objective.evaluate(images.float(), targets, similarities=similarities)
        distance = self.problem().encoder.distance(found.embeddings.detach(), targets)
        terms = {name: value.mean() for name, value in found.terms.items()}
        return found.total().mean(), terms | {"distance": distance.mean()}

    def _objective(self, device: torch.device) -> Objective:
        known = self.references()
        known = replace(known, guide=known.guide.to(device), bands=known.bands.to(device))
        return Objective(self.problem().encoder.to(device), self.config, known)


class GuidedNetworkLoss(NetworkLoss):
    """The same, with a guide of its own for every target (section 4.2)."""

    def __call__(
        self, network: nn.Module, batch: tuple[Tensor, Tensor], generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss over targets (B, dim) and guides (B, 3, S, S), and its terms."""
        targets, guides = batch
        known = self.objective(targets.device)
        own = Objective(known.encoder, self.config, replace(known.references, guide=guides))
        return self._evaluated(own, network(targets, guides), targets, generator)


def measure(network: nn.Module, problem: Problem) -> dict[str, float]:
    """How near a network's pictures come to embeddings that it has never seen.

    Returns:
        Means over ``problem.test``: the encoder's distance, the share of pictures within its
        threshold, ⟨ẽ₁·ẽ₂⟩ as table 1 has it and with the training people's mean taken out.
    """
    return _measured(lambda targets, rows: network(targets), problem)


def measure_guided(network: nn.Module, problem: Problem, frames: Tensor) -> dict[str, float]:
    """The same for a network that takes a guide: one frame (F, 3, S, S) each, in turn."""
    return _measured(lambda targets, rows: network(targets, frames[rows % len(frames)]), problem)


@torch.no_grad()
def _measured(pictures: Callable[[Tensor, Tensor], Tensor], problem: Problem) -> dict[str, float]:
    encoder, targets = problem.encoder.cpu(), problem.test.embeddings
    rows = torch.arange(len(targets))
    reached = torch.cat([encoder.embed(pictures(targets[some], some)) for some in rows.split(32)])
    distance = encoder.distance(reached, targets)
    centre = problem.train.embeddings.mean(0)
    return {
        "distance": float(distance.mean()),
        "within_threshold": float((distance < encoder.threshold).float().mean()),
        "normalized_dot": float(normalised_dot(reached, targets).mean()),
        "normalized_dot_centred": float(normalised_dot(reached, targets, centre).mean()),
    }
