"""Figures 9 to 12: what each decision is worth. All decoders here are trained equally long."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.normalization.decoder_metrics import Seen, sharpness, similarity
from visage.normalization.faces import NormalFaces
from visage.normalization.losses import landmark_error
from visage.normalization.measured_people import (
    World,
    first_rows,
    people_of_test_side,
    suffix,
    worlds,
)
from visage.normalization.study import closeness_rows, compared, part_result
from visage.normalization.training_data import TestSet
from visage.sheet import sheet

_SHOWN = 8
_PAPER = {"mean_distance_with": 0.42, "mean_distance_without": 0.8}
_PAPER_WITHIN = {"within_threshold_with": 1.0, "within_threshold_without": 0.98}


def _test(world: World, profile: Profile) -> tuple[TestSet, Tensor]:
    """The people of the test side, and the row of one picture of each."""
    test = people_of_test_side(world)
    return test, first_rows(test, 1, None if profile == "full" else 12)


def truth_rows(found: Seen, true: NormalFaces, tail: str, *, textures: bool = True) -> list[Row]:
    """Rows of decoded faces beside the true ones, one for one."""
    decoded, pictures = found.decoded, true.pictures()
    rows = [
        mean_row(f"image_mae{tail}", (decoded.image - pictures).abs().mean((1, 2, 3)), "", "lower"),
        mean_row(f"ssim{tail}", similarity(decoded.image, pictures), "", "higher"),
        mean_row(f"sharpness{tail}", sharpness(decoded.image) / sharpness(pictures), "times", None),
    ]
    if textures:
        error = landmark_error(decoded.landmarks, true.landmarks, true.size).mul(2).sqrt()
        rows.append(mean_row(f"landmark_error_px{tail}", error, "pixels of 224", "lower"))
    return [*rows, *closeness_rows(found, tail)]


def _people(test: TestSet, rows: Tensor) -> NormalFaces:
    return test.faces[test.photos.rows[rows].tolist()]


def reproduce_fig9(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The CNN with and without augmentation, and a linear map with it."""
    start = time.perf_counter()
    test, rows = _test("synthetic", profile)
    chips, true = test.photos.chips[rows], _people(test, rows)
    kinds = {"cnn": "short", "no_morphs": "no_morphs", "fully_connected": "fully_connected"}
    found = {name: compared(kind, "synthetic", profile).of(chips) for name, kind in kinds.items()}
    table = [row for name, one in found.items() for row in truth_rows(one, true, f"_{name}")]
    result = part_result(
        "normalization/fig9",
        "Without augmentation there are more artefacts, from overfitting; the fully connected "
        "decoder makes very generic faces.",
        f"{len(rows)} synthetic test people, one everyday picture each; decoders trained equally "
        "long on synthetic people: the CNN with morphs, without them, and a linear map to texture "
        "of as many weights with them. Against the true normal face; sharpness: mean gradient, in "
        "times of the true face's; distance: dlib's, to the picture that was encoded.",
        profile=profile, seed=seed, start=start, rows=table,
    )  # fmt: skip
    names = ["input", "true face", "CNN", "CNN without morphs", "fully connected"]
    pictures = [_inner(chips), true.pictures(), *(one.decoded.image for one in found.values())]
    return result, sheet([some[:_SHOWN] for some in pictures], names)


