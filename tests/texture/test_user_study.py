"""Who is asked what in the user studies."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.texture.errors import StudyError
from visage.texture.user_study import (
    METHODS_A,
    METHODS_B,
    TRUTH,
    shuffled,
    trials_a,
    trials_b,
    uniforms,
)

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=40, deadline=None)
@given(people=st.integers(1, 24), makers=st.integers(1, 7), seed=SEEDS)
def test_a_round_of_study_a_is_fair(people, makers, seed):
    names = tuple(f"m{n}" for n in range(makers))
    trials = trials_a(people, names, seed)
    assert sorted(trial.person for trial in trials) == list(range(people))
    assert all(trial.left == TRUTH for trial in trials)
    made = Counter(trial.right for trial in trials)
    real = made.pop(TRUTH, 0)
    assert real in {people // 2, (people + 1) // 2}
    counts = [made[name] for name in names]
    assert max(counts) - min(counts) <= 1


@settings(max_examples=40, deadline=None)
@given(people=st.integers(1, 5), poses=st.integers(1, 4), seed=SEEDS)
def test_a_round_of_study_b_shows_every_pair_once(people, poses, seed):
    trials = trials_b(people, poses, METHODS_B, seed)
    pairs = Counter((trial.person, frozenset((trial.left, trial.right))) for trial in trials)
    assert set(pairs) == {
        (person, frozenset(pair)) for person in range(people) for pair in combinations(METHODS_B, 2)
    }
    assert set(pairs.values()) == {1}
    assert all(0 <= trial.pose < poses for trial in trials)


def test_over_many_rounds_half_is_real_and_sides_poses_and_places_are_even():
    rounds = [trials_a(11, METHODS_A, seed) for seed in range(400)]
    real = sum(trial.right == TRUTH for trials in rounds for trial in trials) / 4400
    assert real == pytest.approx(0.5, abs=0.01)
    by_place = [sum(trials[place].right == TRUTH for trials in rounds) / 400 for place in range(11)]
    assert max(by_place) < 0.62
    assert min(by_place) > 0.38
    makers = Counter(trial.right for trials in rounds for trial in trials if trial.right != TRUTH)
    assert max(makers.values()) < 1.15 * min(makers.values())
    pairs = [trial for seed in range(400) for trial in trials_b(3, 2, METHODS_B, seed)]
    first = sum(trial.left == METHODS_B[0] for trial in pairs)
    second = sum(trial.right == METHODS_B[0] for trial in pairs)
    assert first / (first + second) == pytest.approx(0.5, abs=0.04)
    assert sum(trial.pose for trial in pairs) / len(pairs) == pytest.approx(0.5, abs=0.03)


def test_rounds_repeat_and_differ():
    assert trials_a(11, METHODS_A, 5) == trials_a(11, METHODS_A, 5) != trials_a(11, METHODS_A, 6)
    assert trials_b(3, 2, METHODS_B, 5) == trials_b(3, 2, METHODS_B, 5)
    assert trials_b(3, 2, METHODS_B, 5) != trials_b(3, 2, METHODS_B, 6)


def test_random_numbers_are_even_and_shuffles_are_orders():
    uniform = uniforms(12)
    drawn = [uniform() for _ in range(4000)]
    assert 0 <= min(drawn) < max(drawn) < 1
    counts = Counter(int(10 * value) for value in drawn)
    assert max(counts.values()) < 1.35 * min(counts.values())
    assert sorted(shuffled(9, uniform)) == list(range(9))
    firsts = Counter(shuffled(3, uniform)[0] for _ in range(3000))
    assert max(firsts.values()) < 1.12 * min(firsts.values())


def test_what_is_no_study():
    with pytest.raises(StudyError, match="at least one and 1 different makers"):
        trials_a(11, (), 0)
    with pytest.raises(StudyError, match="2 different makers"):
        trials_b(3, 2, ("pca", "pca"), 0)
    with pytest.raises(StudyError, match="0 people or poses"):
        trials_b(3, 0, METHODS_B, 0)
    with pytest.raises(StudyError, match="the seed is -1"):
        trials_a(11, METHODS_A, -1)
