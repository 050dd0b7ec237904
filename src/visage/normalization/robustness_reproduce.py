"""Figure 8, and pictures outside what decoders learned from: section 7.1."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.dataset import SyntheticFaces
from visage.faces.portraits import Detail
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.normalization.decoder_metrics import Seen, within_over_between
from visage.normalization.frame import normal_crop
from visage.normalization.frontalization import frontalized
from visage.normalization.measured_people import (
    World,
    first_rows,
    people_of_test_side,
    suffix,
    worlds,
)
from visage.normalization.study import closeness_rows, compared, part_result, shipped
from visage.normalization.stylisation import black_and_white, painted
from visage.photos.alignment import DLIB_CHIP, align, apply_transform, crop_transform
from visage.photos.corruption import expose, occlude
from visage.recognition.chips import chip_landmarks
from visage.sheet import sheet

_SITTERS = (2, 5)  # two, as in the paper
"""Test people of the figures."""
_SHOTS = 4
_EACH = 4  # photographs of each person whose variance is measured
_SIZE = 224
_GLASSES, _DARK = 1, 2  # which of the four shots wears sunglasses, and which is underexposed


@dataclass(frozen=True, eq=False)
class Shots:
    """N pictures of synthetic test people, cut both ways.

    Attributes:
        chips: (N, 3, 150, 150) in [0, 1], for the recogniser.
        faces: (N, 3, 112, 112) in [0, 1], in the normal crop, wherever the head looks.
        landmarks: (N, 68, 2), pixels of `faces`.
        people: (N,), whole numbers.
    """

    chips: Tensor
    faces: Tensor
    landmarks: Tensor
    people: Tensor


def difficult_shots(seed: int, size: int, people: tuple[int, ...] = _SITTERS) -> Shots:
    """Four pictures each of some test people: poses, lights, expressions, and sunglasses on one.

    Args:
        seed: of the world.
        size: of `Shots.faces`, pixels.
        people: numbers of test people.
    """
    data = SyntheticFaces(max(people) + 1, _SHOTS, size=_SIZE, seed=seed, split="test",
                          answers=("landmarks",),
                          detail=Detail(texture=512, strands=3000, supersample=2))  # fmt: skip
    items = data.__getitems__([_SHOTS * n + k for n in people for k in range(_SHOTS)])
    images, points = (torch.stack([item[key] for item in items]) for key in ("image", "landmarks"))
    chips = align(images, points, DLIB_CHIP, padding="border").clamp(0, 1)
    chips[_GLASSES::_SHOTS] = occlude(chips[_GLASSES::_SHOTS], "sunglasses", 0.9)
    chips[_DARK::_SHOTS] = expose(chips[_DARK::_SHOTS], -1.5)
    crop = normal_crop(size)
    faces = align(images, points, crop, padding="border").clamp(0, 1)
    # What was done to the chip is seen in the wider crop, too.
    glasses = slice(_GLASSES, None, _SHOTS)
    faces[glasses] = _with_chip(faces[glasses], points[glasses], chips[glasses], size)
    faces[_DARK::_SHOTS] = expose(faces[_DARK::_SHOTS], -1.5)
    landmarks = apply_transform(crop_transform(points, crop), points)
    return Shots(chips, faces, landmarks, torch.tensor(people).repeat_interleave(_SHOTS))


def _with_chip(faces: Tensor, points: Tensor, chips: Tensor, size: int) -> Tensor:
    """Normal crops with the chips' pixels where chips are."""
    in_chip = apply_transform(crop_transform(points, DLIB_CHIP), points)
    alpha = torch.ones_like(chips[:, :1])
    alpha[..., :2, :] = alpha[..., -2:, :] = alpha[..., :2] = alpha[..., -2:] = 0
    both = torch.cat([chips, alpha.expand(-1, 3, -1, -1)])
    cut = align(both, in_chip.repeat(2, 1, 1), normal_crop(size))
    pixels, alpha = cut[: len(chips)], cut[len(chips) :]
    return pixels * alpha + faces * (1 - alpha)


