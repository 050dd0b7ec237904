"""How long training takes, and whether three seeds end alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from matplotlib.figure import Figure

from visage.ledger import Experiment, Profile, Result, Row
from visage.nfgan.experiment import part_result, sample_of
from visage.nfgan.losses import pixel_loss
from visage.nfgan.measures import diversity, generate
from visage.nfgan.study import history, trained, training_seconds

SEEDS = {0: "nfgan_short", 1: "nfgan_seed1", 2: "nfgan_seed2"}

_CURVES = {"perceptual": "perceptual loss", "pixel": "pixel loss",
           "accuracy": "discriminator's accuracy"}  # fmt: skip
_LAST = 0.25  # of the steps, over which a curve's end is averaged
_ALIVE = 0.99  # accuracy at which nothing is left to learn from the discriminator
_DIVERSE = (0.5, 1.5)  # of the true faces' differences among each other
_ALIKE = 0.15  # share by which a seed's error may differ from the middle one's


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        accuracy: of the discriminator, mean over the last quarter of the steps.
        diversity: of faces generated of unseen people, in times of the true ones'.
        pixel_error: on unseen people.
    """

    accuracy: float
    diversity: float
    pixel_error: float


def ending(log: Sequence[Mapping[str, float]], spread: float, error: float) -> Ending:
    """The end of a run from its log and from what its network makes of unseen people."""
    last = log[-max(1, round(_LAST * len(log))) :]
    return Ending(fmean(line["accuracy"] for line in last), spread, error)


def stable(ends: Sequence[Ending]) -> list[bool]:
    """Which runs did not collapse.

    The discriminator has not won (accuracy below 0.99), faces differ among each other as true
    ones do (0.5 to 1.5 times), and the error is within 15 % of the middle run's.

    >>> good, collapsed = Ending(0.8, 0.9, 0.05), Ending(0.8, 0.1, 0.09)
    >>> stable([good, good, collapsed])
    [True, True, False]
    """
    middle = median(end.pixel_error for end in ends)
    low, high = _DIVERSE
    return [
        end.accuracy < _ALIVE
        and low <= end.diversity <= high
        and abs(end.pixel_error - middle) <= _ALIKE * middle
        for end in ends
    ]


def reproduce_training(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Minutes, and three seeds with their curves."""
    start = time.perf_counter()
    sample = sample_of("validation", profile, each=1)
    logs, ends = {}, []
    for number, name in SEEDS.items():
        outputs = generate(trained(name, profile), sample)
        logs[number] = history(name, profile)
        error = float(pixel_loss(outputs, sample.targets).mean())
        ends.append(ending(logs[number], diversity(outputs, sample.targets), error))
    held = stable(ends)
    rows = [
        Row("minutes", None, training_seconds("nfgan", profile) / 60, "min", "lower", None),
        Row("seeds_stable", None, fmean(held), "fraction", "higher", len(held)),
        Row("steps_of_seeds", None, float(logs[0][-1]["step"] + 1), "", None, None),
    ]
    for (number, name), end in zip(SEEDS.items(), ends, strict=True):
        minutes = training_seconds(name, profile) / 60
        rows += [
            Row(f"accuracy_seed{number}", None, end.accuracy, "fraction", None, None),
            Row(f"diversity_seed{number}", None, end.diversity, "times", None, len(sample)),
            Row(f"pixel_error_seed{number}", None, end.pixel_error, "", "lower", len(sample)),
            Row(f"minutes_seed{number}", None, minutes, "min", "lower", None),
        ]  # fmt: skip
    result = part_result(
        "nfgan/training",
        "Training three networks at once is unstable without the perceptual loss, with which it "
        "does not collapse; the checkpoint that is shipped trains on two CPU cores in less than "
        "40 minutes.",
        "minutes: of the shipped network, in the loop, on one core. Three seeds of the same "
        "recipe, shorter (steps_of_seeds). A run is stable "
        f"if the discriminator's accuracy in the last quarter is below {_ALIVE}, the generated "
        f"faces of {len(sample)} validation people differ among each other {_DIVERSE[0]} to "
        f"{_DIVERSE[1]} times as much as the true ones (diversity), and their pixel error is "
        f"within {_ALIKE:.0%} of the middle seed's. The paper gives no time and no spread.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(logs)


def _figure(logs: Mapping[int, Sequence[Mapping[str, float]]]) -> Figure:
    figure = Figure(figsize=(8.4, 2.5), layout="constrained")
    for axes, (key, title) in zip(figure.subplots(1, len(_CURVES)), _CURVES.items(), strict=True):
        for number, log in logs.items():
            found = [(line["step"], line[key]) for line in log if key in line]
            axes.plot(*zip(*found, strict=True), linewidth=1, label=f"seed {number}")
        axes.set(title=title, xlabel="step")
        axes.set_ylim(bottom=0)
    figure.axes[-1].legend(fontsize=7, frameon=False)
    return figure


EXPERIMENTS: dict[str, Experiment] = {"nfgan/training": reproduce_training}
