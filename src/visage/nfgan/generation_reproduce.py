"""Figures 1 and 3: what is generated of faces, and by which networks."""

from __future__ import annotations

import time

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.expressions import EXPRESSIONS
from visage.ledger import Experiment, Profile, Result, Row
from visage.nfgan.experiment import (
    measure_rows,
    part_result,
    people_of,
    sample_of,
)
from visage.nfgan.measures import (
    Sample,
    embedded,
    generate,
    measure,
    within_over_between,
)
from visage.nfgan.study import trained
from visage.sheet import sheet

_GROUPS = 3  # of figure 1
_SHOWN = 8
_COMPARED = {"nfgan": "nfgan_short", "without_identity": "nfgan_no_identity",
             "autoencoder": "nfgan_autoencoder", "shipped": "nfgan"}  # fmt: skip


def reproduce_fig1(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Each expression of a few people, and the one face that should come of them."""
    start = time.perf_counter()
    sample = sample_of("test", profile)
    outputs = generate(trained("nfgan", profile), sample)
    # A mirrored input has a mirrored output: upright again, all of a person's should be one face.
    flipped = people_of("test", profile).flipped
    upright = _mirrored(outputs, flipped)
    inputs = _mirrored(sample.inputs, flipped)
    rows = [
        Row(f"within_over_between_{name}", None, within_over_between(faces, sample.person), "",
            "lower", len(sample))
        for name, faces in (
            ("inputs", inputs),
            ("outputs", upright),
            ("inputs_embedded", embedded(inputs)),
            ("outputs_embedded", embedded(upright)),
        )
    ]  # fmt: skip
    result = part_result(
        "nfgan/fig1",
        "A face with any expression, seen from nearly in front, is turned into the frontal and "
        "neutral face of the same person.",
        f"{len(sample)} pictures of {len(set(sample.person.tolist()))} synthetic test people: one "
        "of each expression, yaw to 45 degrees, everyday light, glasses as people have them. "
        "within_over_between: variance of one person's faces over the variance of people's mean "
        "faces, of pixels and of dlib's embeddings; 0 if all of a person's pictures become one "
        "face. The paper shows CK+, MMI and Oulu-CASIA and has no number.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _expressions_sheet(people_of("test", profile).expression, sample, outputs)


def _expressions_sheet(expression: Tensor, sample: Sample, outputs: Tensor) -> Figure:
    """Pairs of rows: a person's expressions, and what was generated of each; then the truth.

    As the network takes them: the side that is turned away is on the right.
    """
    names = tuple(EXPRESSIONS)
    rows, labels = [], []
    for person in range(min(_GROUPS, int(sample.person.max()) + 1)):
        mine = (sample.person == person).nonzero()[:, 0]
        mine = mine[expression[mine].argsort()]
        rows += [
            _grey(sample.inputs[mine]),
            _grey(torch.cat([outputs[mine], sample.targets[mine[:1]]])),
        ]
        labels += ["input", "generated"]
    columns = [names[place] for place in expression[mine].sort().values]
    return sheet(rows, labels, columns=[*columns, "(truth)"])


def reproduce_fig3(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """With and without the identity loss, and an autoencoder with a pixel loss alone."""
    start = time.perf_counter()
    sample = sample_of("test", profile, each=2)
    found = {name: generate(trained(recipe, profile), sample) for name, recipe in _COMPARED.items()}
    known = embedded(sample.inputs)
    rows = [
        row
        for name, outputs in found.items()
        for row in measure_rows(measure(outputs, sample, known), f"_{name}")
    ]
    rows += measure_rows(measure(sample.targets, sample, known), "_targets")
    result = part_result(
        "nfgan/fig3",
        "The difference of models with and without the identity-preserving loss is subtle in "
        "appearance; the autoencoder's faces are blurred.",
        f"{len(sample)} pictures of synthetic test people, two of each. Three networks of one "
        "shape, trained equally long: all five losses, without the identity loss, and the "
        "autoencoder (pixel loss alone); and the shipped one, all five losses, trained longer. "
        "identity_distance: dlib's, output to input; the other errors to the true normalized "
        "face; sharpness: energy of the Laplacian of the inner face, in times of the true "
        "face's. Rows _targets: the true faces themselves.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    first = torch.arange(0, len(sample), max(1, len(sample) // _SHOWN))[:_SHOWN]
    pictures = [sample.inputs, sample.targets, *found.values()]
    names = ["input", "target", "NFGAN", "without identity", "autoencoder", "NFGAN, longer"]
    return result, sheet([_grey(some[first]) for some in pictures], names)


def _mirrored(faces: Tensor, flipped: Tensor) -> Tensor:
    return torch.where(flipped[:, None, None, None], faces.flip(-1), faces)


def _grey(faces: Tensor) -> Tensor:
    return faces.expand(-1, 3, -1, -1)


EXPERIMENTS: dict[str, Experiment] = {
    "nfgan/fig1": reproduce_fig1,
    "nfgan/fig3": reproduce_fig3,
}
