"""What this part trains: ``visage train inversion_network_50`` and the others of `RECIPES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from torch import Tensor

from visage.checkpoints import Card
from visage.inversion.expected_face import (
    PictureStream,
    build_expected_face,
    expected_face_loss,
    load_expected_face,
)
from visage.inversion.film import FilmStream, talking_head
from visage.inversion.network_loss import (
    GuidedNetworkLoss,
    NetworkLoss,
    measure,
    measure_guided,
)
from visage.inversion.networks import FaceNetwork, GuidedFaceNetwork, NetworkConfig
from visage.inversion.objective import ObjectiveConfig, References
from visage.inversion.problem import Problem, standard_problem
from visage.inversion.reconstruction_config import ROBUST
from visage.inversion.targets import TargetStream
from visage.ledger import current_revision, describe_device
from visage.photos.jitter import Jitter
from visage.training import Recipe, Trained, TrainingConfig

OBJECTIVE = replace(ROBUST.objective, bands_weight=0, guide_pixels_weight=0.4)
"""The iteration's own loss, but for the energies of bands: a network finds them at the picture's
edge, where it paints a bright frame. Its contrast comes from the guide's own pixels instead."""

FILTERS = (8, 16, 32, 50)
"""L of table 1, which tries several; 50 filters reach a normalised dot of about 0.75 there."""

BASE = 5
"""5 doubled five times gives 160 pixels, of which 150 are cropped: the paper's 8 would compute 256
and throw two thirds away."""


