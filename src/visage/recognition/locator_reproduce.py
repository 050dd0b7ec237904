"""How well the locator does on people it has not seen: ``visage reproduce recognition/locator``."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from tqdm.auto import tqdm

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import measured_result
from visage.photos.alignment import DLIB_CHIP_FIVE, align
from visage.photos.landmarks import FaceBox, find_five_points
from visage.photos.lfw import LFW, open_lfw, split
from visage.recognition.encoder import load_encoder
from visage.recognition.locator import BOX_MARGIN, MIRRORED, Locator, load_locator, locate
from visage.recognition.locator_data import (
    FACELESS_TEST,
    Photograph,
    central_face,
    faceless_picture,
    faceless_square,
    label_photographs,
)

FAILURE = 0.1
"""A face is missed where the mean error of its points is above this share of the eye distance."""

PASSES = (1, 2, 3)
_FACELESS_SQUARES = 40  # from each of scikit-image's pictures


@dataclass(frozen=True)
class Measured:
    """One number for each photograph that has a face according to dlib."""

    errors: Tensor  # (passes, N), point errors after each pass
    dlib_errors: Tensor  # (N,), of dlib's points in the mirrored photograph against its own
    shifts: Tensor  # (N,), distance of embeddings, located chip against dlib's chip
    dlib_shifts: Tensor  # (N,), dlib's chip in the mirrored photograph against dlib's chip
    with_face: Tensor  # (passes, N), logits
    without_face: Tensor  # (passes, M), logits for squares without a face
    unlabelled: int  # photographs left out, because dlib sees no face near the centre


def training_photographs(lfw: LFW) -> list[Photograph]:
    """The first two photographs of everybody on the training side of `visage.photos.lfw.split`."""
    people = lfw.people().items()
    return [(name, i) for name, numbers in people if split(name) == "train" for i in numbers[:2]]


def held_out_photographs(lfw: LFW, count: int) -> list[Photograph]:
    """The first photographs of people on the other side, one a person."""
    people = [name for name in lfw.people() if split(name) == "test"]
    return [(name, lfw.people()[name][0]) for name in people[:count]]


def measure(network: Locator, count: int, seed: int) -> Measured:
    """Measure on the photographs of that many people that the network was not trained on.

    Each face is given as dlib's box, moved by up to 0.3 of its width and scaled by up to 1.6
    either way. The points of dlib's 5-point predictor in its own box are taken for the truth.

    Raises:
        visage.photos.lfw.LFWNotFoundError: the photographs are not there.
    """
    lfw = open_lfw()
    encoder = load_encoder()
    labels = label_photographs(held_out_photographs(lfw, count), lfw)
    columns: list[tuple[Tensor, ...]] = []
    without_face: list[Tensor] = []
    for k, (photograph, label) in enumerate(tqdm(labels.items(), desc="locating", unit="photo")):
        image = lfw.image(*photograph)
        random = np.random.default_rng([seed, k])
        square = faceless_square(*image.shape[:1:-1], label.boxes, random)
        without_face.append(_scores(network, image, square))
        face = central_face(label, image.shape[-1], image.shape[-2])
        if face is None:
            continue
        truth = torch.tensor([label.points[face]])
        box = perturbed_box(label.boxes[face], random)
        located = [locate(network, image, box, refinements=passes) for passes in PASSES]
        mirrored = _dlib_in_the_mirror(image, label.boxes[face])
        chips = [
            align(image, points, DLIB_CHIP_FIVE) for points in (truth, located[-1].points, mirrored)
        ]
        own, here, there = encoder.embed(torch.cat(chips)).split(1)
        columns.append(
            (
                torch.cat([point_error(found.points, truth) for found in located]),
                point_error(mirrored, truth),
                encoder.distance(here, own),
                encoder.distance(there, own),
                torch.cat([found.score for found in located]),
            )
        )
    for k, name in enumerate(FACELESS_TEST):
        picture, random = faceless_picture(name), np.random.default_rng([seed, count + k])
        for _ in range(_FACELESS_SQUARES):
            square = faceless_square(*picture.shape[:1:-1], (), random)
            without_face.append(_scores(network, picture, square))
    return Measured(
        *(torch.stack(column, -1).squeeze(0) for column in zip(*columns, strict=True)),
        torch.stack(without_face, -1),
        len(labels) - len(columns),
    )


def rows(measured: Measured) -> tuple[Row, ...]:
    """What the ledger keeps of a measurement."""
    n = measured.errors.shape[1]

    def row(name: str, values: Tensor, unit: str = "eye distance") -> Row:
        return Row(name, None, _short(values), unit, "lower", n)

    def pair(name: str, values: Tensor, unit: str = "eye distance") -> tuple[Row, Row]:
        return (
            row(f"{name}_mean", values.mean(), unit),
            row(f"{name}_p95", values.quantile(0.95), unit),
        )

    first, last = measured.errors[0], measured.errors[-1]

    def area(k: int) -> Row:
        with_face, without_face = measured.with_face[k], measured.without_face[k]
        ours = _short(area_under_curve(with_face, without_face))
        count = len(with_face) + len(without_face)
        return Row(f"face_auc_{PASSES[k]}", None, ours, "fraction", "higher", count)

    return (
        *pair("point_error_1", first),
        *pair(f"point_error_{PASSES[-1]}", last),
        row("failures_1", (first > FAILURE).float().mean(), "fraction"),
        row(f"failures_{PASSES[-1]}", (last > FAILURE).float().mean(), "fraction"),
        *pair("dlib_point_error", measured.dlib_errors),
        area(0),
        area(-1),
        *pair("embedding_shift", measured.shifts, "distance"),
        *pair("dlib_embedding_shift", measured.dlib_shifts, "distance"),
        Row("unlabelled", None, measured.unlabelled, "", None, n + measured.unlabelled),
    )


def reproduce_locator(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The experiment ``recognition/locator``; 800 people in full, 100 fast."""
    started = time.perf_counter()
    measured = measure(load_locator(), 800 if profile == "full" else 100, seed)
    result = measured_result(
        id="recognition/locator",
        paper=None,
        claim=(
            "A network of 0.3 million weights finds dlib's five points in a rough square crop; the "
            "embedding then moves by a small part of the distance that separates people."
        ),
        protocol=(
            "First photographs of LFW people that were not trained on. Start: dlib's box, moved by "
            "up to 0.3 of its width, scaled by up to 1.6 either way. Truth: dlib's five points; "
            "errors are mean distances over the distance of the outer eye corners, after 1 and "
            "3 passes; a failure is above 0.1. The dlib_ rows compare dlib with itself on the "
            "mirrored photograph. AUC: the logits for those starts against squares without a "
            "face, from the same photographs and from five pictures of scikit-image, after 1 and "
            "3 passes. Embedding shift: distance by "
            "dlib's recogniser between the chip of the located and that of dlib's points. "
            "Unlabelled photographs, in which dlib finds no plausible face near the centre, are "
            "left out of all rows but the AUC's negatives."
        ),
        profile=profile,
        seed=seed,
        start=started,
        rows=rows(measured),
    )
    return result, draw(measured)


