"""What this part trains: ``visage train locator`` and ``visage train light_cnn``."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from visage.checkpoints import Card
from visage.ledger import current_revision, describe_device
from visage.photos.lfw import open_lfw
from visage.recognition.light_cnn import DIM, LightCNN, LightCNNEncoder
from visage.recognition.light_cnn_data import TrainingFaces, training_chips, training_people
from visage.recognition.light_cnn_reproduce import measure as measure_light_cnn
from visage.recognition.locator import Locator, face_loss, points_loss
from visage.recognition.locator_data import FaceCrops, label_photographs
from visage.recognition.locator_reproduce import measure, rows, training_photographs
from visage.recognition.margin_softmax import margin_softmax
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


SCALE, MARGIN = 24.0, 0.25
"""Of `margin_softmax`: CosFace has 64 and 0.35 for half a million faces; these few need less."""


class RecognitionTask(nn.Module):
    """The network with a prototype of each training person, which only the loss needs.

    The prototypes are not shipped: they are of real people, who are nobody's business afterwards.
    """

    def __init__(self, people: int):
        super().__init__()
        self.network = LightCNN()
        self.prototypes = nn.Parameter(0.1 * torch.randn(people, DIM))
        # Several times faster on the CPU, with bfloat16 above all.
        self.network.to(memory_format=torch.channels_last)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, 256) of faces (B, 1, 64, 64), and the prototypes (P, 256)."""
        return self.network(faces), self.prototypes


def recognition_loss(
    task: nn.Module, batch: dict[str, Tensor], generator: Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Large-margin cosine loss among all training people; how many are recognised is logged."""
    embeddings, prototypes = task(batch["faces"])
    with torch.autocast(embeddings.device.type, enabled=False):
        embeddings = embeddings.float()
        loss = margin_softmax(embeddings, prototypes, batch["people"], SCALE, MARGIN)
        nearest = (embeddings @ nn.functional.normalize(prototypes).mT).argmax(1)
    return loss, {"recognised": (nearest == batch["people"]).float().mean()}


def _light_cnn_card(trained: Trained) -> Card:
    return Card(
        task=(
            "Embeds a 150-pixel chip of a face as 256 numbers of unit length. Light CNN: seven "
            "convolutions with max-feature-map activations on 64-pixel grey faces."
        ),
        data=(
            "Photographs of the training people of Labeled Faces in the Wild (deep-funneled) but "
            "for a tenth, and pictures of people who do not exist (visage.faces). The weights "
            "contain no photograph and no prototype of a person."
        ),
        data_licence=(
            "LFW: photographs from the web, published for research. The synthetic world: CC0."
        ),
        licence="Apache-2.0",
        command="visage train light_cnn --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=measure_light_cnn(LightCNNEncoder(trained.model.network)),
        intended_use=(
            "A second opinion on whether a reconstructed face shows its person: a recogniser that "
            "took no part in the reconstruction. Teaching."
        ),
        must_not_be_used_for=(
            "Surveillance, identifying people, or deciding anything about a person. It learned "
            "from few photographs of public figures, mostly adult, male and light-skinned, and is "
            "far weaker than recognisers in use."
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
    ),
    "light_cnn": Recipe(
        name="light_cnn",
        summary="a second recogniser, foreign to all others, for judging (an hour on one core)",
        config=TrainingConfig(
            steps=2800,
            batch_size=64,
            learning_rate=2e-3,
            warmup=150,
            weight_decay=0.05,
            gradient_clip=5.0,
            ema=0.998,
            precision="bf16-mixed",
            checkpoint_every=200,
        ),
        build_model=lambda: RecognitionTask(len(training_people(open_lfw()))),
        build_stream=lambda seed: TrainingFaces(seed, training_chips(open_lfw())),
        loss=recognition_loss,
        card=_light_cnn_card,
        shipped=lambda task: task.network,
        storage="int8",  # distances change by less than 0.004
    ),
}
