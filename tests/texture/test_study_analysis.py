"""From answers to boxes and preferences."""

import numpy as np
import pytest
from scipy.stats import binomtest

from visage.texture.errors import StudyError
from visage.texture.study_analysis import (
    box_plot,
    positive_rates,
    preferences,
    wilson_interval,
    without_outliers,
)
from visage.texture.study_answers import Answer


def said(maker, person, choice, rater="me"):
    return Answer("a", rater, 0, 0, person, 0, "truth", maker, choice, 1.0, "")


def chose(left, right, choice, rater="me", person=0):
    return Answer("b", rater, 0, 0, person, 0, left, right, choice, 1.0, "")


ANSWERS = [
    *(said("pca", 0, choice) for choice in ("real", "made", "made", "made")),
    *(said("pca", 1, choice) for choice in ("real", "real")),
    *(said("pca", 2, choice) for choice in ("made",)),
    *(said("truth", person, "real") for person in (2, 0)),
    chose("pca", "convex", "right"),
]


def test_rates_are_counted_person_by_person():
    found = positive_rates(ANSWERS)
    assert list(found) == ["truth", "pca"]
    assert found["pca"].people == (0, 1, 2)
    assert found["pca"].rates == (0.25, 1.0, 0.0)
    assert found["pca"].answers == 7
    assert found["pca"].mean == pytest.approx(1.25 / 3)
    assert found["pca"].median == 0.25
    assert found["pca"].quartiles == (0.125, 0.625)
    assert found["truth"].rates == (1.0, 1.0)


def test_the_box_plot_shows_the_makers_in_order():
    figure = box_plot(
        positive_rates(ANSWERS), ("pca", "convex", "truth"), {"pca": "principal components"}
    )
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "principal\ncomponents",
        "truth",
    ]
    low, high = axes.get_ylim()
    assert low < 0
    assert high > 1
    medians = [line.get_ydata()[0] for line in axes.lines if line.get_linewidth() == 2]
    assert medians == [0.25, 1.0]


def test_preferences_count_both_sides():
    answers = [
        chose("pca", "convex", "left"), chose("pca", "convex", "right"),
        chose("convex", "pca", "left"), chose("convex", "pca", "left"),
        chose("truth", "pca", "left"), *ANSWERS[:3],
    ]  # fmt: skip
    ours, truth = preferences(answers, [("convex", "pca"), ("truth", "pca")])
    assert (ours.share, ours.answers) == (0.75, 4)
    assert ours.low < 0.75 < ours.high
    assert (truth.share, truth.answers) == (1.0, 1)
    (turned,) = preferences(answers, [("pca", "convex")])
    assert turned.share == 0.25


def test_intervals_are_wilson_s():
    for wins, count in ((0, 5), (3, 7), (50, 100), (9, 9)):
        wanted = binomtest(wins, count).proportion_ci(0.95, method="wilson")
        low, high = wilson_interval(wins, count)
        assert np.allclose([low, high], [wanted.low, wanted.high], atol=1e-4)


def test_raters_who_like_the_worst_best_are_left_out():
    strange = [chose("pca", "convex", "left", "odd"), chose("truth", "pca", "right", "odd"),
               chose("truth", "convex", "left", "odd")]  # fmt: skip
    half = [chose("pca", "convex", "left", "half"), chose("truth", "pca", "left", "half")]
    kept = without_outliers([*strange, *half, *ANSWERS], "pca")
    assert {answer.rater for answer in kept} == {"half", "me"}
    assert len(kept) == 3


def test_nothing_to_analyse():
    with pytest.raises(StudyError, match="no answer to study A"):
        positive_rates([chose("pca", "convex", "left")])
    with pytest.raises(StudyError, match="nobody compared truth with convex"):
        preferences(ANSWERS, [("truth", "convex")])
    with pytest.raises(StudyError, match="none of these makers"):
        box_plot(positive_rates(ANSWERS), ("quilting",))
