"""How CoarseNet is trained: ``visage train coarse_net``, and its twin of a single pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import torch

from visage.checkpoints import Card
from visage.geometry.coarse import ITERATIONS, reconstruct_coarse
from visage.geometry.coarse_loss import (
    CoarseLoss,
    CoarseWeights,
    balanced,
    geometry_error,
    placed_error,
)
from visage.geometry.coarse_network import CoarseNet
from visage.geometry.coarse_stream import CoarseData, CoarseStream
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.representation import YAW_UNIT, FaceNumbers
from visage.geometry.training_faces import PEOPLE, KeptFaces, kept_faces
from visage.ledger import current_revision, describe_device
from visage.training import Recipe, Trained, TrainingConfig

TRAINING = TrainingConfig(
    steps=14000,  # errors were still falling after 8,000
    batch_size=32,
    learning_rate=4e-4,  # above it, answers of the many small modes only grow noisier
    warmup=300,
    weight_decay=0.02,
    gradient_clip=5.0,  # of a loss of 3 at the start
    ema=0.998,
    precision="bf16-mixed",  # 1.8 times faster on a processor that has it
    checkpoint_every=200,
)
PLACED = 1.0
"""Where the term that is not the paper's begins, beside 1 for each of its two."""

_BALANCED_OVER = 512  # items


def coarse_recipe(
    name: str,
    summary: str,
    config: TrainingConfig = TRAINING,
    data: CoarseData = CoarseData(),  # noqa: B008
    *,
    own: float = 0.33,
    kept: Callable[[str], KeptFaces] | None = None,
) -> Recipe:
    """A recipe for CoarseNet.

    Args:
        name: of the checkpoint.
        summary: one line.
        config: of the training.
        data: how items are made; without feedback for a single pass.
        own: see `CoarseLoss`.
        kept: makes the pictures of a split, once they are needed; all of them if None.
    """
    kept = kept or _kept
    return Recipe(
        name=name,
        summary=summary,
        config=config,
        build_model=CoarseNet,
        build_stream=lambda seed: CoarseStream(seed, kept("train"), data),
        loss=CoarseLoss(FaceMesh.load, lru_cache(partial(_weights, kept, data)), own),
        card=lambda trained: _card(name, summary, trained, data, kept),
        storage="int8",
    )


@lru_cache(maxsize=2)
def _kept(split: str) -> KeptFaces:
    return kept_faces(split)


def _weights(kept: Callable[[str], KeptFaces], data: CoarseData) -> CoarseWeights:
    first = CoarseStream(0, kept("train"), data).batch(range(_BALANCED_OVER))
    current, truth = (FaceNumbers.of(first[part]) for part in ("current", "truth"))
    return balanced(FaceMesh.load(), current, truth, PLACED)


@torch.no_grad()
def measure(network: CoarseNet, kept: KeptFaces, data: CoarseData, count: int = 600) -> dict:
    """Errors of a network on pictures as a detector's box would cut them.

    Args:
        network: in evaluation mode.
        kept: pictures of people that it has not seen.
        data: how they are cut; they all start from zero.
        count: how many.

    Returns:
        vertex_mm, of shape alone; placed_mm, of shape and pose; yaw_degrees. Means.
    """
    stream = CoarseStream(1, kept, replace(data, feedback=False))
    mesh, sums = FaceMesh.load(), torch.zeros(3)
    for start in range(0, count, 50):
        batch = stream.batch(range(start, min(count, start + 50)))
        iterations = ITERATIONS if data.feedback else 1
        found = reconstruct_coarse(network, mesh, batch["faces"], iterations).last
        truth = FaceNumbers.of(batch["truth"])
        yaw = (found.pose[:, 1] - truth.pose[:, 1]).abs() * math.degrees(YAW_UNIT)
        errors = (
            geometry_error(found.shape, truth.shape, mesh.gram).sqrt(),
            placed_error(mesh, found, truth, 4),
            yaw,
        )
        sums += torch.stack([error.sum() for error in errors])
    names = ("vertex_mm", "placed_mm", "yaw_degrees")
    return dict(zip(names, (sums / count).tolist(), strict=True))


def _card(name, summary, trained: Trained, data: CoarseData, kept) -> Card:
    metrics = measure(trained.model, kept("validation"), data)
    return Card(
        task=(
            "Estimates shape, expression and pose of a face, 138 numbers, from a grey picture of "
            f"200 pixels: {summary} (Richardson et al., 2017)."
        ),
        data=(
            f"{PEOPLE['train']} synthetic people, four pictures each, yaw within 50 degrees (a "
            f"quarter within 85); metrics on {PEOPLE['validation']} other people."
        ),
        data_licence="Synthetic people: from CC0 assets.",
        licence="Apache-2.0",
        command=f"visage train {name} --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=metrics,
        intended_use="Learning how faces are reconstructed from one picture.",
        must_not_be_used_for=(
            "Identifying people, or measuring anybody's face for a decision about them: it has "
            "seen synthetic people only."
        ),
    )


RECIPES = {
    recipe.name: recipe
    for recipe in (
        coarse_recipe("coarse_net", "iterated on its own answer"),
        coarse_recipe(
            "coarse_net_single",
            "in a single pass, without feedback",
            data=CoarseData(feedback=False),
            own=0.0,
        ),
    )
}