def reproduce_fig8(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Four pictures of a person give one face; warping the picture does not."""
    start = time.perf_counter()
    rows, counts = [], {}
    for world in worlds():
        found, counts[world] = _variances(world, profile)
        rows += found
    trial, other = shipped("synthetic"), compared("light_cnn", "synthetic", profile)
    shots = difficult_shots(seed, trial.decoder.config.size)
    ours, second = trial.of(shots.chips), other.of(shots.chips)
    straight = frontalized(shots.faces, shots.landmarks, trial.decoder.mean)
    result = part_result(
        "normalization/fig8",
        "Results are stable across poses, lights and occlusions, with FaceNet's features more "
        "than with VGG-Face's; warping removes no occlusion, extreme pose, expression or light.",
        f"People of the test sides with {_EACH} pictures or more, the first {_EACH}: {counts}. "
        "within_over_between_variance: of a person's outputs (pixels of the decoded face), over "
        "that between people, both unbiased. Rows _light_cnn: from features of the second "
        "recogniser, the Light CNN, by a decoder trained for a sixth as long; _texture, "
        "_landmarks and _embedding: of parts of the output; _input: of the aligned pictures "
        "themselves; _warped: of these, frontalized by a warp of their landmarks with the far "
        "side filled from the near one. Rows _synthetic: people who do not exist. In the figure, "
        "sunglasses are drawn onto every second picture of four, and every third is underexposed "
        "by 1.5 stops.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    names = ["input", "dlib", "Light CNN", "warped"]
    pictures = [shots.faces, ours.decoded.image, second.decoded.image, straight]
    return result, sheet(pictures, names)


def _variances(world: World, profile: Profile) -> tuple[list[Row], int]:
    """Rows on the variance of outputs, and over how many people."""
    test, tail = people_of_test_side(world, _EACH), suffix(world)
    chosen = first_rows(test, _EACH, None if profile == "full" else 6)
    chips, people = test.photos.chips[chosen], test.photos.rows[chosen]
    trial = shipped(world)
    found, second = trial.of(chips), compared("light_cnn", world, profile).of(chips)
    size, mean = trial.decoder.config.size, trial.decoder.mean
    real = chips.float() / 255
    points = chip_landmarks(real)
    crop = normal_crop(size)
    faces = align(real, points, crop, padding="border")
    landmarks = apply_transform(crop_transform(points, crop), points)
    inner = slice(size // 6, size - size // 6)  # all of it inside the chip
    parts = {
        "": found.decoded.image,
        "_light_cnn": second.decoded.image,
        "_texture": found.decoded.texture,
        "_landmarks": found.decoded.landmarks,
        "_embedding": found.embeddings,
        "_input": faces[..., inner, inner],
        "_warped": frontalized(faces, landmarks, mean)[..., inner, inner],
    }
    count = len(people.unique())
    rows = [
        Row(f"within_over_between_variance{part}{tail}", None, within_over_between(values, people),
            "", "lower", count)
        for part, values in parts.items()
    ]  # fmt: skip
    return [*rows, *closeness_rows(found, tail)], count


def reproduce_robustness(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Black and white, paint, sunglasses: what comes out, beside what the picture itself gives."""
    start = time.perf_counter()
    trial, rows = shipped("synthetic"), []
    changes = {
        "plain": lambda chips: chips,
        "black_and_white": black_and_white,
        "painted": painted,
        "sunglasses": lambda chips: occlude(chips, "sunglasses", 0.9),
        "mask": lambda chips: occlude(chips, "mask", 0.6),
    }
    for world in worlds():
        test, tail = people_of_test_side(world), suffix(world)
        chosen = first_rows(test, 1, None if profile == "full" else 6)
        chips = test.photos.chips[chosen].float() / 255
        found = {name: shipped(world).of(change(chips)) for name, change in changes.items()}
        for name, one in found.items():
            rows += _changed_rows(one, found["plain"], f"_{name}{tail}", trial)
    some = people_of_test_side("synthetic")
    chips = some.photos.chips[first_rows(some, 1, 2)].float() / 255
    inputs = torch.cat([torch.stack([c(chips)[k] for c in changes.values()]) for k in range(2)])
    result = part_result(
        "normalization/robustness",
        "The model even works on paintings and degraded photographs, and through sunglasses.",
        "One picture each of the people of the test sides, as it is, without colour, painted "
        "(filter of Kuwahara, radius 3), with sunglasses, with a mask from the chin up. "
        "moved: dlib's distance between the decoded face and that of the plain picture; same: "
        "share that the recogniser takes for the same person; mae: mean absolute difference of "
        "pixels. Rows _synthetic: people who do not exist.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, sheet([inputs, trial.of(inputs).decoded.image], ["input", "normalized"])


def _changed_rows(found: Seen, plain: Seen, tail: str, trial) -> list[Row]:
    """How far a change of the picture moved the face."""
    moved = trial.features.encoder.distance(found.embeddings, plain.embeddings)
    same = (moved < trial.features.encoder.threshold).float()
    mae = (found.decoded.image - plain.decoded.image).abs().mean((1, 2, 3))
    rows = [
        mean_row("moved", moved, "", "lower"),
        mean_row("same", same, "fraction", "higher"),
        mean_row("mae", mae, "", "lower"),
    ]
    return [replace(row, name=f"{row.name}{tail}") for row in rows]


EXPERIMENTS: dict[str, Experiment] = {
    "normalization/fig8": reproduce_fig8,
    "normalization/robustness": reproduce_robustness,
}
