"""Raters who do not exist, to try the instrument and its analysis on.

Nobody has rated these pictures here. A simulated rater is a model of signal detection (Green and
Swets 1966): the amount of detail that is missing, or too much, is felt with noise, and compared
with a criterion. What they answer says nothing about people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.optimize import brentq
from torch import Tensor

from visage.texture.errors import StudyError
from visage.texture.study_answers import Answer
from visage.texture.study_stimuli import Stimuli, band_gaps
from visage.texture.user_study import TRUTH, Trial, trials_a, trials_b

REAL_CALLED_REAL = 0.656
"""Appendix II: so many of the paper's true halves were called real."""

_KEENEST = 1000.0  # who feels a thousandth of an octave


@dataclass(frozen=True)
class Raters:
    """How simulated raters feel and decide."""

    keenness: float = 1.0  # standard deviations of noise for a gap of 1, see `band_gaps`
    spread: float = 0.5  # of criteria between raters, in the same unit
    called_real: float = REAL_CALLED_REAL  # of true halves; sets the mean criterion

    @classmethod
    def as_keen_as(cls, gaps: Gaps, better: str, worse: str, share: float) -> Raters:
        """Raters who prefer one maker of study B to another in a share of their answers.

        Args:
            gaps: of the stimuli.
            better: a maker whose faces have the smaller gaps.
            worse: another.
            share: above a half, below 1.

        Raises:
            StudyError: no keenness gives that share.
        """
        pairs = list(zip(gaps.faces[better].ravel(), gaps.faces[worse].ravel(), strict=True))

        def missing(keenness: float) -> float:
            kind = cls(keenness=keenness)
            return share - float(np.mean([kind.prefers(one, over) for one, over in pairs]))

        if missing(0.0) * missing(_KEENEST) >= 0:
            raise StudyError(
                f"no rater prefers {better} to {worse} in {share:.0%} of these pictures"
            )
        return cls(keenness=float(brentq(missing, 0.0, _KEENEST)))

    @property
    def criterion(self) -> float:
        """Mean felt gap below which a half is called real."""
        return _quantile(self.called_real) * math.hypot(1, self.spread)

    def calls_real(self, gap: float) -> float:
        """Probability that some rater calls a half with this gap real."""
        return _normal((self.criterion - self.keenness * gap) / math.hypot(1, self.spread))

    def prefers(self, gap: float, over: float) -> float:
        """Probability that a face with the first gap is chosen over one with the second."""
        return _normal(self.keenness * (over - gap) / math.sqrt(2))


@dataclass(frozen=True, eq=False)
class Gaps:
    """What can be felt of each stimulus: its gap from the truth."""

    halves: Mapping[str, np.ndarray]  # by maker, (P,)
    faces: Mapping[str, np.ndarray]  # by maker, (Q, R)

    @classmethod
    def of(cls, stimuli: Stimuli) -> Gaps:
        """Measure stimuli.

        Raises:
            StudyError: study B's faces hold no true ones.
        """
        if TRUTH not in stimuli.faces:
            raise StudyError("study B's faces hold no true ones to measure the others by")
        true, count = stimuli.faces[TRUTH].flatten(0, 1), stimuli.faces[TRUTH].shape[:2]
        return cls(
            {name: _gaps(half, stimuli.halves[TRUTH]) for name, half in stimuli.halves.items()},
            {name: _gaps(face.flatten(0, 1), true).reshape(count)
             for name, face in stimuli.faces.items()},
        )  # fmt: skip


def _gaps(made: Tensor, true: Tensor) -> np.ndarray:
    return band_gaps(made, true).double().numpy()


def simulate_a(
    gaps: Gaps, makers: Sequence[str], raters: int, seed: int, kind: Raters = Raters()
) -> list[Answer]:
    """Answers to a round of study A from each of so many simulated raters.

    Args:
        gaps: of the stimuli.
        makers: as `trials_a` takes them.
        raters: how many.
        seed: of raters and rounds.
        kind: of rater.
    """
    people, random, found = len(gaps.halves[TRUTH]), np.random.default_rng([seed, 1]), []
    for rater in range(raters):
        criterion = kind.criterion + kind.spread * random.standard_normal()
        own = _round(seed, rater)
        for number, trial in enumerate(trials_a(people, makers, own)):
            felt = kind.keenness * gaps.halves[trial.right][trial.person] + random.standard_normal()
            choice = "real" if felt < criterion else "made"
            found.append(_answer(trial, choice, rater, own, number))
    return found


def simulate_b(
    gaps: Gaps, makers: Sequence[str], raters: int, seed: int, kind: Raters = Raters()
) -> list[Answer]:
    """Answers to a round of study B, likewise; the criterion plays no part."""
    people, poses = gaps.faces[TRUTH].shape
    random, found = np.random.default_rng([seed, 2]), []
    for rater in range(raters):
        own = _round(seed, rater)
        for number, trial in enumerate(trials_b(people, poses, makers, own)):
            left, right = (
                kind.keenness * gaps.faces[name][trial.person, trial.pose]
                + random.standard_normal()
                for name in (trial.left, trial.right)
            )
            choice = "left" if left < right else "right"
            found.append(_answer(trial, choice, rater, own, number))
    return found


def _round(seed: int, rater: int) -> int:
    return 1000 * seed + rater


def _answer(trial: Trial, choice: str, rater: int, seed: int, number: int) -> Answer:
    return Answer.to(trial, choice, rater=f"simulated-{rater:03d}", seed=seed, number=number)


def _normal(z: float) -> float:
    return NormalDist().cdf(z)


def _quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)
