"""Fit the judge's recogniser by patches, and weigh its two recognisers: ``python -m`` this module.

Nothing here is iterated, so that there is no run to resume: chips are cut once and remembered,
and the rest takes a few minutes. The Light CNN must be there (``visage train light_cnn --ship``).
"""

from __future__ import annotations

import time

import numpy as np
import torch

from visage.checkpoints import Card, save_checkpoint
from visage.ledger import current_revision, describe_device
from visage.photos.lfw import open_lfw
from visage.recognition.chips import Chips, first_of_each, lfw_chips
from visage.recognition.judge import Judge, fit_weights, pair_scores
from visage.recognition.landmark_recogniser import LandmarkRecogniser, fit_landmark_recogniser
from visage.recognition.light_cnn import LightCNNEncoder
from visage.recognition.light_cnn_data import photographs
from visage.recognition.light_cnn_reproduce import RATES, Measured, portraits, strangers

MOST = 30  # photographs of one person: his variance within is not everybody's


def fitting_chips() -> Chips:
    """Photographs of the training people, at most `MOST` a person."""
    lfw = open_lfw()
    several, single = (photographs(lfw, "train", single=s) for s in (False, True))
    return first_of_each(lfw_chips(lfw, several), MOST) + lfw_chips(lfw, single)


def fit() -> tuple[LandmarkRecogniser, float]:
    """The recogniser, and the seconds that fitting it took."""
    started = time.perf_counter()
    chips = fitting_chips()
    numbers = torch.from_numpy(np.unique(chips.people, return_inverse=True)[1])
    return fit_landmark_recogniser(chips, numbers), time.perf_counter() - started


def measure(patches: LandmarkRecogniser) -> dict[str, float]:
    """The weights of "both", from development people, and rates of test people."""
    judge = Judge(LightCNNEncoder.from_checkpoint(), patches)
    metrics: dict[str, float] = {}
    for name, some in (
        ("development", portraits("development")),
        ("lfw", portraits("test")),
        ("synthetic", strangers()),
    ):
        looks = judge.look(some.chips, some.landmarks)
        by = [pair_scores(judge, looks, some.people, kind) for kind in ("light_cnn", "patches")]
        if name == "development":
            weights = fit_weights(*zip(*by, strict=True))
            metrics |= {"weight_light_cnn": weights[0], "weight_patches": weights[1]}
            continue
        measured = Measured(*by[1])
        metrics[f"{name}_auc"] = measured.auc()
        metrics |= {f"{name}_tar_far_{rate}": measured.tar(far) for rate, far in RATES.items()}
    return {name: float(f"{value:.5g}") for name, value in metrics.items()}


def card(patches: LandmarkRecogniser, seconds: float) -> Card:
    """The recogniser's card, whose metrics hold the weights of "both"."""
    return Card(
        task=(
            "Compares 150-pixel chips of faces by local binary patterns and oriented gradients at "
            "27 landmarks and 5 scales: principal components of each patch and of all together, "
            "and joint Bayesian."
        ),
        data=(
            "Photographs of the training people of Labeled Faces in the Wild (deep-funneled) but "
            "for a tenth, whose pairs gave the weights beside the Light CNN."
        ),
        data_licence="LFW: photographs from the web, published for research.",
        licence="Apache-2.0",
        command="python -m visage.recognition.fit_judge",
        revision=current_revision(),
        seed=0,
        device=describe_device(),
        seconds=round(seconds, 1),
        metrics=measure(patches),
        intended_use=(
            "A second opinion on whether a reconstructed face shows its person: a recogniser that "
            "took no part in the reconstruction. Teaching."
        ),
        must_not_be_used_for=(
            "Surveillance, identifying people, or deciding anything about a person. It learned "
            "from few photographs of public figures, mostly adult, male and light-skinned. Its "
            "landmarks are dlib's, trained on iBUG 300-W, which excludes commercial use."
        ),
    )


if __name__ == "__main__":
    fitted, took = fit()
    print(save_checkpoint(fitted.name, fitted.state_dict(), card(fitted, took), storage="int8"))
