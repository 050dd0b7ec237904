"""Figures 9 and 10 and table 1: one pass beside many steps; and what both cost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from visage.checkpoints import load_into
from visage.inversion.networks import FaceNetwork, NetworkConfig, parameter_count
from visage.inversion.objective import Objective
from visage.inversion.reconstruct import reconstruct
from visage.inversion.reconstruction_config import ROBUST
from visage.inversion.result import inversion_result
from visage.inversion.study import Study
from visage.inversion.train import BASE, FILTERS, OBJECTIVE
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.photos.jitter import Jitter
from visage.photos.lfw import LFWNotFoundError
from visage.recognition.examples import Examples, synthetic_examples
from visage.recognition.picture_pairs import lfw_pairs
from visage.sheet import sheet

_SHOWN = 8
_MOVES = 8  # over which a loss is averaged, so that it does not hang on one
_PAPER_DOT = {50: 0.75}
_PAPER_RATIO = 1.6


def load_network(filters: int, suffix: str = "") -> FaceNetwork:
    """A shipped network of section 4.1 with L filters.

    Raises:
        CheckpointError: there is none.
    """
    network = FaceNetwork(NetworkConfig(filters=filters, base=BASE))
    load_into(network, f"inversion_network_{filters}{suffix}")
    return network.eval().requires_grad_(False)


@torch.no_grad()
def paint(network: nn.Module, targets: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) of targets (B, dim), some at a time."""
    return torch.cat([network(some) for some in targets.split(32)])


@torch.no_grad()
def losses(study: Study, images: Tensor, targets: Tensor) -> Tensor:
    """L (B,), the mean over fixed moves of the image."""
    jitter, found = Jitter(), []
    for some, wanted in zip(images.split(32), targets.split(32), strict=True):
        objective = Objective(study.encoder, OBJECTIVE, study.known.references(wanted))
        each = [
            objective.evaluate(some, wanted, similarities=jitter.draws([move], 0)).total()
            for move in range(_MOVES)
        ]
        found.append(torch.stack(each).mean(0))
    return torch.cat(found)


def _unseen(study: Study, count: int) -> Examples:
    """People who do not exist, none of them trained on."""
    return synthetic_examples(study.encoder, "test", 100).chosen(range(count))


def _with_photographs(study: Study, people: Examples) -> dict[str, Tensor]:
    """Target embeddings by kind; of photographs where they are."""
    targets = {"": people.embeddings}
    with contextlib.suppress(LFWNotFoundError):
        targets["_lfw"] = lfw_pairs(study.encoder, len(people.names))[0].embeddings
    return targets


def reproduce_table1(profile: Profile, seed: int) -> Result:
    """Filters against loss, distance and dot product."""
    start, count = time.perf_counter(), (100 if profile == "full" else 8)
    study, rows = Study.standard(), []
    kinds = _with_photographs(study, _unseen(study, count))
    for filters in FILTERS:
        network = load_network(filters)
        for kind, targets in kinds.items():
            images = paint(network, targets)
            found = study.closeness(images, targets, f"_{filters}{kind}")
            paper = None if kind else _PAPER_DOT.get(filters)
            rows += [
                replace(row, paper=paper) if row.name == f"normalized_dot_{filters}" else row
                for row in found
            ]
            total = losses(study, images, targets)
            rows.append(mean_row(f"loss_{filters}{kind}", total, "", "lower"))
        rows.append(Row(f"parameters_{filters}", None, parameter_count(network), "", None, None))
    return inversion_result(
        "inversion/table1",
        "More filters serve better, and 50 reach a normalised dot product of 0.75, more than two "
        "photographs of one person (0.6).",
        f"{count} embeddings of synthetic test people, and of {count} LFW test people (rows _lfw) "
        "where the photographs are; none was seen in training. FaceNet's embeddings, the paper's, "
        "spread over a sphere; dlib's lie close to each other, so that normalized_dot is high for "
        "any two faces. normalized_dot_centred takes the mean of the training people out, and is "
        f"the number to compare. loss: the training objective, mean over {_MOVES} moves.",
        profile=profile, seed=seed, start=start, rows=(*rows, *_real_pairs(study)),
    )  # fmt: skip


