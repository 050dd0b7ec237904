"""Figures 1, 2 and 6 to 8 again, on people who do not exist: ``visage reproduce inversion/fig1``.

All descents of a figure start alike and differ in what the figure is about. The paper shows
pictures and gives no numbers for them; the rows here are measurements of ours on the same columns.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.population import people
from visage.faces.shape import MorphableModel
from visage.inversion.colour import ColourStatistics
from visage.inversion.guides import choose_guide
from visage.inversion.objective import ObjectiveConfig
from visage.inversion.pixels import PlainPixels
from visage.inversion.reconstruction_config import PAPER, ReconstructionConfig
from visage.inversion.result import inversion_result
from visage.inversion.spectrum import band_ratio
from visage.inversion.study import Study, faces_found
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.recognition.examples import Examples, synthetic_examples
from visage.sheet import sheet

_SHOWN = 8
_TRAINING_PEOPLE = 200  # whose mean is a guide
_BARE = ObjectiveConfig(guide_weight=0, tv_weight=0)
_ONE_LAYER = ("block_7",)
_TV_WEIGHTS = (1e-1, 3e-2, 1e-2, 1e-3, 1e-4, 1e-5)
_SCALES = (0.5, 1.0, 2.0, 4.0, 8.0)


def _sizes(profile: Profile) -> tuple[int, int]:
    """People and steps."""
    return (16, 200) if profile == "full" else (4, 20)


@lru_cache(maxsize=2)
def _people(study: Study, count: int) -> Examples:
    everybody = synthetic_examples(study.encoder, "test", 100)
    return everybody.chosen(range(count))


def _pictures(examples: Examples) -> Tensor:
    return examples.chips.float() / 255


# The columns of figure 1, from (c): what each adds to the one before it.
_GUIDED = replace(_BARE, guide_weight=0.05, guide_layers=_ONE_LAYER, tv_weight=3e-3)
COLUMNS: dict[str, ReconstructionConfig] = {
    "c": ReconstructionConfig(objective=_BARE, start="noise"),
    "d": ReconstructionConfig(objective=replace(_BARE, tv_weight=3e-3), start="noise"),
    "e": ReconstructionConfig(objective=_GUIDED, start="noise"),
    "f": ReconstructionConfig(objective=_GUIDED, start="guide"),
    "g": ReconstructionConfig(objective=replace(_GUIDED, distance="dot"), start="guide"),
}


def reproduce_fig1(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The seven columns, for people who do not exist."""
    start, (count, steps) = time.perf_counter(), _sizes(profile)
    study = Study.standard()
    subjects = _people(study, count)
    references = replace(study.known.references(), centre=None)
    rows, pictures = [], {}
    for column, config in COLUMNS.items():
        known = references
        if config.objective.distance == "dot":
            # dlib's embeddings all lie on one side of the origin: see `embedding_distance`.
            known = replace(references, centre=study.centre())
        found = study.descend(subjects.embeddings, replace(config, steps=steps), known, seed=seed,
                              pixels=PlainPixels(), name=f"fig1 ({column})")  # fmt: skip
        pictures[column] = found.images
        rows += _column_rows(study, found.images, subjects, f"_{column}")
    guide = references.guide.expand(_SHOWN, -1, -1, -1)
    shown = {"a": guide, "b": _pictures(subjects)} | pictures
    says = {
        "a": "guide", "b": "true face", "c": "noise, ℓ2", "d": "+ TV", "e": "+ guide",
        "f": "start: guide", "g": "dot product",
    }  # fmt: skip
    figure = sheet([shown[name][:_SHOWN] for name in says], [f"({k}) {v}" for k, v in says.items()])
    result = inversion_result(
        "inversion/fig1",
        "Guide and total variation turn noise into a recognisable face; the guide is the better "
        "start, and a dot product is sharper.",
        f"{count} synthetic test people, embeddings of dlib's recogniser (mean of chip and "
        f"mirror), {steps} Adam steps on pixels, no jitter. (c) ‖F(p) − e‖² from noise; (d) with "
        "total variation (α = 2); (e) with the guide's activations at block_7; (f) from the guide; "
        "(g) dot product of centred embeddings. found: dlib's detector sees a face. finest_band: "
        "energy of the finest Laplacian band, in times of photographs'.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


def _column_rows(study: Study, images: Tensor, subjects: Examples, suffix: str) -> list[Row]:
    usual = study.known.references().bands
    grain = band_ratio(images, usual)[0, 0]
    return [
        *study.closeness(images, subjects.embeddings, suffix),
        mean_row(f"found{suffix}", faces_found(images).float(), "fraction", "higher"),
        Row(f"finest_band{suffix}", None, float(grain), "times", None, len(images)),
    ]


def reproduce_fig2(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Two guides for each target, and choosing one by trying (section 3, second remedy)."""
    start, (count, steps) = time.perf_counter(), _sizes(profile)
    study = Study.standard()
    subjects = _people(study, count)
    guides = torch.cat(two_guides(study, seed))
    male = sexes(subjects, seed) > 0.5
    config = replace(PAPER, steps=steps)
    found, rows = [], []
    for guide, name in zip(guides, ("male", "female"), strict=True):
        known = replace(study.known.references(), guide=guide[None])
        made = study.descend(subjects.embeddings, config, known, seed=seed, name=f"fig2 {name}")
        found.append(made.images)
    apart = torch.stack(
        [study.encoder.distance(study.embed(made), subjects.embeddings) for made in found]
    )
    own = torch.where(male, apart[0], apart[1])
    other = torch.where(male, apart[1], apart[0])
    tried = choose_guide(study.encoder, subjects.embeddings, guides, config,
                         study.known.references(), steps=max(steps // 5, 2))  # fmt: skip
    chosen = apart.gather(0, tried.index[None])[0]
    right = ((tried.index == 0) == male).float()
    rows = [
        mean_row("distance_own_sex", own, "", "lower"),
        mean_row("distance_other_sex", other, "", "lower"),
        mean_row("distance_chosen", chosen, "", "lower"),
        mean_row("chosen_own_sex", right, "fraction", "higher"),
        *study.closeness(found[0], subjects.embeddings, "_male_guide"),
        *study.closeness(found[1], subjects.embeddings, "_female_guide"),
    ]
    order = torch.cat([male.nonzero()[:4, 0], (~male).nonzero()[:4, 0]])
    captions = [f"{apart[0][i]:.2f} / {apart[1][i]:.2f}" for i in order]
    figure = sheet(
        [_pictures(subjects)[order], found[0][order], found[1][order]],
        ["(c) true face", "(d) male guide", "(e) female guide"],
        captions=[[], [], captions],
    )
    result = inversion_result(
        "inversion/fig2",
        "A guide of another sex leaves its own features; trying several and keeping the nearest "
        "embedding finds the right one.",
        f"{count} synthetic test people and two guides, the mean faces of {_TRAINING_PEOPLE} "
        f"synthetic training people by sex; {steps} steps of section 5.1's settings. chosen: the "
        f"guide that is nearer after {max(steps // 5, 2)} steps. Sex is the sampler's own label, "
        "above or below its middle. Under the pictures: distance with either guide.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


@lru_cache(maxsize=1)
def two_guides(study: Study, seed: int) -> tuple[Tensor, Tensor]:
    """Mean faces (1, 3, S, S) of male and of female training people who do not exist."""
    some = synthetic_examples(study.encoder, "train", 1000)
    some = some.chosen(range(_TRAINING_PEOPLE))
    male = sexes(some, seed, "train") > 0.5
    return tuple(_pictures(some)[rows].mean(0, keepdim=True) for rows in (male, ~male))


def sexes(examples: Examples, seed: int, split: str = "test") -> Tensor:
    """The sampler's label (N,), 0 female to 1 male, of synthetic people."""
    numbers = [int(name.rsplit("/", 1)[1]) for name in examples.names]
    return people(MorphableModel.load(), 0, numbers, split=split).labels["sex"]


def reproduce_fig6(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The total variation's weight, and the distance by iteration (figs. 6 and 6b)."""
    start, (count, steps) = time.perf_counter(), _sizes(profile)
    study, made, rows = Study.standard(), _tv_sweep(profile, seed), []
    subjects = _people(study, count)
    for weight, found in made.items():
        rows += _column_rows(study, found.images, subjects, f"_tv_{weight:g}")
    figure = _distance_curves({w: f.losses["distance"].mean(1) for w, f in made.items()})
    result = inversion_result(
        "inversion/fig6",
        "More total variation: farther from the target, and yet more recognisable.",
        f"{count} synthetic test people, {steps} Adam steps of section 5.1 (Laplacian "
        "normalised gradients, several guided layers) with a constant total-variation weight, "
        "unclamped pixels as the paper shows them. The figure has the distance by step (6b); the "
        "pictures are in fig7. Rows as in fig1.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


def reproduce_fig7(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The pictures of figure 6, and the first three with brightness and contrast adjusted."""
    start, (count, steps) = time.perf_counter(), _sizes(profile)
    study, made = Study.standard(), _tv_sweep(profile, seed)
    subjects = _people(study, count)
    strongest = [f"tv {weight:g}" for weight in list(made)[:3]]
    rows, changed = [], {}
    for weight, found in made.items():
        images = adjusted(found.images, study.known.references().colours)
        changed[weight] = images
        rows += [
            *study.closeness(images, subjects.embeddings, f"_tv_{weight:g}"),
            mean_row(f"contrast_tv_{weight:g}", found.images.std((1, 2, 3)), "", None),
        ]
    figure = sheet(
        [_pictures(subjects)[:_SHOWN], *(found.images[:_SHOWN] for found in made.values()),
         *(images[:_SHOWN] for images in list(changed.values())[:3])],
        ["true face", *(f"tv {weight:g}" for weight in made), *(f"{n}, adj." for n in strongest)],
    )  # fmt: skip
    result = inversion_result(
        "inversion/fig7",
        "Strong total variation leaves subdued images; adjusted, they are faces.",
        f"The images of fig6 ({count} people, {steps} steps), each with the mean colour and "
        "the contrast of photographs; contrast: standard deviation of an image before that.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


@lru_cache(maxsize=1)
def _tv_sweep(profile: Profile, seed: int):
    count, steps = _sizes(profile)
    study = Study.standard()
    subjects, made = _people(study, count), {}
    for weight in _TV_WEIGHTS:
        objective = replace(PAPER.objective, tv_weight=weight)
        config = replace(PAPER, steps=steps, objective=objective, tv_final=1.0)
        made[weight] = study.descend(subjects.embeddings, config, seed=seed,
                                     pixels=PlainPixels(), name=f"tv {weight:g}")  # fmt: skip
    return made


def adjusted(images: Tensor, usual: ColourStatistics) -> Tensor:
    """Images (B, 3, S, S) with the mean colour of photographs, and their contrast.

    One gain for all channels of an image, so that hues stay.
    """
    mean = images.mean((2, 3), keepdim=True)
    apart = images - mean
    contrast = usual.covariance.trace().div(3).sqrt()
    gain = contrast / apart.std((1, 2, 3), keepdim=True).clamp(min=1e-3)
    return (usual.mean.view(3, 1, 1) + gain * apart).clamp(0, 1)


def _distance_curves(curves: dict[float, Tensor]) -> Figure:
    figure = Figure(figsize=(5.2, 2.8), layout="constrained")
    axes = figure.subplots()
    for weight, curve in curves.items():
        axes.plot(curve.numpy(), label=f"{weight:g}", linewidth=1.4)
    axes.set(xlabel="step", ylabel="distance to the embedding", ylim=(0, None))
    axes.legend(title="TV weight", fontsize=8, ncols=2, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def reproduce_fig8(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The target scaled, beside the dot product."""
    start, (count, steps) = time.perf_counter(), _sizes(profile)
    study = Study.standard()
    subjects = _people(study, count)
    known = replace(study.known.references(), centre=study.centre())
    images, rows = {}, []

    def descend(distance: str, scale: float, name: str) -> Tensor:
        # The pull towards the target is 2s times stronger: it is evened out, so that regularisers
        # weigh alike and only the shape of the loss differs.
        weight = 1 / scale if distance == "l2" else 2.0
        objective = replace(PAPER.objective, distance=distance, target_scale=scale,
                            embedding_weight=weight)  # fmt: skip
        config = replace(PAPER, steps=steps, objective=objective)
        return study.descend(subjects.embeddings, config, known, seed=seed, name=name).images

    dot = descend("dot", 1.0, "fig8 dot")
    for scale in _SCALES:
        images[scale] = descend("l2", scale, f"fig8 {scale:g}")
    for name, made in [*((f"{s:g}", i) for s, i in images.items()), ("dot", dot)]:
        length = (study.embed(made) - study.centre()).norm(dim=1)
        ratio = length / (subjects.embeddings - study.centre()).norm(dim=1)
        difference = (made - dot).abs().mean((1, 2, 3))
        rows += [
            *study.closeness(made, subjects.embeddings, f"_{name}"),
            mean_row(f"length_ratio_{name}", ratio, "times", None),
            mean_row(f"difference_from_dot_{name}", 255 * difference, "grey levels", "lower"),
        ]
    figure = sheet(
        [_pictures(subjects)[:_SHOWN], *(made[:_SHOWN] for made in images.values()), dot[:_SHOWN]],
        ["true face", *(f"s = {scale:g}" for scale in images), "dot"],
    )
    result = inversion_result(
        "inversion/fig8",
        "A scaled target makes the ℓ2 metric's result much like the dot product's.",
        f"{count} synthetic test people, {steps} steps of section 5.1's settings; the target, "
        "centred by the training people's mean, times s, the embedding's term divided by s. "
        "length_ratio: of the centred embedding reached to the unscaled target. "
        "difference_from_dot: mean absolute difference of images.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


EXPERIMENTS: dict[str, Experiment] = {
    "inversion/fig1": reproduce_fig1,
    "inversion/fig2": reproduce_fig2,
    "inversion/fig6": reproduce_fig6,
    "inversion/fig7": reproduce_fig7,
    "inversion/fig8": reproduce_fig8,
}