def draw(measured: Measured) -> Figure:
    """Share of the faces whose error is below each value, by number of passes."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    shares = torch.linspace(0, 1, measured.errors.shape[1])
    for passes, errors in zip(PASSES, measured.errors, strict=True):
        plural = "passes" if passes > 1 else "pass"
        axes.plot(errors.sort().values, shares, label=f"located, {passes} {plural}")
    axes.plot(
        measured.dlib_errors.sort().values, shares, "k--", label="dlib against itself, mirrored"
    )
    axes.axvline(FAILURE, color="0.6", linewidth=1)
    axes.set(
        xlim=(0, 0.2), ylim=(0, 1), xlabel="point error / eye distance", ylabel="share of the faces"
    )
    axes.legend(frameon=False, loc="lower right")
    return figure


EXPERIMENTS: dict[str, Experiment] = {"recognition/locator": reproduce_locator}


def perturbed_box(box: tuple[float, ...], random: np.random.Generator) -> Tensor:
    """Draw a square off a box by up to 0.3 of its width and a factor of 1.6 either way: (1, 4)."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    centre = np.array([left + right, top + bottom]) / 2 + random.uniform(-0.3, 0.3, 2) * side
    half = side / 2 * 1.6 ** random.uniform(-1, 1)
    return torch.tensor(np.array([[*(centre - half), *(centre + half)]]), dtype=torch.float32)


def point_error(points: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of five points (B, 5, 2), in units of the outer eye corners' distance: (B,).

    >>> truth = torch.tensor([[[10.0, 0.0], [7, 0], [0, 0], [3, 0], [5, 5]]])
    >>> point_error(truth + torch.tensor([0.6, 0.8]), truth)
    tensor([0.1000])
    """
    apart = (truth[:, 0] - truth[:, 2]).norm(dim=-1)
    return (points - truth).norm(dim=-1).mean(1) / apart


def area_under_curve(positive: Tensor, negative: Tensor) -> float:
    """Chance that a positive scores above a negative, ties counting half.

    >>> area_under_curve(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0]))
    0.875
    """
    difference = positive[:, None] - negative[None, :]
    return float(((difference > 0).double() + 0.5 * (difference == 0).double()).mean())


def _scores(network: Locator, image: Tensor, square: np.ndarray) -> Tensor:
    """Logits (passes,) where a square without a face is taken for a rough crop."""
    x, y, side, _ = square
    half = side / 2 / BOX_MARGIN
    box = torch.tensor(np.array([[x - half, y - half, x + half, y + half]]), dtype=torch.float32)
    return torch.cat([locate(network, image, box, refinements=k).score for k in PASSES])


def _dlib_in_the_mirror(image: Tensor, box: tuple[float, ...]) -> Tensor:
    left, top, right, bottom = box
    edge = image.shape[-1] - 1
    points = find_five_points(image.flip(-1), FaceBox(edge - right, top, edge - left, bottom, 0.0))
    return points[:, MIRRORED] * points.new_tensor([-1, 1]) + points.new_tensor([edge, 0])


def _short(number: Tensor | float) -> float:
    return float(f"{float(number):.5g}")
