"""Figures 12 and 13: the two user studies, rated by nobody yet.

Stimuli, trials and analysis are real; the raters are simulated, and every number of theirs says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from visage.ledger import Experiment, Profile, Result, Row
from visage.texture.simulated_raters import REAL_CALLED_REAL, Gaps, Raters, simulate_a, simulate_b
from visage.texture.study import part_result
from visage.texture.study_analysis import (
    PositiveRates,
    box_plot,
    positive_rates,
    preferences,
    without_outliers,
)
from visage.texture.study_answers import Answer
from visage.texture.study_stimuli import Stimuli, load_stimuli, read_words
from visage.texture.user_study import TRUTH, trials_a, trials_b

_RATERS = {"fast": (20, 20), "full": (150, 100)}  # of studies A and B; the paper's in full
_PAPER_OVER = {"ours/truth": 0.56, "truth/worst": 0.74, "ours/worst": 0.72}
_PAPER_CLEANED = 0.57  # ours over the truth, without the raters who prefer the worst


def reproduce_user_study(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Both studies with simulated raters."""
    start, stimuli = time.perf_counter(), load_stimuli()
    gaps, (many, some) = Gaps.of(stimuli), _RATERS[profile]
    ours, worst = stimuli.makers_b[0], stimuli.makers_b[-1]
    kind = Raters.as_keen_as(gaps, TRUTH, worst, _PAPER_OVER["truth/worst"])
    first = simulate_a(gaps, stimuli.makers_a, many, seed, kind)
    second = simulate_b(gaps, stimuli.makers_b, some, seed, kind)
    rates = positive_rates(first)
    halves = stimuli.people_a * (2 + len(stimuli.makers_a))
    faces = stimuli.people_b * stimuli.poses * len(stimuli.makers_b)
    rows = [
        Row("stimuli/a", None, halves, "halves", None, stimuli.people_a),
        Row("stimuli/b", None, faces, "faces", None, stimuli.people_b),
        Row("trials/a", None, len(trials_a(stimuli.people_a, stimuli.makers_a, seed)), "a round",
            None, None),
        Row("trials/b", None,
            len(trials_b(stimuli.people_b, stimuli.poses, stimuli.makers_b, seed)), "a round",
            None, None),
        Row("raters_who_are_people", None, 0, "", None, None),
        Row("simulated_raters/a", 150, many, "", None, None),
        Row("simulated_raters/b", 100, some, "", None, None),
        *_rate_rows(rates, stimuli),
        *_preference_rows(second, ours, worst),
        _recovery_row(rates, gaps, kind),
    ]  # fmt: skip
    result = part_result(
        "texture/userstudy",
        "Raters call renderings of the convex combination real more often than those of the "
        "other methods, and cannot tell it from a Light Stage's capture.",
        f"Nobody has rated anything here. Study A: {stimuli.people_a} synthetic test people, a "
        "photograph each, blurred by a Gaussian of five pixels; "
        f"{', '.join(stimuli.names[name] for name in stimuli.makers_a)}, put back into the "
        "photograph with its own light; two halves that have changed places. Study B: "
        f"{stimuli.people_b} others, {stimuli.poses} poses, light from everywhere, pairs of "
        f"{', '.join(stimuli.names[name] for name in stimuli.makers_b)}. {read_words()['note']}. "
        "simulated: answers of "
        f"{many} and {some} raters of a signal-detection model, one round each, who feel how far "
        "the energies of three bands are from the truth's. Two of its numbers are the paper's: "
        "how often true halves are called real, and how often the truth is preferred to the "
        "worst of three; the others follow from the pictures, and say nothing of people. "
        "analysis_error: mean distance of the analysed rates from those that the model was made "
        "to have, which tests the analysis.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    order = (TRUTH, *stimuli.makers_a)
    return result, box_plot(rates, order, stimuli.names)


def _rate_rows(rates: Mapping[str, PositiveRates], stimuli: Stimuli) -> list[Row]:
    rows = []
    for name in (TRUTH, *stimuli.makers_a):
        if name in rates:
            found, paper = rates[name], REAL_CALLED_REAL if name == TRUTH else None
            rows += [
                Row(f"simulated/called_real/{name}", paper, found.mean, "fraction", None,
                    found.answers),
                Row(f"simulated/called_real_median/{name}", None, found.median, "fraction", None,
                    len(found.people)),
            ]  # fmt: skip
    return rows


def _preference_rows(answers: list[Answer], ours: str, worst: str) -> list[Row]:
    pairs = {
        "ours/truth": (ours, TRUTH),
        "truth/worst": (TRUTH, worst),
        "ours/worst": (ours, worst),
    }
    found = preferences(answers, list(pairs.values()))
    rows = [
        Row(f"simulated/prefer/{name.replace('/', '_over_')}", _PAPER_OVER[name], one.share,
            "fraction", None, one.answers)
        for name, one in zip(pairs, found, strict=True)
    ]  # fmt: skip
    (cleaned,) = preferences(without_outliers(answers, worst), [(ours, TRUTH)])
    rows.append(
        Row("simulated/prefer_without_outliers/ours_over_truth", _PAPER_CLEANED, cleaned.share,
            "fraction", None, cleaned.answers)
    )  # fmt: skip
    return rows


def _recovery_row(rates: Mapping[str, PositiveRates], gaps: Gaps, kind: Raters) -> Row:
    apart = [
        abs(rate - kind.calls_real(gaps.halves[maker][person]))
        for maker, found in rates.items()
        for person, rate in zip(found.people, found.rates, strict=True)
    ]
    return Row("analysis_error", None, float(np.mean(apart)), "fraction", "lower", len(apart))


EXPERIMENTS: dict[str, Experiment] = {"texture/userstudy": reproduce_user_study}
