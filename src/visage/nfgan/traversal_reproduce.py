"""Figure 7: from z of a face to z̃ of its normalized face."""

from __future__ import annotations

import time

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.expressions import EXPRESSIONS
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.nfgan.experiment import part_result, people_of, sample_of
from visage.nfgan.losses import pixel_loss
from visage.nfgan.measures import Sample
from visage.nfgan.pairs import TRAIN, pairs, shown
from visage.nfgan.reconstruction import reconstructing_decoder
from visage.nfgan.study import trained
from visage.nfgan.traversal import Traversal, smoothness, traverse
from visage.sheet import sheet

_STEPS = 9
_SHOWN = ("happiness", "surprise", "anger", "disgust")  # one person each
_FAST_STEPS = 4


def reproduce_fig7(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The way, as the generator draws it and as a decoder does that draws inputs."""
    start = time.perf_counter()
    network = trained("nfgan", profile)
    sample = sample_of("test", profile, each=2)
    learnt = pairs("train", *TRAIN) if profile == "full" else people_of("test", profile)
    decoder = reconstructing_decoder(network, learnt, None if profile == "full" else _FAST_STEPS)
    own = traverse(network, sample.inputs, _STEPS)
    again = traverse(network, sample.inputs, _STEPS, decoder)
    rows = [
        *_rows(own, sample, "_generator"),
        *_rows(again, sample, "_reconstruction"),
        mean_row("latent_distance", (own.end - own.start).norm(dim=1), "", None),
        Row("latent_spread", None, _spread(own.start), "", None, len(sample)),
    ]
    result = part_result(
        "nfgan/fig7",
        "Walking from z of a face to z̃ of its normalized face gives a series of plausible faces "
        "that morph from one to the other, without sharp transitions.",
        f"{len(sample)} pictures of synthetic test people, two of each; {_STEPS} equal steps. "
        "generator: drawn by the generator's decoder, which draws frontal faces at rest of "
        "whatever code. reconstruction: drawn by a decoder of half its width that learnt, on "
        "training people and the same codes, to draw the input again. to_input and to_target: "
        "mean absolute difference of the first and last frame to the input and to the true "
        "normalized face. largest_step: the largest step between frames in times of their mean; "
        f"1 is even, {_STEPS - 1} is one jump. latent_distance: between z and z̃; latent_spread: "
        "between codes of different pictures. The paper has no number.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    few = _shown(profile)
    ways = [traverse(network, few.inputs, _STEPS, one) for one in (decoder, None)]
    return result, _figure(few, *ways)


def _rows(way: Traversal, sample: Sample, tail: str) -> list[Row]:
    first, last = way.frames[:, 0], way.frames[:, -1]
    return [
        mean_row(f"first_to_input{tail}", pixel_loss(first, sample.inputs), "", "lower"),
        mean_row(f"last_to_input{tail}", pixel_loss(last, sample.inputs), "", None),
        mean_row(f"first_to_target{tail}", pixel_loss(first, sample.targets), "", None),
        mean_row(f"last_to_target{tail}", pixel_loss(last, sample.targets), "", "lower"),
        mean_row(f"largest_step{tail}", smoothness(way.frames), "times", "lower"),
    ]


def _spread(codes: Tensor) -> float:
    """Mean distance between two different codes (N, D)."""
    return float(torch.pdist(codes).mean())


def _shown(profile: Profile) -> Sample:
    """A picture of each of a few people, who each show something else."""
    found, names = people_of("test", profile), tuple(EXPRESSIONS)
    rows = []
    for person, name in enumerate(_SHOWN[: len(found.targets)]):
        own = found.person == person
        shows = own & (found.expression == names.index(name))
        rows.append(int((shows if shows.any() else own).nonzero()[0, 0]))
    chosen = torch.tensor(rows)
    return Sample(
        shown(found.inputs[chosen]), shown(found.targets_of(chosen)), found.person[chosen]
    )


def _figure(sample: Sample, again: Traversal, own: Traversal) -> Figure:
    rows, names = [], []
    for place in range(len(sample)):
        for way, name in ((again, "reconstruction"), (own, "generator")):
            row = torch.cat([sample.inputs[place : place + 1], way.frames[place],
                             sample.targets[place : place + 1]])  # fmt: skip
            rows.append(row.expand(-1, 3, -1, -1))
            names.append(name)
    columns = ["input", "z", *[""] * (_STEPS - 2), "z̃", "truth"]
    return sheet(rows, names, columns=columns)


EXPERIMENTS: dict[str, Experiment] = {"nfgan/fig7": reproduce_fig7}
