"""How well the foreign judge knows people it never saw: ``visage reproduce recognition/light_cnn``.

All numbers are of `visage.photos.lfw.split`'s test people, and of the synthetic world's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import measured_result
from visage.photos.lfw import open_lfw
from visage.recognition.chips import Chips, first_of_each, lfw_chips, synthetic_chips
from visage.recognition.encoder import Encoder, embed_mirrored
from visage.recognition.judge import JUDGES, load_judge, pair_scores, threshold_at
from visage.recognition.light_cnn_data import Side, photographs
from visage.recognition.verification import area_under_roc

RATES = {"1e-2": 0.01, "1e-3": 0.001}
EACH = 5
"""Photographs of one person at most: somebody's 500 would decide alone."""


@dataclass(frozen=True)
class Measured:
    """Scores of pairs of one person (S,) and of two (M,), and what follows from them."""

    same: Tensor
    different: Tensor

    def auc(self) -> float:
        """Chance that a pair of one person scores above a pair of two."""
        scores = torch.cat([self.same, self.different]).numpy()
        return area_under_roc(-scores, np.arange(len(scores)) < len(self.same))

    def threshold(self, far: float) -> float:
        """See `threshold_at`."""
        return threshold_at(self.different, far)

    def tar(self, far: float) -> float:
        """Share of the pairs of one person that reach the threshold."""
        return float((self.same >= self.threshold(far)).float().mean())


def portraits(side: Side, *, most: int = EACH, people: int | None = None) -> Chips:
    """Chips of LFW people on one side of `side_of`; people with one photograph come last.

    Args:
        side: whose.
        most: the first so many photographs of each person.
        people: photographs of each kind at most, for a quick look; all if None.
    """
    lfw = open_lfw()
    several, single = (photographs(lfw, side, single=s)[:people] for s in (False, True))
    # Cut all and choose afterwards: chips are remembered by the list that they are in.
    return first_of_each(lfw_chips(lfw, several), most) + lfw_chips(lfw, single)


def strangers(people: int = 100, shots: int = 4) -> Chips:
    """Chips of test people of the synthetic world."""
    return synthetic_chips(people, shots, "test")


def measure_encoder(encoder: Encoder, chips: Chips) -> Measured:
    """All pairs of chips by the negative distance of mirror-averaged embeddings."""
    with torch.inference_mode():
        embedded = torch.cat(
            [embed_mirrored(encoder, some.float() / 255) for some in chips.chips.split(64)]
        )
        # Euclidean for every encoder here, after its own normalisation.
        unit = encoder.name == "light_cnn"
        embedded = F.normalize(embedded) if unit else embedded
        scores = -torch.cdist(embedded, embedded)
    number = torch.from_numpy(np.unique(chips.people, return_inverse=True)[1])
    first, second = torch.triu_indices(len(chips), len(chips), 1)
    same = number[first] == number[second]
    scores = scores[first, second]
    return Measured(scores[same], scores[~same])


def measure(encoder: Encoder) -> dict[str, float]:
    """What the card of a trained network says: held-out photographs and synthetic people."""
    found = {}
    for name, chips in (("lfw", portraits("test")), ("synthetic", strangers())):
        measured = measure_encoder(encoder, chips)
        found[f"{name}_auc"] = _short(measured.auc())
        for rate, far in RATES.items():
            found[f"{name}_tar_far_{rate}"] = _short(measured.tar(far))
            found[f"{name}_distance_far_{rate}"] = _short(-measured.threshold(far))
    return found


def reproduce_light_cnn(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The experiment ``recognition/light_cnn``; all test people in full, a few fast."""
    started = time.perf_counter()
    full = profile == "full"
    judge = load_judge()
    groups = {
        "lfw": portraits("test", people=None if full else 150),
        "synthetic": strangers() if full else strangers(20, 3),
    }
    found: dict[str, Measured] = {}
    for group, chips in groups.items():
        looks = judge.look(chips.chips, chips.landmarks)
        for by in JUDGES:
            found[f"{group}_{by}"] = Measured(*pair_scores(judge, looks, chips.people, by))
    counts = {name: len(np.unique(chips.people)) for name, chips in groups.items()}
    result = measured_result(
        id="recognition/light_cnn",
        paper=None,
        claim=(
            "Two recognisers that learned from eight thousand photographs, and from no other "
            "recogniser, know people whom they never saw: a judge for reconstructed faces."
        ),
        protocol=(
            f"{len(groups['lfw'])} photographs of {counts['lfw']} people of LFW on the test side "
            f"of visage.photos.lfw.split, at most {EACH} a person, and {len(groups['synthetic'])} "
            f"pictures of {counts['synthetic']} test people of the synthetic world; all pairs in "
            "each group. Nobody of either was trained on or chosen by: recognisers learned from "
            "nine tenths of the training side, the weights of both together from the other tenth. "
            "Chips by dlib's 68 landmarks (true ones for synthetic people). light_cnn: cosine of "
            "mirror-averaged embeddings; patches: local binary patterns and gradients at 27 "
            "landmarks and 5 scales with joint Bayesian; both: their weighted sum. A threshold is "
            "the score that at most the rate's share of pairs of different people reach."
        ),
        profile=profile,
        seed=seed,
        start=started,
        rows=tuple(row for name, measured in found.items() for row in _rows(name, measured)),
    )
    return result, _figure({by: found[f"lfw_{by}"] for by in JUDGES})


def _rows(name: str, measured: Measured) -> tuple[Row, ...]:
    n, m = len(measured.same), len(measured.different)
    rows = [Row(f"{name}_auc", None, _short(measured.auc()), "", "higher", n + m)]
    for rate, far in RATES.items():
        tar = _short(measured.tar(far))
        rows.append(Row(f"{name}_tar_far_{rate}", None, tar, "fraction", "higher", n))
    for rate, far in RATES.items():
        threshold = _short(measured.threshold(far))
        rows.append(Row(f"{name}_threshold_far_{rate}", None, threshold, "score", None, m))
    return tuple(rows)


def _figure(found: dict[str, Measured]) -> Figure:
    """True accepts against false ones, for each judge."""
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    rates = np.geomspace(1e-4, 1, 200)[:-1]
    styles = {
        "light_cnn": ("#D55E00", "--"),
        "patches": ("#009E73", ":"),
        "both": ("#0072B2", "-"),
    }
    names = {"light_cnn": "Light CNN", "patches": "landmarks' patches", "both": "both together"}
    for by, measured in found.items():
        able = rates[rates * len(measured.different) >= 1]
        colour, style = styles[by]
        tars = [measured.tar(far) for far in able]
        axes.plot(able, tars, color=colour, linestyle=style, label=names[by])
    axes.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.01))
    axes.set(xlabel="false-accept rate", ylabel="true-accept rate")
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _short(number: float) -> float:
    return float(f"{number:.5g}")


EXPERIMENTS: dict[str, Experiment] = {"recognition/light_cnn": reproduce_light_cnn}