def reproduce_fig10(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """A plain CNN, and one that keeps texture and landmarks apart."""
    start = time.perf_counter()
    test, rows = _test("synthetic", profile)
    chips, true = test.photos.chips[rows], _people(test, rows)
    ours = compared("short", "synthetic", profile).of(chips)
    plain = compared("plain", "synthetic", profile).of(chips)
    table = truth_rows(ours, true, "_ours") + truth_rows(plain, true, "_plain", textures=False)
    result = part_result(
        "normalization/fig10",
        "Compared to a regular CNN with the same decoder capacity, decoupling texture and "
        "landmarks reproduces finer details.",
        f"{len(rows)} synthetic test people, one everyday picture each; both decoders have the "
        "same CNN and are trained equally long on synthetic people. Rows as in figure 9.",
        profile=profile, seed=seed, start=start, rows=table,
    )  # fmt: skip
    names = ["input", "true face", "plain CNN", "ours"]
    pictures = [_inner(chips), true.pictures(), plain.decoded.image, ours.decoded.image]
    return result, sheet([some[:_SHOWN] for some in pictures], names)


def _with_and_without(world: World, profile: Profile) -> tuple[Tensor, Seen, Seen]:
    """Chips, and what decoders with and without the identity loss make of them."""
    test, rows = _test(world, profile)
    chips = test.photos.chips[rows]
    both = [compared(kind, world, profile).of(chips) for kind in ("short", "no_identity")]
    return chips, *both


def _identity_rows(found: tuple[Seen, Seen], world: World, profile: Profile) -> list[Row]:
    tail, rows = suffix(world), []
    for name, one in zip(("with", "without"), found, strict=True):
        for row in closeness_rows(one):
            full = f"{row.name}_{name}"
            paper = (_PAPER | _PAPER_WITHIN).get(full) if world == "lfw" else None
            rows.append(replace(row, name=full + tail, paper=paper))
    threshold = compared("short", world, profile).features.encoder.threshold
    paper = 1.242 if world == "lfw" else None
    return [*rows, Row(f"threshold{tail}", paper, threshold, "", None, None)]


def reproduce_fig11(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Faces with and without the identity loss."""
    start = time.perf_counter()
    chips, *found = _with_and_without("synthetic", profile)
    test, rows = _test("synthetic", profile)
    true = _people(test, rows)
    table = _identity_rows(tuple(found), "synthetic", profile)
    for name, one in zip(("with", "without"), found, strict=True):
        table += truth_rows(one, true, f"_{name}_truth")[:-2]
    result = part_result(
        "normalization/fig11",
        "The difference is subtle but visible, and improves the likeness of the recovered image: "
        "the distance between its embedding and the input's falls from 0.8 to 0.42.",
        f"{len(rows)} synthetic test people; two decoders trained equally long on synthetic "
        "people, one of them without the identity loss. FaceNet's threshold is 1.242, dlib's the "
        "row threshold. Rows _truth: against the true normal face, which the identity loss has "
        "not seen.",
        profile=profile, seed=seed, start=start, rows=table,
    )  # fmt: skip
    pictures = [_inner(chips), true.pictures(), *(one.decoded.image for one in found)]
    captions = [[]] * 2 + [[f"{d:.2f}" for d in one.distances[:_SHOWN]] for one in found]
    names = ["input", "true face", "with", "without"]
    return result, sheet([some[:_SHOWN] for some in pictures], names, captions=captions)


def reproduce_fig12(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Histograms of the distance between input and output."""
    start = time.perf_counter()
    there = worlds()
    rows, panels = [], {}
    for world in there:
        _, *found = _with_and_without(world, profile)
        rows += _identity_rows(tuple(found), world, profile)
        panels[world] = found
    figure = _histograms(panels, compared("short", there[0], profile).features.encoder.threshold)
    count = {world: len(found[0].distances) for world, found in panels.items()}
    result = part_result(
        "normalization/fig12",
        "Without the identity loss, about 2 % of the synthesized images would not be considered "
        "the same identity as the input; with it, all are.",
        f"One picture each of {count} people of the test sides; two decoders a world, trained "
        "equally long, with and without the identity loss. Rows _synthetic: people who do not "
        "exist. dlib's Euclidean distance between the embeddings (mean of both mirror images) of "
        "input and output, which is cut by its own landmarks; the network that was optimised is "
        "the one that judges here: see foreign_judge.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


def _histograms(panels: dict[World, list[Seen]], threshold: float) -> Figure:
    figure = Figure(figsize=(3.4 * len(panels), 2.4), layout="constrained")
    bins = torch.linspace(0, 1.1, 45).numpy()
    titles = {"lfw": "photographs (LFW)", "synthetic": "synthetic people"}
    for axes, (world, found) in zip(figure.subplots(1, len(panels), squeeze=False)[0],
                                    panels.items(), strict=True):  # fmt: skip
        for one, name in zip(found, ("with identity loss", "without"), strict=True):
            axes.hist(one.distances.numpy(), bins, alpha=0.7, label=name)
        axes.axvline(threshold, color="0.4", linestyle="--", linewidth=1)
        axes.set(title=titles[world], xlabel="distance between input and output", ylabel="people")
        axes.legend(fontsize=7, frameon=False)
    return figure


def _inner(chips: Tensor) -> Tensor:
    return chips[:_SHOWN].float() / 255


EXPERIMENTS: dict[str, Experiment] = {
    "normalization/fig9": reproduce_fig9,
    "normalization/fig10": reproduce_fig10,
    "normalization/fig11": reproduce_fig11,
    "normalization/fig12": reproduce_fig12,
}
