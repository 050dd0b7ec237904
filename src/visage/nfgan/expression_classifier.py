"""A judge of expressions that takes no part: which of eight a face shows, neutral among them.

It never sees a generated face, nor a normalized one, and nobody whom it judges. What it learns from
is the expressive pictures that NFGAN's own training takes in, and further people in everyday light
and in the even light of normalized faces: there, one picture in eight is neutral as everywhere, so
that even light by itself says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from visage.checkpoints import Card, load_into
from visage.faces.expressions import EXPRESSIONS
from visage.ledger import current_revision, describe_device
from visage.nfgan.expression_network import ExpressionNetwork, ExpressionNetworkConfig
from visage.nfgan.frame import check_faces
from visage.nfgan.pairs import TRAIN, pairs
from visage.nfgan.preprocessing import even_out, five_crops, preprocess
from visage.nfgan.sittings import ExpressionFaces, expressive_faces
from visage.training import Recipe, Trained, TrainingConfig

NAME = "nfgan_expressions"
NAMES = tuple(sorted(EXPRESSIONS))
"""The classes, in their order."""
LEARNED_FROM = range(5000, 5300)
"""People of "train" in both lights; of them, no other network of this part has learned."""
MEASURED_ON = range(1500, 1540)
"""People of "validation", for the card."""

_EACH = 8  # pictures of a person in either light
_TOGETHER = 256


class ExpressionClassifier(nn.Module):
    """Faces (B, 1, 64, 64) in [0, 1] to probabilities of `NAMES` (B, 8)."""

    names = NAMES

    def __init__(self):
        super().__init__()
        self.network = ExpressionNetwork(
            ExpressionNetworkConfig(len(NAMES), channels=(24, 48, 96, 128), stem=2, dropout=0.3)
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (B, 8) of prepared crops (B, 1, 60, 60)."""
        return self.network(crops).logits

    @torch.no_grad()
    def probabilities(self, faces: Tensor) -> Tensor:
        """What faces (B, 1, 64, 64), in [0, 1] or uint8, show: (B, 8), each row sums to 1.

        Raises:
            NfganError: the shape does not fit.
        """
        parts = []
        for some in check_faces(faces).split(_TOGETHER):
            some = some.float() / 255 if some.dtype == torch.uint8 else some
            parts.append(self(preprocess(some, training=False)).softmax(1))
        return torch.cat(parts) if parts else torch.zeros(0, len(NAMES))

    def read_as_neutral(self, faces: Tensor) -> Tensor:
        """Whether neutral is the most probable, (B,) bool."""
        return self.probabilities(faces).argmax(1) == NAMES.index("neutral")


def load_expression_classifier() -> ExpressionClassifier:
    """The shipped judge, in evaluation mode.

    Raises:
        visage.checkpoints.CheckpointError: it is missing or damaged.
    """
    classifier = ExpressionClassifier()
    load_into(classifier, NAME)
    return classifier.eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class CropStream:
    """Endless crops of labelled faces: every face once a round, in one of ten versions."""

    seed: int
    data: ExpressionFaces

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Crops (B, 1, 60, 60) and labels (B,) of these numbers."""
        drawn = [self._item(index) for index in indices]
        rows, versions = torch.tensor(drawn).unbind(1)
        patches = five_crops(self.data.images[rows].float() / 255)
        crops = even_out(patches[torch.arange(len(rows)), versions])
        return {"crops": crops, "labels": self.data.labels[rows]}

    def _item(self, index: int) -> tuple[int, int]:
        turn, place = divmod(index, len(self.data))
        row = _round(self.seed, turn, len(self.data))[place]
        return int(row), int(np.random.default_rng([self.seed, 1, index]).integers(10))


@lru_cache(maxsize=2)
def _round(seed: int, turn: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, 0, turn]).permutation(count)


def classification_loss(
    classifier: nn.Module, batch: dict[str, Tensor], generator: Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy of the softmax branch."""
    logits, labels = classifier(batch["crops"]), batch["labels"]
    right = (logits.argmax(1) == labels).float().mean()
    return functional.cross_entropy(logits.float(), labels), {"accuracy": right}


def judges_faces() -> ExpressionFaces:
    """What the judge learns from: 19 hundred people's pictures, an eighth of them neutral."""
    known, more = pairs("train", *TRAIN), expressive_faces("train", LEARNED_FROM, _EACH)
    places = torch.tensor([NAMES.index(name) for name in EXPRESSIONS])
    return ExpressionFaces(
        torch.cat([known.inputs, more.images]),
        torch.cat([places[known.expression], more.labels]),
        torch.cat([known.person + len(more.neutral), more.subjects]),
        NAMES,
        torch.cat([more.neutral, known.targets]),
        torch.arange(len(known.inputs) + len(more)),
    )


def classifier_recipe(data: Callable[[], ExpressionFaces] = judges_faces) -> Recipe:
    """The recipe of `NAME`.

    Args:
        data: makes the faces to learn from, once they are needed; labels are places in `NAMES`.
    """
    return Recipe(
        name=NAME,
        summary="a judge of eight expressions that takes no part in any other training",
        config=TrainingConfig(
            steps=10_000,
            batch_size=64,
            learning_rate=3e-3,
            warmup=100,
            weight_decay=0.1,
            ema=0.995,
            precision="bf16-mixed",
            checkpoint_every=250,
        ),
        build_model=ExpressionClassifier,
        build_stream=lambda seed: CropStream(seed, data()),
        loss=classification_loss,
        card=_card,
    )


def measure(classifier: ExpressionClassifier, faces: ExpressionFaces) -> dict[str, float]:
    """How well a classifier reads faces of other people, with labels in `NAMES`."""
    seen = classifier.probabilities(faces.images).argmax(1)
    neutral = faces.labels == NAMES.index("neutral")
    called = seen == NAMES.index("neutral")
    return {
        "accuracy": float((seen == faces.labels).float().mean()),
        "neutral_found": float(called[neutral].float().mean()),
        "expressive_called_neutral": float(called[~neutral].float().mean()),
        "targets_read_as_neutral": float(classifier.read_as_neutral(faces.neutral).float().mean()),
    }


def _card(trained: Trained) -> Card:
    measured = expressive_faces("validation", MEASURED_ON, _EACH)
    return Card(
        task=(
            "Says which of eight expressions (neutral among them) a grey 64-pixel face shows. "
            "Four convolutions and the softmax branch of the expression network; the metric "
            "branch is not trained."
        ),
        data=(
            f"{len(LEARNED_FROM)} synthetic people, {2 * _EACH} pictures each within 15 degrees, "
            "half in everyday light and half evenly lit without glasses, and the expressive "
            f"pictures ({TRAIN[1]} each) of the {TRAIN[0]} people that NFGAN learns from; no "
            "normalized face and no generated one."
        ),
        data_licence="Synthetic people: from CC0 assets.",
        licence="Apache-2.0",
        command=f"visage train {NAME} --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=measure(trained.model, measured),
        intended_use="Judging whether generated synthetic faces are at rest. Teaching.",
        must_not_be_used_for=(
            "Reading anybody's feelings: it has seen no photograph, and a face at rest may look "
            "sad. Decisions about people."
        ),
    )


EXPRESSION_RECIPES: dict[str, Recipe] = {NAME: classifier_recipe()}
