"""What this part trains: ``visage train normalization_synthetic`` and the others of `RECIPES`.

Two decoders are shipped. The others are what figures 8 to 12 compare; they are trained shorter,
all equally long, on synthetic people, and so is a twin of the full one (``..._short``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from torch import nn

from visage.checkpoints import Card
from visage.ledger import current_revision, describe_device
from visage.normalization.baselines import PlainDecoder
from visage.normalization.decoder import Decoder, DecoderConfig
from visage.normalization.decoder_examples import (
    DecoderExamples,
    ExampleStream,
    Mixture,
    world_examples,
)
from visage.normalization.decoder_loss import DecoderLoss, LossConfig
from visage.normalization.decoder_metrics import seen
from visage.normalization.features import LAYERS, IdentityFeatures, load_features
from visage.normalization.measured_people import World, first_rows, people_of_test_side
from visage.training import Recipe, Trained, TrainingConfig

TRAINING = TrainingConfig(
    steps=4000,
    batch_size=16,
    learning_rate=1.5e-3,
    warmup=100,
    ema=0.998,
    gradient_clip=100.0,  # of a loss in the paper's weights, about 20 at the start
    precision="bf16-mixed",  # 1.8 times faster on a processor that has it, and no worse
    checkpoint_every=200,
)
SHORT = replace(TRAINING, steps=700)
"""Of everything that is compared."""

LONG = replace(TRAINING, steps=12_000)
"""Of photographs: after 4,000 steps their decoder still comes nearer to its people."""


@dataclass(frozen=True)
class Plan:
    """One training: what differs from the shipped decoders."""

    world: World = "synthetic"
    recogniser: str = "dlib_resnet"
    texture: Literal["cnn", "fully_connected"] = "cnn"
    mixture: Mixture = field(default_factory=Mixture)
    loss: LossConfig = field(default_factory=LossConfig)
    training: TrainingConfig = TRAINING

    def decoder_config(self) -> DecoderConfig:
        """The shape of the decoder."""
        return DecoderConfig(features=LAYERS[self.recogniser].dim, texture=self.texture)

    def network(self) -> type[nn.Module]:
        """Its class."""
        return PlainDecoder if self.mixture.plain else Decoder


def decoder_recipe(
    name: str,
    summary: str,
    plan: Plan,
    examples: Callable[[], DecoderExamples] | None = None,
    features: Callable[[], IdentityFeatures] | None = None,
) -> Recipe:
    """A recipe for one decoder.

    Args:
        name: of the checkpoint.
        summary: one line.
        plan: what is trained.
        examples: makes them, once they are needed; the world's of the plan if None.
        features: makes the recogniser, likewise.
    """
    examples = examples or (lambda: world_examples(plan.world, plan.recogniser))
    features = features or (lambda: _features(plan.recogniser))
    return Recipe(
        name=name,
        summary=summary,
        config=plan.training,
        build_model=lambda: plan.network()(
            plan.decoder_config(), examples().normal(plain=plan.mixture.plain)
        ),
        build_stream=lambda seed: ExampleStream(seed, examples(), plan.mixture),
        loss=DecoderLoss(features, plan.loss),
        card=lambda trained: _card(name, summary, plan, trained),
        storage="int8",  # a distance of the recogniser's changes by less than 0.001
    )


@lru_cache(maxsize=2)
def _features(recogniser: str) -> IdentityFeatures:
    return load_features(recogniser)


def measure(decoder: nn.Module, recogniser: IdentityFeatures, world: World) -> dict[str, float]:
    """A card's metrics, on one picture each of people of the test side."""
    people = people_of_test_side(world)
    found = seen(decoder, recogniser, recogniser.of(people.photos.chips[first_rows(people, 1)]))
    return {
        "distance": float(found.distances.mean()),
        "within_threshold": float(found.within.float().mean()),
    }


def _card(name: str, summary: str, plan: Plan, trained: Trained) -> Card:
    decoder = trained.model.config
    real = plan.world == "lfw"
    data = world_examples(plan.world, plan.recogniser)
    of = "people of the training side of Labeled Faces in the Wild" if real else "synthetic people"
    return Card(
        task=(
            f"Turns features of {plan.recogniser} ({decoder.features} numbers) into a frontal, "
            f"evenly lit face at rest of {decoder.size} pixels: {summary} (Cole et al., 2017)."
        ),
        data=(
            f"Averaged faces of {data.bases} {of}, {len(data.people) - data.bases} morphs of them, "
            f"{len(data.photo_rows)} other pictures of them, and {len(data.other_people)} pictures "
            "of further people; one person in sixteen is left out."
        ),
        data_licence=(
            "LFW: photographs from the web, published for research. dlib's recogniser: public "
            "domain; its landmark predictor was trained on iBUG 300-W, which excludes commercial "
            "use."
            if real
            else "Synthetic people: from CC0 assets. dlib's recogniser: public domain."
        ),
        licence="Apache-2.0",
        command=f"visage train {name} --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=measure(trained.model, _features(plan.recogniser), plan.world),
        intended_use="Showing what a recogniser keeps of a face, and what it lets go.",
        must_not_be_used_for=(
            "Reconstructing the face of a person who has not agreed to it, or as evidence of what "
            "anybody looks like: what the recogniser does not know is made up."
        ),
    )


_GENTLE = LossConfig(identity_from=3_000, identity_full=6_000)
_COMPARED: dict[str, tuple[str, Plan]] = {
    "short": ("the full decoder, as long as what it is compared with", Plan()),
    "no_identity": ("without the identity loss", Plan(loss=replace(_GENTLE, identity=0.0))),
    "no_morphs": ("without augmentation", Plan(mixture=Mixture(morphed=False))),
    "fully_connected": ("a linear map to texture", Plan(texture="fully_connected")),
    "plain": ("a plain CNN, without landmarks", Plan(mixture=Mixture(plain=True))),
    "light_cnn": ("from features of the Light CNN", Plan(recogniser="light_cnn")),
}


def _compared(plan: Plan, world: World) -> Plan:
    loss = replace(_GENTLE, identity=plan.loss.identity)
    return replace(plan, world=world, loss=loss, training=SHORT)


_PLANS: dict[str, tuple[str, Plan]] = {
    "normalization_synthetic": ("learned from synthetic people", Plan()),
    "normalization_lfw": ("learned from photographs", Plan("lfw", training=LONG)),
    **{
        f"normalization_{world}_{kind}": (_COMPARED[kind][0], _compared(_COMPARED[kind][1], world))
        for world, kinds in (
            ("synthetic", tuple(_COMPARED)),
            ("lfw", ("short", "no_identity", "light_cnn")),
        )
        for kind in kinds
    },
}


def plan_of(name: str) -> Plan:
    """The plan behind one of `RECIPES`."""
    return _PLANS[name][1]


RECIPES: dict[str, Recipe] = {
    name: decoder_recipe(name, f"normal faces, {summary}", plan)
    for name, (summary, plan) in _PLANS.items()
}
