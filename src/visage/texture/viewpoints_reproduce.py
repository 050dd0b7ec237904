"""Figure 9: two viewpoints of one person give textures that agree."""

from __future__ import annotations

import time

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import interpolate

from visage.ledger import Experiment, Profile, Result, Row
from visage.sheet import sheet
from visage.texture.gram import grams
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.likeness import face_chips, identity_distances, recogniser
from visage.texture.measures import band_energies, relative_distance, ssim
from visage.texture.methods import Bench, infer
from visage.texture.observation import observe_truly
from visage.texture.study import BAND_NAMES, finite_mean, part_result, shown
from visage.texture.synthesis import SynthesisConfig
from visage.texture.window import face_region
from visage.texture.yiq import luminance

YAWS = (45.0, -45.0)
"""Degrees: what one view shows of the cheeks and temples the other does not."""

_DRAWN = 3


def reproduce_fig9(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Textures inferred from opposite sides."""
    start, full = time.perf_counter(), profile == "full"
    count = 10 if full else 2
    if full:
        bench = Bench.load(192, 256, SynthesisConfig(iterations=80))
    else:
        bench = Bench.load(128, 6, SynthesisConfig(iterations=3))
    views = [held_out_views(count, "test", 512 if full else 256, yaw, relief=False)
             for yaw in YAWS]  # fmt: skip
    made = [inferred(one, bench) for one in views]
    chips = [face_chips(textures, views[0].identity) for textures in made]
    between = identity_distances(*chips).diagonal()
    rows = [
        *agreement(*made, bench),
        finite_mean("identity_distance", between, "lower"),
        finite_mean("identity_within_threshold", (between < recogniser().threshold).float(),
                    "higher", "fraction"),
    ]  # fmt: skip
    result = part_result(
        "texture/fig9",
        "Textures of one person inferred from different viewpoints are consistent, even from "
        "extreme ones.",
        f"{count} synthetic test people, photographed at 45 degrees to either side, given the "
        f"true fit; {bench.size} texels, {len(bench.database)} people, "
        f"{bench.synthesis.iterations} steps. gram_views: relative distance of correlations (mean "
        "over layers, on the face) between a person's two textures; gram_people: between textures "
        "of different people from the same side; nearest: how often a person's texture from one "
        "side is nearest, so measured, to their own from the other. high, middle and low_views: "
        "mean size of the logarithm of the ratio of the two textures' band energies. identity: "
        "dlib's recogniser between heads with the two.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(views, made, min(count, _DRAWN))


def inferred(views: HeldOutViews, bench: Bench) -> Tensor:
    """Our textures (N, 3, S, S) of photographs, given the true fit."""
    found = [
        infer(observe_truly(views, row, bench.size), bench, ("convex",))["convex"]
        for row in range(len(views))
    ]
    return torch.cat(found)


def agreement(first: Tensor, second: Tensor, bench: Bench) -> list[Row]:
    """How much alike two textures of each of N people are, beside those of different people.

    Args:
        first: (N, 3, S, S), N at least 2.
        second: (N, 3, S, S), of the same people.
        bench: of the correlations.
    """
    region, (a, b) = face_region(bench.size), (luminance(first), luminance(second))
    table = gram_table(a, b, bench)
    other = ~torch.eye(len(table), dtype=torch.bool)
    people = gram_table(a, a, bench)[other]
    ratio = (band_energies(a, region) / band_energies(b, region)).log().abs()
    nearest = (table.argmin(1) == torch.arange(len(table))).float()
    return [
        finite_mean("gram_views", table.diagonal(), "lower"),
        finite_mean("gram_people", people),
        finite_mean("nearest", nearest, "higher", "fraction"),
        finite_mean("ssim_views", ssim(a, b, region), "higher"),
        *(finite_mean(f"{band}_views", ratio[:, i], "lower") for i, band in enumerate(BAND_NAMES)),
    ]


@torch.no_grad()
def gram_table(first: Tensor, second: Tensor, bench: Bench) -> Tensor:
    """(N, M): `relative_distance` of each of N luminances (N, 1, S, S) from each of M."""
    region = face_region(bench.size)
    a, b = ([grams(bench.judge, one, region) for one in some.split(1)]
            for some in (first, second))  # fmt: skip
    return torch.stack([torch.cat([relative_distance(x, y) for y in b]) for x in a])


def _figure(views: list[HeldOutViews], made: list[Tensor], count: int) -> Figure:
    size = shown(made[0]).shape[-1]
    rows = []
    for row in range(count):
        pictures = []
        for photos, textures in zip(views, made, strict=True):
            photo = interpolate(photos.image[row : row + 1], size=(size, size), mode="area")
            pictures += [photo, shown(textures[row : row + 1])]
        rows.append(torch.cat(pictures))
    names = [f"person {index}" for index in views[0].indices[:count]]
    return sheet(rows, names, columns=("one side", "texture", "other side", "texture"))


EXPERIMENTS: dict[str, Experiment] = {"texture/fig9": reproduce_fig9}
"""What this module measures."""
