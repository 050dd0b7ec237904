"""What this part trains: ``visage train nfgan`` and the others of `RECIPES`.

`nfgan`, its Light CNN and the loss family are shipped. `nfgan_short` and the others that the
figures compare are trained for a shorter time, all equally long; the small generators of each
subset of the five losses more briefly still. `visage.nfgan.plans` says with which weights, and why
they are not the paper's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn

from visage.checkpoints import Card
from visage.ledger import current_revision, describe_device
from visage.nfgan.algorithm import Algorithm1, Auxiliaries, load_auxiliaries, step_loss
from visage.nfgan.expression_classifier import EXPRESSION_RECIPES
from visage.nfgan.family import FamilyPlayers, LossFamily, WeightRange
from visage.nfgan.identity_network import (
    IdentityStream,
    IdentityTask,
    recognition_loss,
    told_apart,
)
from visage.nfgan.losses import pixel_loss
from visage.nfgan.measures import Sample, generate, measure
from visage.nfgan.networks import Nfgan
from visage.nfgan.pair_stream import PairStream
from visage.nfgan.pairs import TRAIN, VALIDATION, Pairs, pairs
from visage.nfgan.plans import PLANS, SUBSETS, Plan, subset_name
from visage.training import Recipe, Trained, TrainingConfig

__all__ = ["RECIPES", "SUBSETS", "nfgan_recipe", "quality", "subset_name", "training_pairs"]

SAME_PERSON = 0.6
"""Distance of dlib's embeddings up to which its documentation calls two faces one person."""


@lru_cache(maxsize=1)
def training_pairs() -> Pairs:
    """The pairs of the training people; drawn, if they have not been (12 minutes)."""
    return pairs("train", *TRAIN)


@lru_cache(maxsize=1)
def _auxiliaries() -> Auxiliaries:
    return load_auxiliaries()


def nfgan_recipe(
    name: str,
    summary: str,
    plan: Plan,
    data: Callable[[], Pairs] = training_pairs,
    auxiliaries: Callable[[], Auxiliaries] = _auxiliaries,
) -> Recipe:
    """A recipe for one set of networks.

    Args:
        name: of the checkpoint.
        summary: one line.
        plan: what is trained.
        data: makes the pairs, once they are needed.
        auxiliaries: makes the pretrained networks, likewise.
    """
    within = WeightRange(plan.weights) if plan.family else None

    def players() -> nn.Module:
        return FamilyPlayers(within, plan.config) if plan.family else Nfgan(plan.config)

    return Recipe(
        name=name,
        summary=summary,
        config=plan.training,
        build_model=lambda: Algorithm1(players(), auxiliaries, plan.weights),
        build_stream=lambda seed: PairStream(seed, data(), within),
        loss=step_loss,
        card=lambda trained: _card(name, summary, plan, trained),
        shipped=lambda model: model.players.family if plan.family else model.players,
        storage="int8",
    )


@torch.no_grad()
def quality(generator: nn.Module) -> dict[str, float]:
    """A card's metrics of a generator, on people of the split "validation"."""
    sample = Sample.of(pairs("validation", *VALIDATION))
    found = measure(generate(generator, sample), sample)
    return {
        "within_threshold": float((found.identity_distance < SAME_PERSON).float().mean()),
        "identity_distance": float(found.identity_distance.mean()),
        "pixel_error": float(found.pixel_error.mean()),
        "perceptual_error": float(found.perceptual_error.mean()),
        "sharpness": float(found.sharpness.mean()),
    }


@torch.no_grad()
def _family_quality(family: LossFamily) -> dict[str, float]:
    """The pixel error of the member in the middle of all ranges, on the same people."""
    sample = Sample.of(pairs("validation", *VALIDATION), each=2)
    middle = family.encoder.centre.expand(len(sample), -1)
    return {"pixel_error": float(pixel_loss(family(sample.inputs, middle), sample.targets).mean())}


def _card(name: str, summary: str, plan: Plan, trained: Trained) -> Card:
    players = trained.model.players
    what = "Encoder, decoder" if plan.family else "Encoder, decoder and discriminator"
    return Card(
        task=(
            f"Turns a grey 64-pixel face with any expression, turned by up to 45 degrees, into the "
            f"same person's frontal face at rest (Liu et al., 2018): {summary}. {what}."
        ),
        data=(
            f"{TRAIN[0]} synthetic people, {TRAIN[1]} pictures and a normalized face of each, "
            "through dlib's first five convolutions and a Light CNN of the same people."
        ),
        data_licence="Synthetic people: from CC0 assets. dlib's recogniser: public domain.",
        licence="Apache-2.0",
        command=f"visage train {name} --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=_family_quality(players.family) if plan.family else quality(players),
        intended_use="Showing what each loss does to a generated face; generated neutral faces.",
        must_not_be_used_for=(
            "Pictures of real people without their consent, or as evidence of what anybody looks "
            "like: what an input does not show is made up. It has never seen a photograph."
        ),
    )


def identity_recipe(data: Callable[[], Pairs] = training_pairs) -> Recipe:
    """A recipe for the Light CNN of the identity-preserving loss.

    Args:
        data: makes the pairs whose people are to be told apart.
    """
    return Recipe(
        name="nfgan_light_cnn",
        summary="the Light CNN of the identity-preserving loss, on synthetic people",
        config=TrainingConfig(
            steps=1500,
            batch_size=64,
            learning_rate=2e-3,
            warmup=100,
            weight_decay=0.05,
            gradient_clip=5.0,
            ema=0.995,
            precision="bf16-mixed",
            checkpoint_every=100,
        ),
        build_model=lambda: IdentityTask(len(data().targets)),
        build_stream=lambda seed: IdentityStream(seed, data()),
        loss=recognition_loss,
        card=_identity_card,
        shipped=lambda task: task.network,
        storage="int8",
    )


def _identity_card(trained: Trained) -> Card:
    return Card(
        task=(
            "Embeds a grey 64-pixel face as 112 numbers: four convolutions with max-feature-map "
            "and four max-pooling layers, as in Liu et al. (2018), section 4.4. What the "
            "identity-preserving loss of a generator looks through."
        ),
        data=f"{TRAIN[0]} synthetic people, {TRAIN[1]} pictures and a normalized face of each.",
        data_licence="Synthetic people: from CC0 assets.",
        licence="Apache-2.0",
        command="visage train nfgan_light_cnn --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics={"told_apart": told_apart(trained.model.network, pairs("validation", *VALIDATION))},
        intended_use="Training generators of this book on the same synthetic people. Teaching.",
        must_not_be_used_for=(
            "Recognising anybody: it has never seen a photograph. Judging what was trained with it."
        ),
    )


RECIPES: dict[str, Recipe] = {
    "nfgan_light_cnn": identity_recipe(),
    **EXPRESSION_RECIPES,
    **{name: nfgan_recipe(name, summary, plan) for name, (summary, plan) in PLANS.items()},
}
