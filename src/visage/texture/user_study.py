"""The two user studies of Saito et al. (2017, section 6 and appendix II): who is asked what.

**Study A** asks whether a face is all of a piece. Two halves of one face are shown, changed over,
so that no seam can be compared. One is always the truth; the other is too, or a texture that some
method made. The rater says real or made.

**Study B** asks which face looks more real. Two renderings of one head are shown that differ in
their textures. The paper lets raters sort three; here every pair of the three is shown by itself,
which gives the three preferences that the paper reports.

A round is a list of trials that follows from a seed alone: the page (`js/study_trials.js`) and
this module make the same. Every answer holds its seed, so that order can be studied later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from visage.texture.errors import StudyError

TRUTH = "truth"
"""The maker of what nobody made: the person's own skin, or the captured one."""

METHODS_A = ("pca", "quilting", "closest", "unconstrained", "convex")
"""What study A compares, numbered (1) to (5) in the paper."""

METHODS_B = ("convex", TRUTH, "pca")
"""What study B compares, (1) to (3); the paper's (2) is a Light Stage's capture."""

PEOPLE_A, PEOPLE_B = 11, 3

Study = Literal["a", "b"]


@dataclass(frozen=True)
class Trial:
    """One question."""

    study: Study
    person: int
    pose: int  # 0 in study A
    left: str  # who made what is shown on the left; `TRUTH` in study A
    right: str


def trials_a(people: int, makers: Sequence[str], seed: int) -> list[Trial]:
    """A round of study A: everybody once, half of them real, makers in turn.

    Args:
        people: how many.
        makers: whose halves there are beside the true ones.
        seed: of the round, at least 0.

    Raises:
        StudyError: there is nobody, or no maker.

    >>> trials = trials_a(11, METHODS_A, 7)
    >>> sorted(trial.person for trial in trials) == list(range(11))
    True
    >>> sum(trial.right == TRUTH for trial in trials) in (5, 6)
    True
    """
    _check(people, makers, 1)
    uniform = uniforms(seed)
    order, ranks = shuffled(people, uniform), shuffled(people, uniform)
    turns = shuffled(len(makers), uniform)
    real = (people + (uniform() < 0.5)) // 2
    found = []
    for person, rank in zip(order, ranks, strict=True):
        maker = TRUTH if rank < real else makers[turns[(rank - real) % len(makers)]]
        found.append(Trial("a", person, 0, TRUTH, maker))
    return found


def trials_b(people: int, poses: int, makers: Sequence[str], seed: int) -> list[Trial]:
    """A round of study B: every pair of makers for everybody, sides and poses at random.

    Args:
        people: how many.
        poses: of each person.
        makers: of the faces, at least two.
        seed: of the round, at least 0.

    Raises:
        StudyError: there is nobody, no pose, or no pair of makers.

    >>> len(trials_b(3, 2, METHODS_B, 7))
    9
    """
    _check(min(people, poses), makers, 2)
    uniform = uniforms(seed)
    found = []
    for person in range(people):
        for first, second in combinations(makers, 2):
            pose, turned = int(uniform() * poses), uniform() < 0.5
            left, right = (second, first) if turned else (first, second)
            found.append(Trial("b", person, pose, left, right))
    return [found[i] for i in shuffled(len(found), uniform)]


def shuffled(count: int, uniform: Callable[[], float]) -> list[int]:
    """0 to count - 1 in random order (Fisher and Yates, as Durstenfeld 1964 does it)."""
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = int(uniform() * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


def uniforms(seed: int) -> Callable[[], float]:
    """Even random numbers in [0, 1), the same as the page's for the same seed (Mulberry32).

    >>> uniform = uniforms(1)
    >>> round(uniform(), 6)
    0.627074
    """
    if seed < 0:
        raise StudyError(f"the seed is {seed}; give at least 0")
    state, bits = seed & 0xFFFFFFFF, 0xFFFFFFFF

    def uniform() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & bits
        t = (state ^ state >> 15) * (1 | state) & bits
        t = (t + ((t ^ t >> 7) * (61 | t) & bits) & bits) ^ t
        return (t ^ t >> 14) / 2**32

    return uniform


def _check(count: int, makers: Sequence[str], least: int) -> None:
    if count < 1 or len(makers) < least or len(set(makers)) < len(makers):
        raise StudyError(
            f"{count} people or poses and makers {', '.join(makers) or 'none'}; give at least one "
            f"and {least} different makers"
        )