def network_recipe(
    name: str,
    problem: Callable[[], Problem],
    references: Callable[[Tensor], References],
    *,
    network: NetworkConfig,
    objective: ObjectiveConfig,
    config: TrainingConfig,
) -> Recipe:
    """A recipe for the network of section 4.1.

    Args:
        name: of the checkpoint.
        problem: makes the encoder and the examples, once they are needed.
        references: of targets: their guides and colours.
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
        summary=f"faces from embeddings in one pass, {network.filters} filters",
        config=config,
        build_model=build_model,
        build_stream=lambda seed: TargetStream(seed, problem().train.embeddings),
        loss=NetworkLoss(problem, references, objective, Jitter()),
        card=lambda trained: _network_card(name, trained, problem()),
    )


def expected_face_recipe(problem: Callable[[], Problem], config: TrainingConfig) -> Recipe:
    """A recipe for the guides of `visage.inversion.expected_face`."""
    return Recipe(
        name="expected_face",
        summary="what pictures of an embedding have in common: a guide for every target",
        config=config,
        build_model=lambda: build_expected_face(problem().train),
        build_stream=lambda seed: PictureStream(seed, problem().train),
        loss=expected_face_loss,
        card=lambda trained: _expected_face_card(trained, problem()),
    )


def guided_recipe(
    problem: Callable[[], Problem],
    references: Callable[[Tensor], References],
    frames: Callable[[], Tensor],
    *,
    network: NetworkConfig,
    objective: ObjectiveConfig,
    config: TrainingConfig,
) -> Recipe:
    """A recipe for the network of section 4.2, guided by the frames of a film.

    Args:
        problem: makes the encoder and the examples, once they are needed.
        references: of targets: colours.
        frames: makes the film (F, 3, S, S), likewise.
        network: its shape.
        objective: weights of the loss.
        config: of the training.
    """

    def build_model() -> GuidedFaceNetwork:
        model = GuidedFaceNetwork(network)
        model.input.standardise(problem().train.embeddings)
        return model

    return Recipe(
        name="inversion_network_guided",
        summary="faces from embeddings and a guiding image in one pass: face transfer to a film",
        config=config,
        build_model=build_model,
        build_stream=lambda seed: FilmStream(seed, problem().train.embeddings, frames()),
        loss=GuidedNetworkLoss(problem, references, objective, Jitter()),
        card=lambda trained: _guided_card(trained, problem(), frames()),
    )


def _guided_card(trained: Trained, problem: Problem, frames: Tensor) -> Card:
    return _card(
        "inversion_network_guided",
        trained,
        problem,
        task=(
            "Turns an embedding of dlib's recogniser (128 numbers) and a picture of a face into a "
            "face with the picture's pose that embeds likewise (Zhmoginov and Sandler, 2016, "
            "section 4.2)."
        ),
        use=f"Embeddings of {{}}; {len(frames)} frames of a film of a synthetic person.",
        intended="Showing face transfer, and how little an embedding has to hold for it.",
        metrics=measure_guided(trained.model, problem, frames),
    )


def _network_card(name: str, trained: Trained, problem: Problem) -> Card:
    network = trained.model.config
    return _card(
        name,
        trained,
        problem,
        task=(
            f"Turns an embedding of dlib's recogniser ({network.dim} numbers) into a face of "
            f"{network.size} pixels that embeds likewise. A linear layer and "
            f"{network.doublings} deconvolutions of {network.filters} filters "
            "(Zhmoginov and Sandler, 2016, section 4.1)."
        ),
        use=(
            "Embeddings of {}. Of their pictures the loss knows what the checkpoint expected_face "
            "learned."
        ),
        intended="Showing what a stored embedding gives away, and measuring how a defence holds.",
    )


def _expected_face_card(trained: Trained, problem: Problem) -> Card:
    return _card(
        "expected_face",
        trained,
        problem,
        task=(
            "Turns an embedding of dlib's recogniser (128 numbers) into the blurred face that "
            "pictures of such an embedding have in common: a guiding image for reconstruction."
        ),
        use="Embeddings and pictures of {}.",
        intended="Guiding reconstructions, to show what a stored embedding gives away.",
    )


def _card(
    name: str,
    trained: Trained,
    problem: Problem,
    *,
    task: str,
    use: str,
    intended: str,
    metrics: dict[str, float] | None = None,
) -> Card:
    photographs = sum(not of.startswith("synthetic") for of in problem.train.names)
    whom = (
        f"{len(problem.train.names) - photographs} synthetic people and of {photographs} "
        "photographs of the training people of Labeled Faces in the Wild"
    )
    return Card(
        task=task,
        data=use.format(whom),
        data_licence=(
            "Synthetic people: from CC0 assets. LFW: photographs from the web, published for "
            "research. dlib's recogniser: public domain."
        ),
        licence="Apache-2.0",
        command=f"visage train {name} --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=measure(trained.model, problem) if metrics is None else metrics,
        intended_use=intended,
        must_not_be_used_for=(
            "Reconstructing the face of a person who has not agreed to it, passing a face check, "
            "or as evidence of what anybody looks like: many pictures embed alike."
        ),
    )


NETWORK_TRAINING = TrainingConfig(
    steps=2200,
    batch_size=16,
    learning_rate=2e-3,
    warmup=200,
    ema=0.998,
    precision="bf16-mixed",  # 1.7 times faster on a processor that has it, and no worse
    checkpoint_every=250,
)

GUIDED = NetworkConfig(filters=24, guide_filters=16, base=BASE)

OF_FILM = replace(OBJECTIVE, guide_weight=0.15, guide_pixels_weight=0.5)
"""The frame's pose and light have to stay, so that its pull is stronger."""


def expected(targets: Tensor) -> References:
    """What guides networks: the face to expect of each target, where the paper has one for all."""
    return load_expected_face().to(targets.device).references(targets)


@lru_cache(maxsize=1)
def film() -> Tensor:
    """The frames that the guided network learns with; of a training person."""
    return talking_head(0, standard_problem().encoder.crop, split="train")


RECIPES: dict[str, Recipe] = {
    "expected_face": expected_face_recipe(
        standard_problem,
        TrainingConfig(
            steps=2500,
            batch_size=32,
            learning_rate=2e-3,
            warmup=200,
            ema=0.998,
            precision="bf16-mixed",
            checkpoint_every=250,
        ),
    ),
    **{
        f"inversion_network_{filters}": network_recipe(
            f"inversion_network_{filters}",
            standard_problem,
            expected,
            network=NetworkConfig(filters=filters, base=BASE),
            objective=OBJECTIVE,
            config=NETWORK_TRAINING,
        )
        for filters in FILTERS
    },
    "inversion_network_guided": guided_recipe(
        standard_problem,
        expected,
        film,
        network=GUIDED,
        objective=OF_FILM,
        config=replace(NETWORK_TRAINING, steps=1200),
    ),
}
