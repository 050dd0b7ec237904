"""Training the expression network: a fold in seconds, with or without neutral faces."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from visage.checkpoints import Card
from visage.nfgan.errors import ExpressionError
from visage.nfgan.expression_network import ExpressionNetwork, ExpressionNetworkConfig
from visage.nfgan.expression_tuplets import ExpressionCrops, TupletConfig, TupletStream
from visage.nfgan.tuplet import (
    joint_loss,
    reference,
    squared_distances,
    tuplet_cluster_loss,
)
from visage.training import Recipe, Trained, TrainingConfig, train

TRAINING = TrainingConfig(
    steps=300,  # four rounds of a fold of CK+, in two or three seconds
    batch_size=4,  # tuplets
    learning_rate=3e-3,
    warmup=20,
    weight_decay=0.05,
    checkpoint_every=10_000,  # a fold is trained in seconds
    log_every=50,
)


@dataclass(frozen=True)
class RecognitionConfig:
    """How expressions are learned."""

    network: ExpressionNetworkConfig = field(default_factory=ExpressionNetworkConfig)
    tuplets: TupletConfig = field(default_factory=TupletConfig)
    balance: float = 0.03  # weight of the metric branch; 0 leaves it out, 1 costs accuracy here
    gap: float = 2.0  # between positives and negatives: hinges at 1, as in a support vector machine
    training: TrainingConfig = TRAINING


@dataclass(frozen=True)
class TwoBranchLoss:
    """The joint loss of both branches on a batch of a `TupletStream`.

    A neutral face is one more negative of its tuplet, and has no part in the softmax branch.
    """

    config: RecognitionConfig

    def __call__(
        self, network: ExpressionNetwork, batch: dict[str, Tensor], generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and, for the log, what both branches have of it."""
        labels = batch["labels"].flatten()
        logits, positives, negatives = self.branches(network, batch)
        tuplets = tuplet_cluster_loss(positives, negatives, network.threshold, self.config.gap)
        loss = joint_loss(logits, labels, tuplets, self.config.balance)
        right = logits.argmax(1) == labels
        return loss, {"tuplets": tuplets.mean(), "accuracy": right.float().mean()}

    def branches(
        self, network: ExpressionNetwork, batch: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (Q (N + M), classes), positives (Q, N, D) and negatives (Q, M or M + 1, D)."""
        faces, neutral = batch["faces"], batch.get("neutral")
        count, each = faces.shape[:2]
        together = faces.flatten(0, 1)
        found = network(together if neutral is None else torch.cat([together, neutral]))
        features = found.features.float()
        points = features[: count * each].unflatten(0, (count, each))
        positives, negatives = points.tensor_split([self.config.tuplets.positives], 1)
        if neutral is not None:
            negatives = torch.cat([negatives, features[count * each :, None]], 1)
        return found.logits[: count * each], positives, negatives


def train_expressions(
    data: ExpressionCrops, config: RecognitionConfig, folder: Path
) -> ExpressionNetwork:
    """Train a network on some people's faces.

    Args:
        data: of the people to learn from.
        config: how.
        folder: of the run; what a finished run left there is taken up.

    Raises:
        ExpressionError: a label is not one of the network's classes.
    """
    classes = config.network.classes
    if not ((data.labels >= 0) & (data.labels < classes)).all():
        raise ExpressionError(f"labels go beyond the network's {classes} classes")
    recipe = Recipe(
        name="expressions",
        summary="expressions, from a few hundred faces",
        config=config.training,
        build_model=lambda: ExpressionNetwork(config.network),
        build_stream=lambda seed: TupletStream(seed, data, config.tuplets),
        loss=TwoBranchLoss(config),
        card=_no_card,
    )
    return train(recipe, folder=folder).model


@torch.no_grad()
def recognised(network: ExpressionNetwork, crops: Tensor, batch: int = 256) -> Tensor:
    """Expressions (N,) int64 of central crops (N, 1, 60, 60), by the softmax branch alone."""
    parts = [network(part).logits.argmax(1) for part in crops.split(batch)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)


@torch.no_grad()
def still_near(
    network: ExpressionNetwork, data: ExpressionCrops, config: RecognitionConfig, tuplets: int = 64
) -> Tensor:
    """How many negatives still break their rule, and so still teach something, after the training.

    Args:
        network: that has learned.
        data: what it has learned from.
        config: how.
        tuplets: how many to look at.

    Returns:
        (2,), shares of the negatives from the data and of the neutral faces; the second is NaN
        without neutral faces.
    """
    batch = TupletStream(config.training.seed, data, config.tuplets).batch(range(tuplets))
    _, positives, negatives = TwoBranchLoss(config).branches(network, batch)
    centre = reference(positives)
    edge = network.threshold(negatives, centre) + config.gap / 2
    near = (squared_distances(negatives, centre) < edge).float().mean(0)
    return torch.stack([part.mean() for part in near.tensor_split([config.tuplets.negatives])])


def with_seed(config: RecognitionConfig, seed: int) -> RecognitionConfig:
    """The same settings, with other weights to begin with and other tuplets."""
    return replace(config, training=replace(config.training, seed=seed))


def _no_card(trained: Trained) -> Card:
    raise ExpressionError("a network of one fold is not shipped")