def _real_pairs(study: Study) -> tuple[Row, ...]:
    """What two photographs of one person have, in the same numbers."""
    try:
        first, second = lfw_pairs(study.encoder)
    except LFWNotFoundError:
        return ()
    centred = [examples.embeddings - study.centre() for examples in (first, second)]
    dot = nn.functional.cosine_similarity(first.embeddings, second.embeddings)
    same = nn.functional.cosine_similarity(*centred)
    others = nn.functional.cosine_similarity(centred[0], centred[1].roll(1, 0))
    plain = nn.functional.cosine_similarity(first.embeddings, second.embeddings.roll(1, 0))
    return (
        mean_row("normalized_dot_two_photographs", dot, "", None, paper=0.6),
        mean_row("normalized_dot_centred_two_photographs", same, "", None, paper=0.6),
        mean_row("normalized_dot_two_people", plain, "", None),
        mean_row("normalized_dot_centred_two_people", others, "", None),
    )


def reproduce_fig9(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Faces of people that the networks have never seen, by filters."""
    start, count = time.perf_counter(), (100 if profile == "full" else 8)
    study = Study.standard()
    people, rows, shown = _unseen(study, count), [], []
    networks = {f"{filters} filters": load_network(filters) for filters in FILTERS}
    for name, network in networks.items():
        images = paint(network, people.embeddings)
        table = study.encoder.distance(study.embed(images)[:, None], people.embeddings[None])
        first = (table.argmin(1) == torch.arange(count)).float()
        rows += [
            *study.closeness(images, people.embeddings, f"_{name.split()[0]}"),
            mean_row(f"identified_{name.split()[0]}", first, "fraction", "higher"),
        ]
        shown.append(images[:_SHOWN])
    result = inversion_result(
        "inversion/fig9",
        "The network's faces look alike, and yet each is recognised as its own person.",
        f"{count} synthetic test people, none seen in training; identified: the nearest of the "
        f"{count} embeddings is the right one.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    chips = people.chips[:_SHOWN].float() / 255
    return result, sheet([chips, *shown], ["true face", *networks])


def reproduce_fig10(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The loss of one pass against the loss after a descent, embedding by embedding."""
    full = profile == "full"
    start, (count, steps) = time.perf_counter(), ((100, 200) if full else (8, 20))
    study = Study.standard()
    people = _unseen(study, count)
    targets = people.embeddings
    config = replace(ROBUST, objective=OBJECTIVE, steps=steps)
    made = study.descend(targets, config, study.known.references(targets), seed=seed,
                         pixels=study.known.pixels(), name="fig10")  # fmt: skip
    painted = paint(load_network(FILTERS[-1]), targets)
    iterative = losses(study, made.images, targets)
    forward = losses(study, painted, targets)
    ratio = float(forward.mean() / iterative.mean())
    correlation = float(torch.corrcoef(torch.stack([iterative, forward]))[0, 1])
    rows = [
        Row("loss_ratio", _PAPER_RATIO, ratio, "times", "lower", count),
        mean_row("loss_iterative", iterative, "", "lower"),
        mean_row("loss_feedforward", forward, "", "lower"),
        Row("correlation", None, correlation, "", None, count),
        *study.closeness(made.images, targets, "_iterative"),
        *study.closeness(painted, targets, "_feedforward"),
    ]
    result = inversion_result(
        "inversion/fig10",
        "The network's loss is 1.6 times that of the descent, whose embeddings are nearer.",
        f"{count} synthetic test people; {steps} steps of the descent with the very objective that "
        f"the network of {FILTERS[-1]} filters was trained with; both losses without the descent's "
        f"luck: mean over {_MOVES} moves that neither has seen.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _scatter(iterative, forward)


def _scatter(iterative: Tensor, forward: Tensor) -> Figure:
    figure = Figure(figsize=(3.6, 3.4), layout="constrained")
    axes = figure.subplots()
    top = 1.05 * float(torch.maximum(iterative, forward).max())
    axes.plot([0, top], [0, top], color="0.6", linewidth=1)
    axes.plot(iterative, forward, "o", markersize=4, alpha=0.7, color="#0072b2")
    axes.set(xlabel="loss after the descent", ylabel="loss of one pass", xlim=(0, top),
             ylim=(0, top), aspect="equal")  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def reproduce_speed(profile: Profile, seed: int) -> Result:
    """Milliseconds an image and a step: a plain loop, a batch, half precision, and one pass."""
    start, rounds = time.perf_counter(), (5 if profile == "full" else 1)
    study, threads = Study.standard(), torch.get_num_threads()
    batch, steps = 16, 10
    targets = _unseen(study, batch).embeddings
    torch.set_num_threads(1)
    try:
        rows = _speed_rows(study, targets, steps, rounds)
    finally:
        torch.set_num_threads(threads)
    return inversion_result(
        "inversion/speed",
        "A descent takes hundreds or thousands of steps; a network reconstructs in real time.",
        f"One thread, {batch} targets, the best of {rounds} rounds, all alternating. loop: images "
        f"one by one, in the usual memory layout; batched: together, channels last; half: the same "
        f"with the encoder in bfloat16. Milliseconds of a step are of {steps} steps; "
        f"iterative_ms_per_image is of the {ROBUST.steps} steps of `ROBUST`. Objective: ROBUST "
        "without jitter, whose guides one image at a time would be embedded anew.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip


def _speed_rows(study: Study, targets: Tensor, steps: int, rounds: int) -> list[Row]:
    batch, pixels, known = len(targets), study.known.pixels(), study.known.references()
    config = replace(ROBUST, steps=steps, jitter=None)
    plain = replace(config, channels_last=False)
    half = replace(config, objective=replace(config.objective, precision="bfloat16"))

    def run(some: Tensor, how) -> None:
        reconstruct(study.encoder, some, how, known, pixels=pixels)

    network = load_network(FILTERS[-1])
    calls: dict[str, Callable[[], object]] = {
        "loop": lambda: [run(target, plain) for target in targets[:4].split(1)],
        "batched": lambda: run(targets, config),
        "half": lambda: run(targets, half),
        "network": lambda: network(targets),
    }
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds + 1):  # the first warms up, and never is the best
        for name, call in calls.items():
            before = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - before)
    step = {
        "loop": 1e3 * best["loop"] / (4 * steps),
        "batched": 1e3 * best["batched"] / (batch * steps),
        "half": 1e3 * best["half"] / (batch * steps),
    }
    once = 1e3 * best["network"] / batch
    whole = ROBUST.steps * step["batched"]
    return [
        Row("loop_ms_per_step", None, step["loop"], "ms", "lower", 4),
        Row("iterative_ms_per_step", None, step["batched"], "ms", "lower", batch),
        Row("half_ms_per_step", None, step["half"], "ms", "lower", batch),
        Row("iterative_ms_per_image", None, whole, "ms", "lower", batch),
        Row("feedforward_ms_per_image", None, once, "ms", "lower", batch),
        Row("speedup_over_loop", None, step["loop"] / step["batched"], "times", "higher", batch),
        Row("speedup_half", None, step["loop"] / step["half"], "times", "higher", batch),
        Row("speedup_feedforward", None, whole / once, "times", "higher", batch),
    ]


EXPERIMENTS: dict[str, Experiment] = {
    "inversion/fig9": reproduce_fig9,
    "inversion/fig10": reproduce_fig10,
    "inversion/table1": reproduce_table1,
    "inversion/speed": reproduce_speed,
}
