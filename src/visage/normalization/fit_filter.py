"""Fit the read-outs of the photograph filter: ``python -m visage.normalization.fit_filter``.

Five linear regressions, nothing iterated. The pictures that they learn from are drawn once and
remembered; they are those of the synthetic training set.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor

from visage.checkpoints import Card, save_checkpoint
from visage.ledger import current_revision, describe_device
from visage.normalization.read_outs import (
    NAME,
    SHAPES,
    ReadOuts,
    embeddings,
    fit_read_outs,
    known_faces,
)
from visage.recognition.chips import Chips
from visage.recognition.encoder import Encoder, load_encoder
from visage.recognition.verification import area_under_roc

LEARNED = (2000, 2)
"""Training people, and pictures of each: those of `synthetic_training_set`."""
TESTED = (300, 4)
"""Test people, and pictures of each: those of `synthetic_test_set`."""


def read_all(read_outs: ReadOuts, chips: Chips, encoder: Encoder) -> dict[str, Tensor]:
    """What the read-outs say of chips, (N,) each."""
    with torch.no_grad():
        return read_outs(chips.landmarks, embeddings(chips, encoder))


def read_errors(read: dict[str, Tensor], truth: dict[str, Tensor]) -> dict[str, float]:
    """How wrong read-outs are: mean errors, those near frontal, and areas under curves.

    Returns:
        `<name>_error` of the four shapes; `yaw_error_frontal` and `pitch_error_frontal` of faces
        within 15 degrees; `smile_auc` (a smile of 0.4 against none), `opening_auc` (0.15 against
        none) and `glasses_auc`.
    """
    errors = {name: (read[name] - truth[name]).abs() for name in SHAPES}
    frontal = (truth["yaw"].abs() <= 15) & (truth["pitch"].abs() <= 15)
    found = {f"{name}_error": float(error.mean()) for name, error in errors.items()}
    found |= {f"{name}_error_frontal": float(errors[name][frontal].mean()) for name in SHAPES[:2]}
    for name, least in (("smile", 0.4), ("opening", 0.15), ("glasses", 0.5)):
        shown, none = truth[name] >= least, truth[name] < 0.05
        some = (shown | none).numpy()
        found[f"{name}_auc"] = area_under_roc(-read[name].numpy()[some], shown.numpy()[some])
    return found


def fit(encoder: Encoder) -> tuple[ReadOuts, float]:
    """The read-outs, and the seconds that fitting took."""
    start = time.perf_counter()
    read_outs = fit_read_outs(*known_faces(*LEARNED, "train"), encoder)
    return read_outs, time.perf_counter() - start


def card(read_outs: ReadOuts, seconds: float, encoder: Encoder) -> Card:
    """The card, measured on people whom the read-outs have not seen."""
    chips, truth = known_faces(*TESTED, "test")
    errors = read_errors(read_all(read_outs, chips, encoder), truth)
    return Card(
        task=(
            "Linear read-outs for choosing photographs: yaw and pitch (degrees), smile and opening "
            "of the mouth (0 to 1) from dlib's 68 landmarks, glasses from dlib's embedding."
        ),
        data=f"Everyday pictures of {LEARNED[0]} synthetic training people, {LEARNED[1]} of each.",
        data_licence="CC0-1.0 assets; the pictures are the package's own.",
        licence="Apache-2.0",
        command="python -m visage.normalization.fit_filter",
        revision=current_revision(),
        seed=0,
        device=describe_device(),
        seconds=round(seconds, 1),
        metrics={name: float(f"{value:.4g}") for name, value in errors.items()},
        intended_use="Choosing frontal, neutral photographs without glasses to average.",
        must_not_be_used_for="Judging what people feel, or anybody at all.",
    )


def main(folder: Path | None = None) -> None:
    """Fit and ship."""
    encoder = load_encoder()
    read_outs, seconds = fit(encoder)
    about = card(read_outs, seconds, encoder)
    print(save_checkpoint(NAME, read_outs.state_dict(), about, storage="float32", folder=folder))
    for name, value in about.metrics.items():
        print(f"{name:24} {value:.4g}")


if __name__ == "__main__":
    main()
