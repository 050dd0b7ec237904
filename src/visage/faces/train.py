"""What a fit knows beforehand: ``python -m visage.faces.train`` learns and ships it.

Nothing here is trained by gradient descent: the cascade is a few linear regressions, the priors are
means and covariances. So there is no recipe for ``visage train``; the command writes two
checkpoints, `face_cascade` and `face_fitting`. Pictures are kept in the cache folder, and a command
that was stopped goes on where it was.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor

from visage.checkpoints import Card, save_checkpoint
from visage.faces.fitting import cascade as cascades
from visage.faces.fitting import priors as fitting_priors
from visage.faces.fitting.cascade import Cascade
from visage.faces.fitting.cascade_data import FaceWindows, KeptPortraits
from visage.faces.fitting.cascade_learning import learn_cascade
from visage.faces.fitting.measures import Heads, over
from visage.faces.fitting.priors import FittingPriors
from visage.faces.fitting.regression import guess_faces
from visage.faces.fitting.study import Portraits, learn_priors
from visage.faces.fitting_reproduce import FULL, detected_portraits, fit_all
from visage.faces.shape import MorphableModel
from visage.ledger import current_revision, describe_device
from visage.photos.downloads import cache_folder
from visage.training import Recipe

RECIPES: dict[str, Recipe] = {}

_USE = (
    "Showing how a head is found from one picture: people of this book's synthetic world, or a "
    "photograph of the reader's own, on the reader's own device."
)
_MISUSE = (
    "Measuring, identifying or judging people. It knows one model's heads, synthetic skin and "
    "light: of a photograph it finds a similar head, not a true one."
)


@dataclass(frozen=True)
class Amounts:
    """How much is learned from, and measured on."""

    people: int = 32000  # that the cascade sees, one picture each
    taught: int = 420  # other training people, whose faces dlib finds: for the priors
    tested: int = 60  # validation people


def main(
    amounts: Amounts = Amounts(),
    seed: int = 0,
    folder: Path | None = None,
) -> None:
    """Learn the cascade and the priors of `visage.faces.fitting`, and write both checkpoints.

    Args:
        amounts: of people.
        seed: of the world.
        folder: where to write; checkpoints/ if None.
    """
    start = time.perf_counter()
    model = MorphableModel.load()
    kept = KeptPortraits(cache_folder() / cascades.NAME, seed, amounts.people)
    cascade = learn_cascade(FaceWindows(kept, seed))
    tested = detected_portraits(model, seed, amounts.tested, "validation")[:2]
    taught = detected_portraits(model, seed, amounts.taught, "train")[:2]
    print(ship_cascade(cascade, tested, model, seed, time.perf_counter() - start, folder))
    priors = learn_priors(model, *taught, seed, cascade)
    found = ship_priors(priors, cascade, tested, model, seed, time.perf_counter() - start, folder)
    print(found)


def ship_cascade(
    cascade: Cascade,
    tested: tuple[Portraits, Tensor],
    model: MorphableModel,
    seed: int,
    seconds: float,
    folder: Path | None,
) -> Path:
    """Write the cascade with its card; errors are those of its guesses about `tested` people."""
    people, detected = tested
    shape = guess_faces(cascade, model, people.image, detected).shape
    modes = len(model.identity_basis)
    metrics = _errors(model, people, model.vertices(shape[:, :modes], shape[:, modes:]))
    task = (
        "From a 128-pixel window round a face: 80 numbers of identity, 52 of expression and 6 of "
        f"pose of the morphable model. Supervised descent: {len(cascade.stages)} linear "
        "regressions from gradients and colours."
    )
    card = _card(task, metrics, seed, seconds)
    return save_checkpoint(cascades.NAME, cascade.tensors(), card, storage="int8", folder=folder)


def ship_priors(
    priors: FittingPriors,
    cascade: Cascade,
    tested: tuple[Portraits, Tensor],
    model: MorphableModel,
    seed: int,
    seconds: float,
    folder: Path | None,
) -> Path:
    """Write the priors with their card; errors are those of fits to `tested` people."""
    people, detected = tested
    fit, _ = fit_all(people, detected, model, priors, FULL, cascade)
    task = (
        "What a fit of the morphable model to a picture knows beforehand: means, components and "
        "covariances of albedo, expression, dlib's landmarks, unexplained pixels and the errors "
        "of the cascade."
    )
    card = _card(task, _errors(model, people, fit.vertices(model)), seed, seconds)
    return save_checkpoint(
        fitting_priors.NAME, priors.tensors(), card, storage="int8", folder=folder
    )


def _errors(model: MorphableModel, people: Portraits, found: Tensor) -> dict[str, float]:
    heads, truth = Heads.of(model), model.vertices(people.identity, people.expression)
    mean = model.mean.expand_as(truth)
    return {
        "mean_vertex_error": round(float(over(heads.drawn, found, truth).mean()), 4),
        "mean_face_vertex_error": round(float(over(heads.drawn, mean, truth).mean()), 4),
        "face_similarity_error": round(float(over(heads.face, found, truth, True).mean()), 4),
    }


def _card(task: str, metrics: dict[str, float], seed: int, seconds: float) -> Card:
    return Card(
        task=task,
        data="Synthetic training people of visage.faces; errors in mm, of validation people.",
        data_licence="CC0-1.0 assets; the pictures are the package's own.",
        licence="Apache-2.0",
        command="python -m visage.faces.train",
        revision=current_revision(),
        seed=seed,
        device=describe_device(),
        seconds=round(seconds, 1),
        metrics=metrics,
        intended_use=_USE,
        must_not_be_used_for=_MISUSE,
    )


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    tyro.cli(main)
