"""The ablation that the paper does not have: every subset of the five losses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import fmean

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from visage.ledger import Experiment, Profile, Result, Row
from visage.nfgan.discrimination import fresh_accuracy
from visage.nfgan.experiment import part_result, sample_of
from visage.nfgan.identification import rank_one
from visage.nfgan.losses import LETTERS, TERMS
from visage.nfgan.measures import Measures, Sample, embedded, generate, measure
from visage.nfgan.study import trained
from visage.nfgan.train import SUBSETS, subset_name
from visage.sheet import sheet

_MEASURES = (*Measures.names(), "identified", "realism", "told_apart")
_BETTER = {"sharpness": None, "identified": "higher", "realism": "higher"}
_UNITS = {"sharpness": "times", "identified": "fraction", "realism": "", "told_apart": "fraction"}
_FEW = ("p", "ai", "psaix")  # of a fast run
_EACH = 1  # picture of a person
_ACROSS = 8  # pictures in a row of the figure


def measured_subset(
    outputs: Tensor, sample: Sample, known: Tensor, gallery: Tensor, judge: nn.Module, *, steps: int
) -> dict[str, float]:
    """All measures of the faces of one generator, each a mean.

    Args:
        outputs: (N, 1, 64, 64).
        sample: the N faces that they are of.
        known: (N, D), embeddings of the inputs.
        gallery: (P, D), of the true face of each person.
        judge: a discriminator.
        steps: that a fresh discriminator learns for.
    """
    reached = embedded(outputs)
    found = measure(outputs, sample, known, reached)
    means = {name: float(getattr(found, name).mean()) for name in Measures.names()}
    nearest = rank_one(reached, sample.person, gallery, torch.arange(len(gallery)))
    with torch.no_grad():
        realism = torch.cat([judge.probability(some) for some in outputs.split(64)])
    return means | {
        "identified": float(nearest.float().mean()),
        "realism": float(realism.mean()),
        "told_apart": fresh_accuracy(sample.targets, outputs, sample.person, steps=steps),
    }


def effects(table: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    """What adding a loss to a subset changes, in the mean over all subsets that it can join.

    Args:
        table: means by subset and measure.

    Returns:
        By letter and measure; a letter without a pair of subsets in the table is left out.

    >>> effects({"p": {"error": 3.0}, "px": {"error": 1.0}})
    {('x', 'error'): -2.0}
    """
    found = {}
    for letter in LETTERS:
        joined = [
            (subset, subset.replace(letter, ""))
            for subset in table
            if letter in subset and subset.replace(letter, "") in table
        ]
        if joined:
            for name in table[joined[0][0]]:
                found[letter, name] = fmean(
                    table[more][name] - table[fewer][name] for more, fewer in joined
                )
    return found


def reproduce_loss_subsets(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """31 small generators, each trained with some of the five losses."""
    start = time.perf_counter()
    subsets = SUBSETS if profile == "full" else _FEW
    steps = 120 if profile == "full" else 2
    sample = sample_of("test", profile, each=_EACH)
    known = embedded(sample.inputs)
    gallery = embedded(sample.targets[::_EACH])
    judge = trained("nfgan", profile).discriminator
    outputs, table = {}, {}
    for subset in subsets:
        outputs[subset] = generate(trained(subset_name(subset), profile), sample)
        table[subset] = measured_subset(outputs[subset], sample, known, gallery, judge, steps=steps)
    table["targets"] = measured_subset(sample.targets, sample, known, gallery, judge, steps=steps)
    rows = [
        Row(f"{name}_{subset}", None, values[name], _UNITS.get(name, ""),
            _BETTER.get(name, "lower"), len(sample))
        for subset, values in table.items()
        for name in _MEASURES
    ]  # fmt: skip
    rows += [
        Row(f"effect_of_{TERMS[LETTERS.index(letter)]}_on_{name}", None, value,
            _UNITS.get(name, ""), None, None)
        for (letter, name), value in effects(table).items()
    ]  # fmt: skip
    result = part_result(
        "nfgan/loss_subsets",
        "Each of the five losses has its work: the perceptual loss structure, the symmetry loss "
        "what is hidden, the adversarial loss sharpness, the identity loss likeness, and the pixel "
        "loss stability.",
        f"Small generators of one shape (half of the tables' filters), trained equally long with "
        "each subset of the losses, named by letters: p(erceptual), s(ymmetry), a(dversarial), "
        f"i(dentity), pi(x)el. {len(sample)} pictures of synthetic test people, one of each. "
        "identity_distance: dlib's, to the input; identified: the true face that is nearest to the "
        "generated one, of all test people's, is the person's; pixel, perceptual error: to the "
        "true face; sharpness: energy of the Laplacian, in times of the true face's; realism: "
        "probability that the shipped generator's discriminator gives; told_apart: right answers "
        "of a fresh discriminator on unseen people, 0.5 where it can tell nothing. Rows _targets: "
        "the true faces. effect_of: mean change by adding the loss to the subsets without it. The "
        "claim is the paper's reasoning (section 4); it has no such table.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(outputs, sample)


def _figure(outputs: Mapping[str, Tensor], sample: Sample) -> Figure:
    """The same two people by every generator, after the input and before the truth."""
    rows, captions = [], []
    for place in (0, len(sample) - 1):
        cells = {"input": sample.inputs[place], "truth": sample.targets[place]}
        cells |= {subset: faces[place] for subset, faces in outputs.items()}
        names = list(cells)
        for start in range(0, len(names), _ACROSS):
            some = names[start : start + _ACROSS]
            rows.append(torch.stack([cells[name] for name in some]).expand(-1, 3, -1, -1))
            captions.append(some)
    return sheet(rows, [""] * len(rows), captions=captions)


EXPERIMENTS: dict[str, Experiment] = {"nfgan/loss_subsets": reproduce_loss_subsets}
