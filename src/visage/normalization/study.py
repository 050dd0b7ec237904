"""What the experiments with decoders have in common: people, decoders, and rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from visage.faces.dataset import SyntheticFaces
from visage.faces.portraits import Detail
from visage.faces.shape import MorphableModel
from visage.ledger import Profile, Row
from visage.measured import mean_row, measured_result
from visage.normalization.decoder import DecoderConfig, load_decoder
from visage.normalization.decoder_examples import DecoderExamples, collected_examples
from visage.normalization.decoder_metrics import Seen, seen
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.features import IdentityFeatures, load_features
from visage.normalization.frame import mean_landmarks
from visage.normalization.measured_people import World
from visage.normalization.normal_people import draw_normal_people
from visage.normalization.train import RECIPES, decoder_recipe, plan_of
from visage.normalization.training_data import WildChips
from visage.photos.alignment import DLIB_CHIP, align
from visage.photos.downloads import cache_folder
from visage.recognition.chips import synthetic_name
from visage.training import train

_FAST_STEPS = 6
_FAST_DETAIL = Detail(texture=256, strands=500)


@dataclass(frozen=True, eq=False)
class Trial:
    """A decoder with the recogniser whose features it reads."""

    features: IdentityFeatures
    decoder: nn.Module

    def of(self, chips: Tensor) -> Seen:
        """Normalize chips (B, 3, 150, 150), uint8 or in [0, 1], and look at the faces."""
        return seen(self.decoder, self.features, self.features.of(chips))


@lru_cache(maxsize=4)
def recogniser(name: str = "dlib_resnet") -> IdentityFeatures:
    """A recogniser's features, loaded once."""
    return load_features(name)


@lru_cache(maxsize=2)
def shipped(world: World) -> Trial:
    """The shipped decoder of a world.

    Raises:
        visage.checkpoints.CheckpointError: it is missing.
    """
    return Trial(recogniser(), load_decoder(world))


@lru_cache(maxsize=12)
def compared(kind: str, world: World, profile: Profile) -> Trial:
    """One of the decoders that figures 8 to 12 compare; trained now if it has not been.

    Args:
        kind: "short", "no_identity", "no_morphs", "fully_connected", "plain" or "light_cnn".
        world: of the people to learn from.
        profile: "fast" trains a few steps on a few faces, to see that everything runs.
    """
    name = f"normalization_{world}_{kind}"
    plan = plan_of(name)
    features = recogniser(plan.recogniser)
    if profile == "full":
        # What `visage train` left is taken up; else the run is kept with what else is remembered.
        own = Path("runs") / name
        folder = own if own.exists() else cache_folder() / "normalization" / "runs" / name
        return Trial(features, train(RECIPES[name], folder=folder).model)
    examples = few_examples(features)
    plan = replace(plan, training=replace(plan.training, steps=_FAST_STEPS, batch_size=4))
    recipe = decoder_recipe(name, "a few steps", plan, lambda: examples, lambda: features)
    folder = cache_folder() / "normalization" / "runs" / f"{name}_fast"
    return Trial(features, train(recipe, folder=folder).model)


@lru_cache(maxsize=2)
def few_examples(features: IdentityFeatures, count: int = 8) -> DecoderExamples:
    """A few synthetic people, without morphs, for a trial of everything; seconds to draw."""
    size = DecoderConfig().size
    drawn = draw_normal_people(
        MorphableModel.load(), 0, range(count), split="train", size=size, detail=_FAST_DETAIL
    )
    names = tuple(synthetic_name("train", number) for number in range(count))
    base = NormalFaces(names, stored(drawn.image), drawn.landmarks)
    none = NormalFaces((), base.images[:0], base.landmarks[:0])
    items = SyntheticFaces(count, size=160, answers=("landmarks",)).__getitems__(range(count))
    images, points = (torch.stack([item[key] for item in items]) for key in ("image", "landmarks"))
    chips = stored(align(images, points, DLIB_CHIP, padding="border"))
    photos = WildChips(names, chips, torch.arange(count))
    return collected_examples(base, none, mean_landmarks(base.landmarks), photos, features)


def closeness_rows(found: Seen, tail: str = "") -> list[Row]:
    """Distance and threshold, as the recogniser sees it."""
    return [
        mean_row(f"mean_distance{tail}", found.distances, "", "lower"),
        mean_row(f"within_threshold{tail}", found.within.float(), "fraction", "higher"),
    ]


part_result = partial(measured_result, paper="cole2017synthesizing")
"""`visage.measured.measured_result` of Cole et al. (2017)."""
