"""Raters who do not exist answer as their model says."""

import math

import numpy as np
import pytest
import torch

from visage.texture.errors import StudyError
from visage.texture.simulated_raters import (
    REAL_CALLED_REAL,
    Gaps,
    Raters,
    simulate_a,
    simulate_b,
)
from visage.texture.study_analysis import positive_rates, preferences
from visage.texture.study_stimuli import Stimuli
from visage.texture.user_study import TRUTH

MAKERS = ("convex", "pca")
GAPS = Gaps(
    {TRUTH: np.zeros(11), "convex": np.full(11, 0.3), "pca": np.linspace(1, 3, 11)},
    {TRUTH: np.zeros((3, 2)), "convex": np.full((3, 2), 0.2), "pca": np.full((3, 2), 1.0)},
)


def test_they_call_the_truth_real_as_often_as_the_paper_s():
    found = positive_rates(simulate_a(GAPS, MAKERS, 400, 0))
    assert found[TRUTH].mean == pytest.approx(REAL_CALLED_REAL, abs=0.04)
    assert Raters().calls_real(0) == pytest.approx(REAL_CALLED_REAL)


def test_rates_are_those_of_the_model():
    kind = Raters(keenness=0.7, spread=0.8)
    found = positive_rates(simulate_a(GAPS, MAKERS, 1500, 1, kind))["pca"]
    wanted = [kind.calls_real(gap) for gap in GAPS.halves["pca"]]
    assert np.abs(np.subtract(found.rates, wanted)).max() < 0.09
    assert np.corrcoef(found.rates, wanted)[0, 1] > 0.95


def test_preferences_are_those_of_the_model():
    kind, pairs = Raters(), [("convex", "pca"), (TRUTH, "convex")]
    ours, truth = preferences(simulate_b(GAPS, (*MAKERS, TRUTH), 600, 2, kind), pairs)
    assert ours.share == pytest.approx(kind.prefers(0.2, 1.0), abs=0.035)
    assert truth.share == pytest.approx(kind.prefers(0.0, 0.2), abs=0.035)
    assert kind.prefers(1.0, 1.0) == 0.5
    wanted = 0.5 * math.erfc(-0.8 / 2)  # Φ(0.8/√2)
    assert kind.prefers(0.2, 1.0) == pytest.approx(wanted)


def test_answers_repeat_and_say_that_nobody_gave_them():
    answers = simulate_a(GAPS, MAKERS, 3, 5)
    assert answers == simulate_a(GAPS, MAKERS, 3, 5) != simulate_a(GAPS, MAKERS, 3, 6)
    assert len(answers) == 33
    assert all(answer.rater.startswith("simulated-") for answer in answers)
    assert len(simulate_b(GAPS, (*MAKERS, TRUTH), 2, 0)) == 18
    # The same rater of a longer list answers the same.
    assert simulate_a(GAPS, MAKERS, 2, 5) == answers[:22]


def test_keenness_is_found_for_a_preference():
    kind = Raters.as_keen_as(GAPS, TRUTH, "pca", 0.74)
    assert kind.prefers(0.0, 1.0) == pytest.approx(0.74)
    with pytest.raises(StudyError, match="no rater prefers pca to truth"):
        Raters.as_keen_as(GAPS, "pca", TRUTH, 0.74)


def test_gaps_are_measured_from_the_true_pictures():
    true = torch.rand(2, 3, 16, 8)
    faces = torch.rand(2, 2, 3, 16, 16)
    names = {TRUTH: "true", "pca": "PCA"}
    stimuli = Stimuli(true, {TRUTH: true, "pca": 0.5 * true}, {TRUTH: faces, "pca": faces}, names)
    gaps = Gaps.of(stimuli)
    assert gaps.halves[TRUTH].tolist() == [0, 0]
    np.testing.assert_allclose(gaps.halves["pca"], 6, atol=1e-3)  # a quarter, in three bands
    assert gaps.faces["pca"].tolist() == [[0, 0], [0, 0]]
    with pytest.raises(StudyError, match="no true ones"):
        Gaps.of(Stimuli(true, {TRUTH: true}, {"pca": faces}, names))
