"""What this part trains: ``visage train locator``."""

from __future__ import annotations

from torch import Generator, Tensor, nn

from visage.checkpoints import Card
from visage.ledger import current_revision, describe_device
from visage.photos.lfw import open_lfw
from visage.recognition.locator import Locator, face_loss, points_loss
from visage.recognition.locator_data import FaceCrops, label_photographs
from visage.recognition.locator_reproduce import measure, rows, training_photographs
from visage.training import Recipe, Trained, TrainingConfig

FACE_WEIGHT = 0.2
"""Of the face loss beside the points': the points are what the network is for."""


def locator_loss(
    network: nn.Module, batch: dict[str, Tensor], generator: Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Points where there is a face, and whether there is one."""
    points, logits = network(batch["crops"])
    of_points = points_loss(points, batch["points"], batch["is_face"])
    of_face = face_loss(logits, batch["is_face"])
    return of_points + FACE_WEIGHT * of_face, {"points": of_points, "face": of_face}


def _locator_stream(seed: int) -> FaceCrops:
    lfw = open_lfw()
    return FaceCrops(seed, lfw, label_photographs(training_photographs(lfw), lfw))


def _locator_card(trained: Trained) -> Card:
    return Card(
        task=(
            "Finds the corners of the eyes and the base of the nose in a 96-pixel crop of a "
            "photograph, and tells whether there is a face. Seven convolutions, two linear layers."
        ),
        data=(
            "Photographs of the training people of Labeled Faces in the Wild (deep-funneled), at "
            "most two a person, with boxes and points by dlib's detector and 5-point predictor; "
            "pictures without people from scikit-image. The weights contain no photograph."
        ),
        data_licence=(
            "LFW: photographs from the web, published for research. dlib's models: public domain. "
            "scikit-image's pictures: public domain or CC0."
        ),
        licence="Apache-2.0",
        command="visage train locator --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics={row.name: row.ours for row in rows(measure(trained.model, 800, seed=0))},
        intended_use=(
            "Placing a photograph of one upright face for the networks and explorers of this book, "
            "on the reader's own device."
        ),
        must_not_be_used_for=(
            "Surveillance, identifying people, or deciding anything about a person. It was trained "
            "on public figures, mostly adult, male and light-skinned; expect larger errors on "
            "others, and on faces turned by more than 30 degrees. A cat's face can pass for one."
        ),
    )


RECIPES: dict[str, Recipe] = {
    "locator": Recipe(
        name="locator",
        summary="five points of a face in a rough crop, for the browser (20 minutes on one core)",
        config=TrainingConfig(
            steps=4000,
            batch_size=32,
            learning_rate=1.5e-3,
            warmup=100,
            weight_decay=0.02,
            ema=0.998,
            checkpoint_every=200,
        ),
        build_model=Locator,
        build_stream=_locator_stream,
        loss=locator_loss,
        card=_locator_card,
    )
}
