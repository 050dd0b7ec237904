"""What this part trains: ``visage train inversion_network``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Generator, Tensor, nn

from visage.checkpoints import Card
from visage.inversion.colour import colour_statistics
from visage.inversion.embedding_distance import normalised_dot
from visage.inversion.examples import Examples, TargetStream, lfw_examples, synthetic_examples
from visage.inversion.guides import mean_guide
from visage.inversion.jitter import Jitter
from visage.inversion.networks import FaceNetwork, NetworkConfig
from visage.inversion.objective import Objective, ObjectiveConfig, References
from visage.inversion.reconstruction_config import ROBUST
from visage.inversion.spectrum import mean_band_energy
from visage.ledger import current_revision, describe_device
from visage.photos.lfw import LFWNotFoundError, open_lfw
from visage.recognition.encoder import Encoder, load_encoder
from visage.training import Recipe, Trained, TrainingConfig

OBJECTIVE = ROBUST.objective
"""The iteration's own loss; its `bands` keep a network from painting grain and from blurring."""

NETWORK = NetworkConfig(filters=50, base=5)
"""50 filters reach a normalised dot of about 0.75 in table 1. A base of 5 gives 160 pixels, of
which 150 are cropped: the paper's 8 would compute 256 and throw two thirds away."""


@dataclass(frozen=True)
class Problem:
    """What a network is trained on and measured on.

    Attributes:
        encoder: F.
        train: people to learn from.
        test: people never seen in training.
    """

    encoder: Encoder
    train: Examples
    test: Examples


@lru_cache(maxsize=1)
def standard_problem() -> Problem:
    """Dlib's recogniser; synthetic people, and LFW's where it is present."""
    encoder = load_encoder()
    train = synthetic_examples(encoder, "train", 1000)
    test = synthetic_examples(encoder, "test", 100)
    try:
        lfw = open_lfw()
    except LFWNotFoundError:
        return Problem(encoder, train, test)
    return Problem(
        encoder,
        train + lfw_examples(encoder, lfw, "train", 4000),
        test + lfw_examples(encoder, lfw, "test", 200, per_person=1),
    )


class NetworkLoss:
    """The objective of the iteration, on a network's pictures (section 4).

    Args:
        problem: makes the encoder and the examples, once they are needed.
        config: weights.
        jitter: how pictures are moved before the encoder sees them.
    """

    def __init__(
        self, problem: Callable[[], Problem], config: ObjectiveConfig, jitter: Jitter | None
    ):
        self.problem, self.config, self.jitter = problem, config, jitter
        self.objective = lru_cache(maxsize=2)(self._objective)

    def __call__(
        self, network: nn.Module, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss over targets (B, dim), and its terms."""
        similarities = None
        if self.jitter is not None:
            seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
            # One move for all, so that the one guide is embedded once.
            similarities = self.jitter.draws([seed], 0).to(targets.device)
        found = self.objective(targets.device).evaluate(
            network(targets), targets, similarities=similarities
        )
        distance = self.problem().encoder.distance(found.embeddings.detach(), targets)
        terms = {name: value.mean() for name, value in found.terms.items()}
        return found.total().mean(), terms | {"distance": distance.mean()}

    def _objective(self, device: torch.device) -> Objective:
        problem = self.problem()
        references = References(
            guide=mean_guide(problem.train.pictures()).to(device),
            bands=mean_band_energy(problem.train.pictures(), by_colour=True).to(device),
            colours=colour_statistics(problem.train.pictures()),
        )
        return Objective(problem.encoder.to(device), self.config, references)


def network_recipe(
    name: str,
    problem: Callable[[], Problem],
    *,
    network: NetworkConfig,
    objective: ObjectiveConfig,
    config: TrainingConfig,
) -> Recipe:
    """A recipe for the network of section 4.1.

    Args:
        name: of the checkpoint.
        problem: makes the encoder and the examples, once they are needed.
        network: its shape.
        objective: weights of the loss.
        config: of the training.
    """

    def build_model() -> FaceNetwork:
        model = FaceNetwork(network)
        model.input.standardise(problem().train.embeddings)
        return model

    return Recipe(
        name=name,
        summary="faces from embeddings of dlib's recogniser in one pass (two hours on one core)",
        config=config,
        build_model=build_model,
        build_stream=lambda seed: TargetStream(seed, problem().train.embeddings),
        loss=NetworkLoss(problem, objective, Jitter()),
        card=lambda trained: _card(trained, problem()),
    )


@torch.no_grad()
def measure(network: nn.Module, problem: Problem) -> dict[str, float]:
    """How near a network's pictures come to embeddings that it has never seen.

    Returns:
        Means over ``problem.test``: the encoder's distance, the share of pictures within its
        threshold, ⟨ẽ₁·ẽ₂⟩ as table 1 has it and with the training people's mean taken out.
    """
    encoder, targets = problem.encoder.cpu(), problem.test.embeddings
    reached = torch.cat([encoder.embed(network(some)) for some in targets.split(32)])
    distance = encoder.distance(reached, targets)
    centre = problem.train.embeddings.mean(0)
    return {
        "distance": float(distance.mean()),
        "within_threshold": float((distance < encoder.threshold).float().mean()),
        "normalized_dot": float(normalised_dot(reached, targets).mean()),
        "normalized_dot_centred": float(normalised_dot(reached, targets, centre).mean()),
    }


def _card(trained: Trained, problem: Problem) -> Card:
    photographs = sum(not name.startswith("synthetic") for name in problem.train.names)
    network = trained.model.config
    return Card(
        task=(
            f"Turns an embedding of dlib's recogniser ({network.dim} numbers) into a face of "
            f"{network.size} pixels that embeds likewise. A linear layer and "
            f"{network.doublings} deconvolutions of {network.filters} filters "
            "(Zhmoginov and Sandler, 2016, section 4.1)."
        ),
        data=(
            f"Embeddings of {len(problem.train.names) - photographs} synthetic people and of "
            f"{photographs} photographs of the training people of Labeled Faces in the Wild. The "
            "loss knows the mean of their pictures and their band energies, and no single one."
        ),
        data_licence=(
            "Synthetic people: from CC0 assets. LFW: photographs from the web, published for "
            "research. dlib's recogniser: public domain."
        ),
        licence="Apache-2.0",
        command="visage train inversion_network --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=measure(trained.model, problem),
        intended_use=(
            "Showing what a stored embedding gives away, and measuring how well a defence holds."
        ),
        must_not_be_used_for=(
            "Reconstructing the face of a person who has not agreed to it, passing a face check, "
            "or as evidence of what anybody looks like: many pictures embed alike."
        ),
    )


RECIPES: dict[str, Recipe] = {
    "inversion_network": network_recipe(
        "inversion_network",
        standard_problem,
        network=NETWORK,
        objective=OBJECTIVE,
        config=TrainingConfig(
            steps=6000,
            batch_size=16,
            learning_rate=2e-3,
            warmup=200,
            ema=0.998,
            checkpoint_every=250,
        ),
    )
}
