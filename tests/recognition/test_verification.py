import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.integrate import trapezoid

from visage.recognition.verification import (
    VerificationError,
    area_under_roc,
    best_threshold,
    cross_validate,
    distance_histograms,
    equal_error_rate,
    fit_calibration,
    held_out_probabilities,
    roc,
    tar_at_far,
)


@st.composite
def labelled_distances(draw):
    n = draw(st.integers(2, 30))
    # A coarse grid, so that ties are frequent and monotone maps keep them apart.
    steps = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 20)))
    same = draw(hnp.arrays(bool, n))
    same[:2] = (True, False)
    return steps / 10, same


@pytest.fixture(scope="module")
def population():
    rng = np.random.default_rng(0)
    n = 400
    same = np.arange(n) % 2 == 0
    distances = np.where(same, rng.normal(0.4, 0.1, n), rng.normal(0.8, 0.1, n))
    return distances, same, np.arange(n) // 40


def accuracy_at(threshold, distances, same):
    right = 0
    for distance, is_same in zip(distances, same, strict=True):
        right += (distance <= threshold) == is_same
    return right / len(distances)


@given(labelled_distances())
def test_best_threshold_beats_every_other(pairs):
    distances, same = pairs
    candidates = [-1.0, *sorted(set(distances)), 3.0]
    best = max(accuracy_at(t, distances, same) for t in candidates)
    assert accuracy_at(best_threshold(distances, same), distances, same) == pytest.approx(best)


@given(labelled_distances())
def test_roc_equals_counting(pairs):
    distances, same = pairs
    curve = roc(distances, same)
    for threshold, far, tar in zip(curve.thresholds, curve.far, curve.tar, strict=True):
        accepted = [d <= threshold for d in distances]
        wrongly = sum(a for a, s in zip(accepted, same, strict=True) if not s)
        rightly = sum(a for a, s in zip(accepted, same, strict=True) if s)
        assert far == pytest.approx(wrongly / sum(~same))
        assert tar == pytest.approx(rightly / sum(same))
    assert (curve.far[-1], curve.tar[-1]) == (1, 1)


@given(labelled_distances())
def test_area_equals_counting_pairs_of_pairs(pairs):
    distances, same = pairs
    score = 0.0
    for d in distances[same]:
        for e in distances[~same]:
            score += 1.0 if d < e else 0.5 if d == e else 0.0
    assert area_under_roc(distances, same) == pytest.approx(score / (sum(same) * sum(~same)))


@given(labelled_distances())
def test_area_equals_the_trapezium_rule(pairs):
    curve = roc(*pairs)
    assert area_under_roc(*pairs) == pytest.approx(trapezoid(curve.tar, curve.far))


@given(labelled_distances())
def test_monotone_maps_keep_the_rates(pairs):
    distances, same = pairs
    before, after = roc(distances, same), roc(np.exp(3 * distances) - 7, same)
    np.testing.assert_array_equal(before.far, after.far)
    np.testing.assert_array_equal(before.tar, after.tar)
    assert equal_error_rate(distances, same) == equal_error_rate(np.exp(distances), same)


@given(labelled_distances(), st.permutations(range(30)))
def test_order_of_pairs_does_not_matter(pairs, order):
    distances, same = pairs
    order = [i for i in order if i < len(distances)]
    np.testing.assert_array_equal(roc(distances, same).tar, roc(distances[order], same[order]).tar)
    assert best_threshold(distances, same) == best_threshold(distances[order], same[order])


@given(labelled_distances(), st.floats(0, 1))
def test_tar_at_far_equals_a_search(pairs, far):
    distances, same = pairs
    point = tar_at_far(distances, same, far)
    tars = [0.0]
    for threshold in distances:
        if np.mean(distances[~same] <= threshold) <= far:
            tars.append(np.mean(distances[same] <= threshold))
    assert point.tar == pytest.approx(max(tars))
    assert point.far <= far
    accepted = distances <= point.threshold
    assert np.mean(accepted[same]) == pytest.approx(point.tar)
    assert np.mean(accepted[~same]) == pytest.approx(point.far)


@given(labelled_distances())
def test_swapping_the_kinds_mirrors_the_errors(pairs):
    distances, same = pairs
    assert equal_error_rate(distances, same) == pytest.approx(equal_error_rate(-distances, ~same))


