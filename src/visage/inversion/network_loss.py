"""What the feed-forward networks are trained for, and measured by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from visage.inversion.embedding_distance import normalised_dot
from visage.inversion.objective import Objective, ObjectiveConfig, References
from visage.inversion.problem import Problem
from visage.photos.jitter import Jitter


class NetworkLoss:
    """The objective of the iteration, on a network's pictures (section 4).

    Args:
        problem: makes the encoder and the examples, once they are needed.
        references: of targets (B, dim): the guide of each, bands, colours.
        config: weights.
        jitter: how pictures are moved before the encoder sees them.
    """

    def __init__(
        self,
        problem: Callable[[], Problem],
        references: Callable[[Tensor], References],
        config: ObjectiveConfig,
        jitter: Jitter | None,
    ):
        self.problem, self.references = problem, references
        self.config, self.jitter = config, jitter

    def __call__(
        self, network: nn.Module, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss over targets (B, dim), and its terms."""
        return self._evaluated(network(targets), targets, self._known(targets), generator)

    @torch.no_grad()
    def _known(self, targets: Tensor) -> References:
        return self.references(targets)

    def _evaluated(
        self, images: Tensor, targets: Tensor, known: References, generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        encoder, similarities = self.problem().encoder.to(targets.device), None
        if self.jitter is not None:
            seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
            # One move for all, so that one guide for all is embedded once.
            similarities = self.jitter.draws([seed], 0).to(targets.device)
        objective = Objective(encoder, self.config, known)
        found = objective.evaluate(images.float(), targets, similarities=similarities)
        distance = encoder.distance(found.embeddings.detach(), targets)
        terms = {name: value.mean() for name, value in found.terms.items()}
        return found.total().mean(), terms | {"distance": distance.mean()}


class GuidedNetworkLoss(NetworkLoss):
    """The same for a network that is given its guide (section 4.2)."""

    def __call__(
        self, network: nn.Module, batch: tuple[Tensor, Tensor], generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss over targets (B, dim) and guides (B, 3, S, S), and its terms."""
        targets, guides = batch
        known = replace(self._known(targets), guide=guides)
        return self._evaluated(network(targets, guides), targets, known, generator)


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
