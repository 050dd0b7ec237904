"""Do reconstructions fool a recogniser that they were not made for? And which defence holds?"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.inversion.defences import Defence, Noise, Nothing, Quantised, Rotated
from visage.inversion.feedforward_reproduce import load_network, paint
from visage.inversion.reconstruction_config import PAPER, ROBUST
from visage.inversion.result import inversion_result
from visage.inversion.spectrum import band_ratio, mean_band_energy
from visage.inversion.study import Study
from visage.inversion.train import FILTERS
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.photos.lfw import LFWNotFoundError
from visage.recognition.acceptance import Bench
from visage.recognition.examples import Examples
from visage.recognition.judge import Judge, OneJudge, load_judge
from visage.recognition.picture_pairs import DEVELOPMENT, judged_pairs, synthetic_pairs
from visage.recognition.verification import tar_at_far
from visage.sheet import sheet

_PUBLISHED = {"type1_far_1e-3": 0.952, "type2_far_1e-3": 0.581}  # NBNet, Mai et al. 2019, LFW
_PAPER_STEPS = 120
_SHOWN = 8
_PATCH = 100  # pixels a side whose statistics are compared; the rest of a chip is background


def robust_images(study: Study, targets: Tensor, steps: int, seed: int) -> Tensor:
    """Reconstructions (B, 3, S, S) that are moved at every step, each from its expected face."""
    # Half precision moves no rate by more than chance, and takes half the time.
    objective = replace(ROBUST.objective, precision="bfloat16")
    config = replace(ROBUST, steps=steps, objective=objective)
    return study.descend(targets, config, study.known.references(targets), seed=seed,
                         pixels=study.known.pixels(), name="robust").images  # fmt: skip


def reproduce_foreign_judge(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Type I and II before a recogniser of another architecture, trained on other people."""
    full = profile == "full"
    start, (count, steps) = time.perf_counter(), ((100, ROBUST.steps) if full else (40, 10))
    study = Study.standard()
    judge = load_judge()
    rows, protocol = [], ""
    try:
        source, other = judged_pairs(study.encoder, None if full else count)
        rows = _attacks(study, judge, source, other, steps, seed, "")
        protocol = (
            f"{len(source.names)} people of LFW's test side with two photographs (deep-funneled), "
            f"without the first {DEVELOPMENT} by name, on whom settings were chosen: the "
            "embedding of the first photograph is inverted. "
        )
    except LFWNotFoundError:
        pass
    source, other = synthetic_pairs(study.encoder, count, seed)
    images = {}
    rows += _attacks(study, judge, source, other, steps, seed, "_synthetic", images)
    result = inversion_result(
        "inversion/foreign_judge",
        "Published attacks on LFW at a false-accept rate of 0.1 %: NBNet 95.2 % (type I) and "
        "58.1 % (type II); a mapping to StyleGAN2 46.1 % and 18.3 %.",
        f"{protocol}Rows _synthetic: {count} synthetic test people, two pictures each. type1: the "
        "image against that photograph; type2: against the other one. The judge (a Light CNN, and "
        "patches of patterns and gradients with joint Bayesian, weighed together, and in the "
        "rows _light_cnn and _patches each alone; see recognition/light_cnn) was "
        "trained on other people and took no part in any attack; its thresholds are set on all "
        "pairs of different people among these photographs. real_pairs: two photographs of one "
        "person, which it accepts so often. "
        f"robust (no suffix): {steps} steps from the expected face, moved at every step; paper: "
        f"{_PAPER_STEPS} steps of section 5.1's settings from the mean face; network: one "
        "pass, 50 filters; expected: the guide alone. bands: energies of an image's Laplacian "
        f"bands within {_PATCH} pixels of the middle, finest first, in times of the source "
        "photographs'. "
        "Published rates are of other recognisers and protocols.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    chips = source.chips[:_SHOWN].float() / 255
    shown = [made[:_SHOWN] for made in images.values()]
    return result, sheet([chips, *shown], ["true face", *images])


def _attacks(
    study: Study, judge: Judge, source: Examples, other: Examples, steps: int, seed: int,
    suffix: str, images: dict[str, Tensor] | None = None,
) -> list[Row]:  # fmt: skip
    bench = Bench.of(judge, source.chips, other.chips)
    targets = source.embeddings
    attacks = {
        "robust": lambda: robust_images(study, targets, steps, seed),
        "paper": lambda: (
            study.descend(targets, replace(PAPER, steps=min(steps, _PAPER_STEPS)), seed=seed).images
        ),
        "network": lambda: paint(load_network(FILTERS[-1]), targets),
        "expected": lambda: paint(study.known, targets),
    }
    rows = bench.real_rows(suffix)
    alone = {
        by: Bench.of(OneJudge(judge, by), source.chips, other.chips)
        for by in ("light_cnn", "patches")
    }
    for by, one in alone.items():
        rows += one.real_rows(f"_{by}{suffix}")
    for name, attack in attacks.items():
        made = attack()
        if images is not None:
            images[name] = made
        tail = ("" if name == "robust" else f"_{name}") + suffix
        passed = bench.rows(made, tail)
        if not tail:
            passed = [replace(row, paper=_PUBLISHED.get(row.name)) for row in passed]
        rows += [*passed, *study.closeness(made, targets, tail)]
        if name == "robust":
            for by, one in alone.items():
                rows += one.rows(made, f"_{by}{suffix}")
        reached = study.encoder.distance(study.embed(made), other.embeddings)
        rows.append(mean_row(f"distance_to_other{tail}", reached, "", "lower"))
        rows += _band_rows(made, source.chips, tail)
    return rows


def _band_rows(images: Tensor, chips: Tensor, tail: str) -> list[Row]:
    inner = slice((images.shape[-1] - _PATCH) // 2, (images.shape[-1] + _PATCH) // 2)
    photographs = [chips[..., inner, inner].float() / 255]
    ratio = band_ratio(images[..., inner, inner], mean_band_energy(photographs))
    return [
        Row(f"band_{band}{tail}", None, float(value), "times", None, len(images))
        for band, value in enumerate(ratio)
    ]


def reproduce_defences(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Recognition with what is stored, against what a thief makes of it."""
    full = profile == "full"
    start, (count, steps) = time.perf_counter(), ((64, 80) if full else (40, 5))
    study, judge = Study.standard(), load_judge()
    source, other = _someone(study, count, seed)
    bench = Bench.of(judge, source.chips, other.chips)
    rows, points = [], {}
    for name, defence in defences(study, seed).items():
        stored = defence.stored(source.embeddings)
        fresh = other.embeddings
        if not isinstance(defence, Noise):  # noise is on what is stored alone
            fresh = defence.stored(fresh)
        table = (stored[:, None] - fresh[None]).norm(dim=2)
        same = torch.eye(count, dtype=torch.bool).flatten().numpy()
        kept = tar_at_far(table.flatten().numpy(), same, 0.01).tar
        guess = defence.guessed(stored)
        made = robust_images(study, guess, steps, seed)
        passed = bench.accepted(made)
        own = study.encoder.distance(study.embed(made), other.embeddings)
        inside = (own < study.encoder.threshold).float()
        rows += [
            Row(f"recognition_{name}", None, float(kept), "fraction", "higher", count),
            Row(f"type1_{name}", None, float(passed["type1_far_1e-2"].mean()), "fraction", "lower",
                count),
            Row(f"type2_{name}", None, float(passed["type2_far_1e-2"].mean()), "fraction", "lower",
                count),
            mean_row(f"own_type2_{name}", inside, "fraction", "lower"),
        ]  # fmt: skip
        points[name] = (kept, float(passed["type2_far_1e-2"].mean()))
    result = inversion_result(
        "inversion/defences",
        "The paper names no defence; an embedding that recognises people shows them.",
        f"{count} people of LFW's test side (synthetic ones without it), two pictures each. "
        "recognition: share of own pairs accepted at a false-accept rate of 1 % with what is "
        "stored (for noise: a noisy template against a clean one). type1, type2: the thief's "
        f"reconstructions ({steps} steps from the expected face) before the foreign judge at 1 %, "
        "against the source and the other picture; own_type2: before the attacked recogniser at "
        "its usual threshold, against the other picture. noise_r: standard deviation r times the "
        "spread of a component; bits: even steps over 3 spreads; rotation: secret, unknown to the "
        "thief, and with 50 or 200 known pairs of plain and turned vectors, drawn from a Gaussian "
        "as wide as embeddings are.",
        profile=profile, seed=seed, start=start, rows=(*rows, *bench.real_rows()),
    )  # fmt: skip
    return result, _trade(points)


def _someone(study: Study, count: int, seed: int) -> tuple[Examples, Examples]:
    try:
        return judged_pairs(study.encoder, count)
    except LFWNotFoundError:
        return synthetic_pairs(study.encoder, count, seed)


def defences(study: Study, seed: int) -> dict[str, Defence]:
    """What is compared, from nothing to a secret rotation."""
    centre, spread = study.centre(), float(study.known.input.spread)
    secret = Rotated(centre, seed)
    generator = torch.Generator().manual_seed(seed)
    # People like those that the thief may have: the spread's own Gaussian around the mean.
    plain = centre + spread * torch.randn(200, len(centre), generator=generator)
    turned = secret.stored(plain)
    return {
        "none": Nothing(),
        **{f"noise_{r:g}": Noise(r, centre, spread, seed) for r in (0.5, 1.0, 2.0)},
        "bits_8": Quantised(8, centre, spread),
        "bits_2": Quantised(2, centre, spread),
        "bits_1": Quantised(1, centre, spread),
        "rotation": secret,
        "rotation_known_50": replace(secret, known=(plain[:50], turned[:50])),
        "rotation_known_200": replace(secret, known=(plain, turned)),
    }


def _trade(points: dict[str, tuple[float, float]]) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    top = 1.25 * max(leaked for _, leaked in points.values())
    places: dict[tuple[float, float], list[str]] = {}
    for name, point in points.items():
        # Defences that fare alike share a label.
        near = next((at for at in places if max(map(abs, _apart(at, point, top))) < 0.04), point)
        places.setdefault(near, []).append(name.replace("_", " "))
    for (kept, leaked), names in places.items():
        axes.annotate(", ".join(names), (kept, leaked), fontsize=7, xytext=(-5, 4), ha="right",
                      textcoords="offset points")  # fmt: skip
    axes.plot(*zip(*points.values(), strict=True), "o", color="#0072b2", markersize=5)
    axes.set(xlabel="recognition with what is stored", ylabel="thief accepted (type II)",
             xlim=(0, 1.03), ylim=(-0.03 * top, top))  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _apart(a: tuple[float, float], b: tuple[float, float], top: float) -> tuple[float, float]:
    """How far two points are apart, in shares of the axes."""
    return a[0] - b[0], (a[1] - b[1]) / top


EXPERIMENTS: dict[str, Experiment] = {
    "inversion/foreign_judge": reproduce_foreign_judge,
    "inversion/defences": reproduce_defences,
}
