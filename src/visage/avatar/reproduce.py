"""What an avatar costs and keeps of a person: ``visage reproduce book/avatar``."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.avatar.build import Avatar, AvatarConfig, build_avatar
from visage.avatar.head import COARSE_SHARE
from visage.avatar.held_out import ANSWERS, Measured, measure
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row, measured_result, threads
from visage.photos.alignment import align
from visage.recognition.encoder import Encoder, load_encoder
from visage.sheet import sheet
from visage.texture.backbones import load_backbone
from visage.texture.database import TextureDatabase
from visage.texture.gram_database import GramDatabase
from visage.texture.head_surface import plain_maps
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.regional import Regional

_THREADS = 2
_ATLAS = 1024  # texels of the whole head's
_YAW = 20.0  # degrees, to one side or the other
_OTHER = 0.0  # degrees, of another photograph of each person
_SHOWN = (0, 1, 2, 3, 4, 5)  # people in the figure: the first
_LOOKS = ("inversion", "normalized", "nfgan", "coarse", "fine", "texture", "front")
_ERRORS = {"head": "vertex_error_mm", "face": "face_vertex_error_mm"}


@dataclass(frozen=True)
class AvatarPlan:
    """Whom, and how finely."""

    people: int
    pixels: int  # of the photographs
    config: AvatarConfig


PLANS = {
    "fast": AvatarPlan(1, 256, AvatarConfig(texels=64, people=3, iterations=5, pixels=256,
                                            shown=128)),
    "full": AvatarPlan(24, 512, AvatarConfig()),
}  # fmt: skip


def reproduce_avatar(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Avatars of held-out people, whose heads are known."""
    start, plan = time.perf_counter(), PLANS[profile]
    with threads(_THREADS):
        views = held_out_views(plan.people, "test", plan.pixels, _YAW)
        if profile == "full":
            build_avatar(views.image[:1], plan.config, progress=False)  # to warm up
        found = measure(views, plan.config)
        preparing = seconds_to_prepare(plan.config, whole=profile == "full")
    seconds = found.seconds()
    rows = [
        mean_row("seconds", seconds, "s", "lower"),
        Row("seconds_median", None, float(seconds.median()), "s", "lower", len(seconds)),
        Row("seconds_cold", None, float(seconds.mean()) + preparing, "s", "lower", 1),
        *_identity_rows(found, views),
        *_shape_rows(found),
        Row("missed", None, found.missed, "", "lower", len(views)),
    ]
    result = measured_result(
        "book/avatar",
        "One photograph becomes a textured head in less than a minute on two cores, and the "
        "recogniser still takes the head for the person.",
        _protocol(plan),
        paper=None, profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(found)


def seconds_to_prepare(config: AvatarConfig, *, whole: bool = True) -> float:
    """What the first avatar on a machine takes longer: skins are painted and looked at, once.

    Args:
        config: of the avatar.
        whole: whether the head round the face is painted too.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, start = Path(name), time.perf_counter()
        skins = TextureDatabase.load(config.texels, config.people, folder=folder)
        GramDatabase.of(Regional(load_backbone()), skins, folder=folder)
        if whole:
            plain_maps.__wrapped__(_ATLAS, folder)  # not the one that this process has read
        return time.perf_counter() - start


def _identity_rows(found: Measured, views: HeldOutViews) -> list[Row]:
    """Distances to the photographs' embeddings."""
    encoder = load_encoder()
    final = found.distances("texture")
    within = (final <= encoder.threshold).float()
    rows = [
        mean_row("identity_distance", final, "", "lower"),
        *(mean_row(f"identity_distance/{n}", found.distances(n), "", None) for n in _LOOKS),
        mean_row("identity_within_threshold", within, "fraction", "higher"),
        Row("identity_threshold", None, encoder.threshold, "", None, None),
    ]
    return rows + _between_photographs(encoder, found, views)


def _between_photographs(encoder: Encoder, found: Measured, views: HeldOutViews) -> list[Row]:
    """What distances are between photographs; nothing to tell of a single person."""
    if len(found.rows) < 2:
        return []
    own = torch.cat([avatar.embedding for avatar in found.avatars])
    other = _other_photographs(encoder, views, found)
    between = encoder.distance(other[:, None], own[None])
    strangers = between[~torch.eye(len(own), dtype=torch.bool)]
    return [
        mean_row("identity_distance/other_photograph", between.diagonal(), "", None),
        mean_row("identity_distance/stranger", strangers, "", None),
    ]


@torch.no_grad()
def _other_photographs(encoder: Encoder, views: HeldOutViews, found: Measured) -> Tensor:
    """Embeddings (N, dim) of photographs from the front, cut by true landmarks."""
    size = views.image.shape[-1]
    others = held_out_views(max(found.rows) + 1, views.split, size, _OTHER)[list(found.rows)]
    return encoder.embed(align(others.image, others.landmarks, encoder.crop).clamp(0, 1))


def _shape_rows(found: Measured) -> list[Row]:
    rows = []
    for error, title in _ERRORS.items():
        for answer in ANSWERS:
            name = title if answer == ANSWERS[0] else f"{title}/{answer}"
            better = "lower" if answer == ANSWERS[0] else None
            rows.append(mean_row(name, found.errors[answer][error], "mm", better))
    return rows


def _protocol(plan: AvatarPlan) -> str:
    config = plan.config
    return (
        f"{plan.people} synthetic test people, one photograph each of {plan.pixels} pixels, about "
        f"{_YAW:g} degrees to one side, perspective, soft lights, hair; nothing but the pixels is "
        f"given. {config.texels} texels, {config.people} people's skins, {config.iterations} steps "
        f"of synthesis. {_THREADS} threads. seconds: from the pixels to the head, networks and "
        "database loaded; seconds_cold: the mean and, in an empty cache, painting the skins and "
        "their correlations. identity_distance: dlib's recogniser, between the photograph and the "
        "head rendered with the fit's camera and light, bald, on grey; /<stage>: that stage's "
        "picture (clay for coarse and fine), /nfgan: part III's beside part II's, /front: the head "
        "from the front in a studio; /other_photograph: another photograph of the person, from the "
        "front; /stranger: of the others. vertex_error_mm: mean over all drawn vertices of the "
        "head in its own frame, nothing aligned; face_vertex_error_mm: the front of the face, "
        "after the best similarity; of the head with its expression, which is "
        f"{COARSE_SHARE:.0%} CoarseNet's or more; /fit: part V's answer alone, /coarse: part IV's, "
        "/mean: the mean head at rest."
    )


def _figure(found: Measured) -> Figure:
    """The stages of the first people, their distances below."""
    some = found.avatars[: len(_SHOWN)]
    columns = [stage.name for stage in some[0].stages if stage.name != "embedding"]
    columns.insert(3, "nfgan")
    columns.append("front")
    looks = [_looks(avatar) for avatar in some]
    return sheet(
        [torch.cat([one[name][0] for name in columns]) for one in looks],
        [f"person {row}" for row in found.rows[: len(some)]],
        columns=columns,
        captions=[[_words(one[name][1]) for name in columns] for one in looks],
    )


def _looks(avatar: Avatar) -> dict[str, tuple[Tensor, float | None]]:
    every = [*avatar.stages, *(stage.also for stage in avatar.stages if stage.also)]
    return {look.name: (look.picture, look.distance) for look in every}


def _words(distance: float | None) -> str:
    return "" if distance is None else f"{distance:.2f}"


EXPERIMENTS: dict[str, Experiment] = {"book/avatar": reproduce_avatar}
"""What this module measures."""
