"""From answers to figure 12 and to the preferences of study B."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure

from visage.texture.errors import StudyError
from visage.texture.study_answers import Answer
from visage.texture.user_study import TRUTH

_LABEL = 15  # letters of a maker's name in a line
_SURE = 1.96  # standard deviations: intervals of 95%


@dataclass(frozen=True)
class PositiveRates:
    """How often one maker's halves were called real: one number a person (figure 12)."""

    maker: str
    people: tuple[int, ...]
    rates: tuple[float, ...]  # as many
    answers: int  # in all

    @property
    def mean(self) -> float:
        """Over people."""
        return float(np.mean(self.rates))

    @property
    def median(self) -> float:
        """Over people."""
        return float(np.median(self.rates))

    @property
    def quartiles(self) -> tuple[float, float]:
        """The box: a quarter of the people lies below, a quarter above."""
        low, high = np.quantile(self.rates, [0.25, 0.75])
        return float(low), float(high)


def positive_rates(answers: Iterable[Answer]) -> dict[str, PositiveRates]:
    """Shares of "real" in study A, by maker and person.

    Returns:
        By maker; the truth first, then in order of their names.

    Raises:
        StudyError: nobody answered a question of study A.

    >>> said = [Answer("a", "me", 0, n, 0, 0, "truth", "pca", choice, 1.0, "")
    ...         for n, choice in enumerate(["real", "made", "made", "made"])]
    >>> positive_rates(said)["pca"].rates
    (0.25,)
    """
    real, asked = defaultdict(int), defaultdict(int)
    for answer in answers:
        if answer.study == "a":
            asked[answer.right, answer.person] += 1
            real[answer.right, answer.person] += answer.choice == "real"
    if not asked:
        raise StudyError("there is no answer to study A")
    found = {}
    for maker in sorted({maker for maker, _ in asked}, key=lambda name: (name != TRUTH, name)):
        people = sorted(person for name, person in asked if name == maker)
        rates = tuple(real[maker, person] / asked[maker, person] for person in people)
        count = sum(asked[maker, person] for person in people)
        found[maker] = PositiveRates(maker, tuple(people), rates, count)
    return found


def box_plot(
    rates: Mapping[str, PositiveRates],
    order: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
) -> Figure:
    """Figure 12: a box of people's positive rates for each maker, with their mean and median.

    Args:
        rates: as `positive_rates` gives them.
        order: of makers; as they come if None. Those without answers are left out.
        names: what to call makers.

    Raises:
        StudyError: there is nothing to draw.
    """
    shown = [name for name in order or rates if name in rates]
    if not shown:
        raise StudyError("none of these makers has answers")
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    diamond = {"marker": "D", "markersize": 4, "markerfacecolor": "C1", "markeredgecolor": "C1"}
    axes.boxplot(
        [rates[name].rates for name in shown], widths=0.5, showmeans=True, meanprops=diamond,
        medianprops={"color": "C0", "linewidth": 2}, flierprops={"marker": "none"},
    )  # fmt: skip
    for place, name in enumerate(shown, 1):
        values = rates[name].rates
        aside = place + 0.1 * np.linspace(-1, 1, len(values) + 2)[1:-1]
        axes.plot(aside, values, ".", color="C2", markersize=4, alpha=0.7)
    labels = [fill((names or {}).get(name, name), _LABEL) for name in shown]
    axes.set_xticks(range(1, len(shown) + 1), labels)
    axes.set(ylim=(-0.03, 1.03), ylabel="called real, share of answers")
    axes.grid(axis="x", visible=False)
    return figure


@dataclass(frozen=True)
class Preference:
    """How often one maker's face was chosen over another's, in study B."""

    maker: str
    over: str
    share: float
    answers: int
    low: float  # 95% interval of Wilson (1927)
    high: float


def preferences(answers: Iterable[Answer], pairs: Sequence[tuple[str, str]]) -> list[Preference]:
    """Shares of study B.

    Args:
        answers: of any studies.
        pairs: of makers, the share of the first over the second is wanted.

    Raises:
        StudyError: a pair has no answers.
    """
    won = defaultdict(int)
    for answer in answers:
        if answer.study == "b":
            makers = answer.left, answer.right
            won[makers if answer.choice == "left" else makers[::-1]] += 1
    found = []
    for maker, over in pairs:
        wins, count = won[maker, over], won[maker, over] + won[over, maker]
        if not count:
            raise StudyError(f"nobody compared {maker} with {over}")
        found.append(Preference(maker, over, wins / count, count, *wilson_interval(wins, count)))
    return found


def without_outliers(answers: Iterable[Answer], worst: str) -> list[Answer]:
    """Study B without the raters who prefer the worst maker to both others, as the paper does.

    A rater goes who chose `worst` in more than half of its comparisons with every other maker.
    """
    answers = [answer for answer in answers if answer.study == "b"]
    chosen: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for answer in answers:
        if worst in (answer.left, answer.right):
            other = answer.left if answer.right == worst else answer.right
            picked = answer.left if answer.choice == "left" else answer.right
            chosen[answer.rater][other].append(picked == worst)
    strange = {
        rater for rater, by in chosen.items() if all(np.mean(picks) > 0.5 for picks in by.values())
    }
    return [answer for answer in answers if answer.rater not in strange]


def wilson_interval(wins: int, count: int) -> tuple[float, float]:
    """Where a share lies, by 95%, of which `wins` of `count` were seen (Wilson 1927).

    >>> low, high = wilson_interval(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    share, z = wins / count, _SURE
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return middle - half, middle + half
