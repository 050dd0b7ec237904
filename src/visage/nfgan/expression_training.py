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
from visage.nfgan.tuplet import joint_loss, tuplet_cluster_loss
from visage.training import Recipe, Trained, TrainingConfig, train

TRAINING = TrainingConfig(
    steps=500,
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
        faces, labels, neutral = batch["faces"], batch["labels"], batch.get("neutral")
        count, each = labels.shape
        together = faces.flatten(0, 1)
        if neutral is not None:
            together = torch.cat([together, neutral])
        found = network(together)
        points = found.features.float()
        features = points[: count * each].unflatten(0, (count, each))
        positives = features[:, : self.config.tuplets.positives]
        negatives = features[:, self.config.tuplets.positives :]
        if neutral is not None:
            negatives = torch.cat([negatives, points[count * each :, None]], 1)
        tuplets = tuplet_cluster_loss(positives, negatives, network.threshold, self.config.gap)
        logits, labels = found.logits[: count * each], labels.flatten()
        loss = joint_loss(logits, labels, tuplets, self.config.balance)
        right = logits.argmax(1) == labels
        return loss, {"tuplets": tuplets.mean(), "accuracy": right.float().mean()}


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


def with_seed(config: RecognitionConfig, seed: int) -> RecognitionConfig:
    """The same settings, with other weights to begin with and other tuplets."""
    return replace(config, training=replace(config.training, seed=seed))


def _no_card(trained: Trained) -> Card:
    raise ExpressionError("a network of one fold is not shipped")
