"""What this part trains: ``visage train nfgan`` and the others of `RECIPES`.

`nfgan`, its Light CNN and the loss family are shipped. `nfgan_short` and the others that the
figures compare are trained for a shorter time, all equally long; the small generators of each
subset of the five losses more briefly still.

**The weights are not the paper's.** Section 5.2 has 1, η = 0.1, λ1 = 3e-3, λ2 = 1e-3 and λ3 = 0.3
for VGG-Face's maps and a Light CNN whose scale it does not state. What counts is how hard each loss
pulls at a face: the norm of its gradient in the face's pixels. Measured on validation people after
a few hundred steps, with the maps that we have:

    loss          value   gradient   paper's weight × gradient   ours × gradient
    perceptual     16.      18.        18.                          18.
    identity      145.     300.         0.9                          6.
    adversarial     2.3     10.         1.                          10.
    pixel           0.06     0.016      0.00002                      8.
    symmetry        0.02     0.03       0.01                         0.6

With the paper's weights the discriminator was right in 99 of 100 cases throughout and the decoder
never felt it; nor did the pixel loss keep the grain away that the perceptual one is blind to. So
the perceptual loss still has the largest say, as section 5.3 has it, but not the only one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import torch
from torch import nn

from visage.checkpoints import Card
from visage.ledger import current_revision, describe_device
from visage.nfgan.algorithm import Algorithm1, Auxiliaries, load_auxiliaries, step_loss
from visage.nfgan.family import SHAPE, FamilyPlayers, LossFamily, WeightRange
from visage.nfgan.identity_network import (
    IdentityStream,
    IdentityTask,
    recognition_loss,
    told_apart,
)
from visage.nfgan.losses import LETTERS, TERMS, LossWeights, pixel_loss
from visage.nfgan.measures import Sample, generate, measure
from visage.nfgan.networks import SHIPPED, Nfgan, NfganConfig
from visage.nfgan.pair_stream import PairStream
from visage.nfgan.pairs import TRAIN, VALIDATION, Pairs, pairs
from visage.training import Recipe, Trained, TrainingConfig

WEIGHTS = LossWeights(perceptual=1.0, identity=0.02, pixel=500.0, symmetry=20.0, adversarial=1.0)
"""Of everything that is trained here; the module's text says why they are not the paper's."""

TRAINING = TrainingConfig(
    steps=6000,
    batch_size=16,
    learning_rate=1e-3,
    warmup=100,
    final_learning_rate=0.05,
    weight_decay=0.0,  # the decoder's weights are as large as faces need them
    gradient_clip=1000.0,  # of a loss of about 100 at the start
    ema=0.998,
    precision="bf16-mixed",
    checkpoint_every=200,
)

SHORT = replace(TRAINING, steps=2400)
"""Of everything that is compared with each other, the twin of the shipped networks included."""

BRIEF = replace(TRAINING, steps=400, ema=0.98)
"""Of each subset of the losses."""

FAMILY = replace(TRAINING, steps=4000)
"""Of the family, which has many generators to learn."""

SMALL = NfganConfig(width=0.5)
"""Of each subset's networks."""

SAME_PERSON = 0.6
"""Distance of dlib's embeddings up to which its documentation calls two faces one person."""


@dataclass(frozen=True)
class Plan:
    """One training of encoder, decoder and discriminator."""

    config: NfganConfig = SHIPPED
    weights: LossWeights = WEIGHTS
    training: TrainingConfig = TRAINING
    family: bool = False  # one network for all weights around these


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


def subset_name(letters: str) -> str:
    """The recipe of the small generator that was trained with some of the five losses.

    >>> subset_name("px")
    'nfgan_subset_px'
    """
    return f"nfgan_subset_{letters}"


SUBSETS = tuple(
    "".join(some) for count in range(1, len(LETTERS) + 1) for some in combinations(LETTERS, count)
)
"""Every subset of the five losses but the empty one: 31, by their letters."""


def _compared(letters: str, seed: int = 0) -> Plan:
    return Plan(weights=WEIGHTS.only(letters), training=replace(SHORT, seed=seed))


def _described(letters: str) -> str:
    names = [TERMS[LETTERS.index(letter)] for letter in letters]
    return f"{' + '.join(names)}, half the width, trained briefly"


_PLANS: dict[str, tuple[str, Plan]] = {
    "nfgan": ("all five losses", Plan()),
    "nfgan_short": ("all five losses, as long as what it is compared with", _compared("psaix")),
    **{
        f"nfgan_seed{seed}": (f"all five losses, briefer, seed {seed}", _compared("psaix", seed))
        for seed in (1, 2)
    },
    "nfgan_no_identity": ("without the identity loss", _compared("psax")),
    "nfgan_no_perceptual": ("without the perceptual loss", _compared("saix")),
    "nfgan_autoencoder": ("the pixel loss alone", _compared("x")),
    **{
        subset_name(letters): (
            _described(letters),
            Plan(SMALL, WEIGHTS.only(letters), training=BRIEF),
        )
        for letters in SUBSETS
    },
    "nfgan_family": (
        "one generator for all weights of the five losses",
        Plan(SHAPE, training=FAMILY, family=True),
    ),
}


def plan_of(name: str) -> Plan:
    """The plan behind one of `RECIPES`."""
    return _PLANS[name][1]


RECIPES: dict[str, Recipe] = {
    "nfgan_light_cnn": identity_recipe(),
    **{name: nfgan_recipe(name, summary, plan) for name, (summary, plan) in _PLANS.items()},
}
