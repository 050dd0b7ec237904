"""Cross-validation of expression recognition, with several kinds of neutral faces or none."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from visage.nfgan.errors import ExpressionError
from visage.nfgan.expression_training import (
    RecognitionConfig,
    recognised,
    still_near,
    train_expressions,
    with_seed,
)
from visage.nfgan.expression_tuplets import ExpressionCrops
from visage.nfgan.folds import splits
from visage.nfgan.networks import normalized
from visage.nfgan.pairs import kept
from visage.nfgan.preprocessing import preprocess
from visage.nfgan.sittings import ExpressionFaces

Neutral = Literal["none", "generated", "true", "other"]
"""Whose neutral face: nobody's, the generator's of the query itself, the true one of the query's
person, or the true one of somebody else."""
Place = Literal["in_tuplet", "beside"]
"""Where it goes: into the query's tuplet, as one more negative, in training only (the paper's way);
or beside the query, as a second channel, in training and in testing (ours)."""


@dataclass(frozen=True)
class Arm:
    """One way to recognise expressions."""

    neutral: Neutral = "none"
    place: Place = "in_tuplet"


@dataclass(frozen=True)
class Division:
    """How people are divided, and how often."""

    folds: int
    seeds: tuple[int, ...] = (0, 1, 2)  # each divides people anew, and trains from other weights


@dataclass(frozen=True, eq=False)
class Validated:
    """What networks said of faces of people whom they had not learned from.

    Attributes:
        seen: (S, N) int64, for each seed the expression that each face was taken for.
        labels: (N,) int64, what it was.
        subjects: (N,) int64.
        names: of the expressions.
        near: (S, folds, 2), shares of negatives that were still too near; see `still_near`.
    """

    seen: Tensor
    labels: Tensor
    subjects: Tensor
    names: tuple[str, ...]
    near: Tensor

    @property
    def right(self) -> Tensor:
        """(S, N), 1 where it was right."""
        return (self.seen == self.labels).double()

    def confusion(self) -> Tensor:
        """(classes, classes): of the faces of a row's expression, the share seen as each.

        Over all seeds. A row of an expression that nobody shows is zero.
        """
        classes = len(self.names)
        pairs = (self.labels * classes + self.seen).flatten()
        counts = torch.bincount(pairs, minlength=classes**2).view(classes, classes).double()
        return counts / counts.sum(1, keepdim=True).clamp(min=1)


def neutral_faces(
    faces: ExpressionFaces, kind: Neutral, generator: nn.Module | None = None
) -> Tensor | None:
    """The neutral face that goes with each picture.

    Args:
        faces: N pictures.
        kind: whose.
        generator: of normalized faces; used by "generated" alone.

    Returns:
        (N, 1, 64, 64) in [0, 1], or None for "none".

    Raises:
        ExpressionError: the kind is unknown, or there is no generator for it.
    """
    if kind == "none":
        return None
    if kind == "generated":
        if generator is None:
            raise ExpressionError("generated neutral faces need a generator")
        return normalized(generator, faces.images)
    if kind not in get_args(Neutral):
        raise ExpressionError(
            f"no neutral faces {kind!r}; choose among {', '.join(get_args(Neutral))}"
        )
    # People have no order, so the next one is as good as anybody.
    step = int(kind == "other")
    rows = (faces.subjects + step) % len(faces.neutral)
    return faces.neutral[rows].float() / 255


def cross_validated(
    faces: ExpressionFaces,
    neutral: Tensor | None,
    place: Place,
    division: Division,
    config: RecognitionConfig,
    folder: Path,
) -> Validated:
    """Train on all parts but one, look at that one, for each part and seed.

    Args:
        faces: N pictures of S people.
        neutral: (N, 1, 64, 64) in [0, 1], or None.
        place: where the neutral faces go.
        division: into parts that share nobody.
        config: how expressions are learned; classes and inputs follow from the faces.
        folder: keeps what each network said, so that an interrupted study goes on.
    """
    crops, centres = _prepared(faces, neutral, place)
    shape = replace(config.network, classes=len(faces.names), inputs=centres.shape[1])
    config = replace(config, network=shape)
    key = _digest(crops, config)
    seen = torch.full((len(division.seeds), len(faces)), -1)
    near = torch.zeros(len(division.seeds), division.folds, 2)
    for row, seed in enumerate(division.seeds):
        own = with_seed(config, seed)
        for fold, (learned, tested) in enumerate(splits(faces.subjects, division.folds, seed)):

            def said(own=own, learned=learned, tested=tested) -> dict[str, Tensor]:
                data = crops[learned]
                with tempfile.TemporaryDirectory() as run:
                    network = train_expressions(data, own, Path(run))
                return {
                    "seen": recognised(network, centres[tested]),
                    "near": still_near(network, data, own),
                }

            found = kept(folder / f"{key}-{division.folds}-{seed}-{fold}.safetensors", said)
            seen[row, tested], near[row, fold] = found["seen"], found["near"]
    return Validated(seen, faces.labels, faces.subjects, faces.names, near)


def _prepared(
    faces: ExpressionFaces, neutral: Tensor | None, place: Place
) -> tuple[ExpressionCrops, Tensor]:
    """What to learn from, and the centres (N, inputs, 60, 60) to test on."""
    pictures = faces.images.float() / 255
    crops, centres = (preprocess(pictures, training=training) for training in (True, False))
    joins = None if neutral is None else preprocess(neutral, training=True)
    if neutral is not None and place == "beside":
        crops, joins = torch.cat([crops, joins], 2), None
        centres = torch.cat([centres, preprocess(neutral, training=False)], 1)
    return ExpressionCrops(crops, faces.labels, faces.subjects, joins), centres


def _digest(crops: ExpressionCrops, config: RecognitionConfig) -> str:
    """Changes when pictures, labels or settings do."""
    found = hashlib.sha256(repr(config).encode())
    parts = (crops.crops, crops.neutral, crops.labels, crops.subjects)
    for part in parts:
        if part is not None:
            found.update(part.numpy().tobytes())
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class Margin:
    """By how much one arm is better than another, and how sure that is."""

    mean: float
    low: float  # of the 95% interval
    high: float


def paired_margin(
    pairs: Sequence[tuple[Validated, Validated]], draws: int = 10_000, seed: int = 0
) -> Margin:
    """The difference of two arms' accuracy, with a 95% bootstrap interval over people and seeds.

    Pictures of one person are not independent, nor are the three verdicts on one picture. So each
    draw takes people, with all of their pictures, and seeds, both with replacement; both arms have
    the same people, divisions and seeds.

    Args:
        pairs: for each database, (with, without); their margins are averaged.
        draws: of the bootstrap.
        seed: of it.

    Raises:
        ExpressionError: two arms saw other faces.

    >>> labels, people = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1])
    >>> rest = labels, people, ("sad", "glad"), torch.zeros(1, 2, 2)
    >>> one, none = Validated(labels[None], *rest), Validated(1 - labels[None], *rest)
    >>> paired_margin([(one, none)], draws=100)
    Margin(mean=1.0, low=1.0, high=1.0)
    """
    random = np.random.default_rng(seed)
    means, drawn = [], np.zeros(draws)
    for after, before in pairs:
        if not torch.equal(after.labels, before.labels) or after.seen.shape != before.seen.shape:
            raise ExpressionError("two arms can be compared on the same faces and seeds only")
        gained = (after.right - before.right).numpy()
        people, place = np.unique(after.subjects.numpy(), return_inverse=True)
        each = np.stack([np.bincount(place, row, len(people)) for row in gained])  # (S, people)
        counts = np.bincount(place, minlength=len(people))
        chosen = random.integers(len(people), size=(draws, len(people)))
        runs = random.integers(len(gained), size=(draws, len(gained)))
        weights = np.stack([np.bincount(row, minlength=len(people)) for row in chosen])
        of_seeds = weights @ each.T / (weights @ counts)[:, None]  # (draws, S)
        drawn += np.take_along_axis(of_seeds, runs, 1).mean(1)
        means.append(gained.mean())
    low, high = np.quantile(drawn / len(means), [0.025, 0.975])
    return Margin(float(np.mean(means)), float(low), float(high))