def test_equal_error_rate_of_a_known_case():
    # One of four same pairs lies beyond one of four different pairs.
    distances = [0.1, 0.2, 0.3, 0.7, 0.6, 0.8, 0.9, 1.0]
    same = [True] * 4 + [False] * 4
    assert equal_error_rate(distances, same) == pytest.approx(0.25)


def test_lfw_allows_three_false_accepts_in_a_thousandth():
    distances = np.concatenate([np.linspace(0, 1, 3000), np.linspace(0.5, 1.5, 3000)])
    same = np.arange(6000) < 3000
    point = tar_at_far(distances, same, 1e-3)
    assert point.far == 3 / 3000
    assert 0.5 + 2 / 2999 < point.threshold < 0.5 + 3 / 2999


def test_cross_validation_equals_a_loop(population):
    distances, same, folds = population
    found = cross_validate(distances, same, folds)
    accuracies = []
    for fold in range(10):
        rest = folds != fold
        threshold = best_threshold(distances[rest], same[rest])
        accuracies.append(accuracy_at(threshold, distances[~rest], same[~rest]))
    assert found.accuracies.tolist() == accuracies
    assert found.accuracy == pytest.approx(sum(accuracies) / 10)
    variance = sum((a - found.accuracy) ** 2 for a in accuracies) / 9
    assert found.standard_error == pytest.approx((variance / 10) ** 0.5)


def test_a_fold_does_not_choose_its_own_threshold(population):
    distances, same, folds = (array.copy() for array in population)
    before = cross_validate(distances, same, folds).thresholds[3]
    distances[folds == 3] += 0.3
    assert cross_validate(distances, same, folds).thresholds[3] == before


def test_histograms_count_every_pair(population):
    distances, same, _ = population
    edges = np.linspace(0, 1.5, 31)
    found = distance_histograms(distances, same, edges)
    for i in range(30):
        inside = [edges[i] <= d < edges[i + 1] for d in distances]
        assert found.same[i] == sum(a and s for a, s in zip(inside, same, strict=True))
    assert found.same.sum() + found.different.sum() == len(distances)


def test_calibration_recovers_a_logistic():
    rng = np.random.default_rng(0)
    distances = rng.uniform(0, 1.2, 20_000)
    same = rng.random(20_000) < 1 / (1 + np.exp(12 * (distances - 0.6)))
    found = fit_calibration(distances, same)
    assert found.midpoint == pytest.approx(0.6, abs=0.01)
    assert found.slope == pytest.approx(12, rel=0.05)


def test_calibration_is_finite_where_nothing_overlaps():
    found = fit_calibration([0.1, 0.2, 0.8, 0.9], [True, True, False, False])
    assert 0 < found.slope < 1e3
    assert found.probability(0.1) > 0.5 > found.probability(0.9)


def test_held_out_probabilities_are_calibrated(population):
    distances, same, folds = population
    probabilities = held_out_probabilities(distances, same, folds)
    assert np.mean((probabilities - same) ** 2) < 0.03
    assert abs(probabilities.mean() - same.mean()) < 0.02


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: roc([0.1, 0.2], [True]), r"distances are \(2,\) and labels \(1,\)"),
        (lambda: roc([0.1, np.nan], [True, False]), "1 of 2 distances are not finite"),
        (lambda: roc([0.1, 0.2], [True, True]), "2 same and 0 different pairs"),
        (lambda: roc([], []), "0 same and 0 different pairs"),
        (lambda: roc([0.1, 0.2], [2, 0]), "labels other than true and false"),
        (lambda: tar_at_far([0.1, 0.2], [True, False], 1.5), "a false-accept rate of 1.5"),
        (lambda: cross_validate([0.1, 0.2], [True, False], [0, 0]), "two folds or more"),
        (lambda: cross_validate([0.1, 0.2], [True, False], [0, 1]), "expected some of both"),
        (lambda: distance_histograms([0.1, 9], [True, False], [0, 1]), "outside the bins 0 to 1"),
        (lambda: distance_histograms([0.1, 1], [True, False], [1, 0]), "do not ascend"),
        (lambda: fit_calibration([0.9, 0.8, 0.1], [True, True, False]), "not nearer"),
    ],
)
def test_bad_input_gives_one_sentence(call, sentence):
    with pytest.raises(VerificationError, match=sentence):
        call()
