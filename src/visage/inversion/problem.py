"""Whom this part learns from, and whom it is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from visage.photos.lfw import LFWNotFoundError, open_lfw
from visage.recognition.encoder import Encoder, load_encoder
from visage.recognition.examples import Examples, lfw_examples, synthetic_examples

SYNTHETIC = (1000, 100)
"""People who do not exist, of either side."""
LFW = (7000, 200)
"""Photographs of either side, at most: four of a person to learn from, one to measure."""


@dataclass(frozen=True)
class Problem:
    """What a network is trained on and measured on.

    Attributes:
        encoder: F.
        train: people to learn from.
        test: people never seen in training.
    """

    encoder: Encoder
    train: Examples
    test: Examples


@lru_cache(maxsize=1)
def standard_problem() -> Problem:
    """Dlib's recogniser; synthetic people, and LFW's where it is present."""
    encoder = load_encoder()
    train = synthetic_examples(encoder, "train", SYNTHETIC[0])
    test = synthetic_examples(encoder, "test", SYNTHETIC[1])
    try:
        lfw = open_lfw()
    except LFWNotFoundError:
        return Problem(encoder, train, test)
    return Problem(
        encoder,
        train + lfw_examples(encoder, lfw, "train", LFW[0]),
        test + lfw_examples(encoder, lfw, "test", LFW[1], per_person=1),
    )
