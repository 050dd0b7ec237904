"""How both networks are trained as one: ``visage train end_to_end``."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from visage.checkpoints import Card
from visage.geometry.coarse_network import load_coarse_net
from visage.geometry.end_to_end import EndToEnd, EndToEndLoss, FaceStream
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_network import load_fine_net
from visage.geometry.kept_detail import detailed_faces
from visage.geometry.photo_windows import photo_windows
from visage.geometry.representation import FaceNumbers
from visage.ledger import current_revision, describe_device
from visage.photos.lfw import LFWNotFoundError
from visage.training import Recipe, Trained, TrainingConfig

TRAINING = TrainingConfig(
    steps=150,  # minutes of a core: to see what moves
    batch_size=6,
    learning_rate=3e-6,  # both are trained already: at 1e-4 CoarseNet is lost in 20 steps
    warmup=20,
    weight_decay=0.0,
    gradient_clip=1.0,
    checkpoint_every=50,
)


def end_to_end_recipe(
    name: str = "end_to_end",
    config: TrainingConfig = TRAINING,
    parts: Callable[[], EndToEnd] | None = None,
    faces: Callable[[str], Tensor] | None = None,
) -> Recipe:
    """A recipe for section 4.4.

    Args:
        name: of the checkpoint.
        config: of the training.
        parts: gives the networks to begin with; the shipped ones if None.
        faces: gives pictures (N, 1, 200, 200) uint8 of "train" or "test"; all there are if None.
    """
    faces = faces or _faces
    return Recipe(
        name=name,
        summary="both networks through the rendering layer, on faces without labels",
        config=config,
        build_model=parts or _shipped,
        build_stream=lambda seed: FaceStream(seed, lambda: faces("train")),
        loss=EndToEndLoss(),
        card=lambda trained: _card(name, trained, faces("test")),
        storage="int8",
    )


def _shipped() -> EndToEnd:
    return EndToEnd(load_coarse_net(), load_fine_net())


@lru_cache(maxsize=2)
def _faces(side: str) -> Tensor:
    """Photographs, where there are any, and renders: of their people to learn from, or others."""
    drawn = detailed_faces("train" if side == "train" else "validation", progress=False)
    try:
        photos = photo_windows(side, 600 if side == "train" else 60)
    except LFWNotFoundError:
        photos = drawn.stored["faces"][:0]
    return torch.cat([photos, drawn.stored["faces"][: max(len(photos), 48)]])


@torch.no_grad()
def measure(network: EndToEnd, faces: Tensor, count: int = 48) -> dict[str, float]:
    """What training as one changed, on faces that were not trained on.

    Args:
        network: in evaluation mode.
        faces: (N, 1, 200, 200) uint8.
        count: how many of them, evenly spread.

    Returns:
        criterion, eq. 14 after FineNet; moved_mm, between CoarseNet's vertices before and after.
    """
    rows = torch.linspace(0, len(faces) - 1, min(count, len(faces))).long()
    loss, totals = EndToEndLoss(fidelity=0.0), []
    for some in faces[rows].float().div(255).split(6):
        passed = network(some)
        before, after = (_placed(passed[name]) for name in ("original", "numbers"))
        moved = (after - before).norm(dim=2).mean()
        fine, _ = loss(lambda _, found=passed: found, {"faces": some}, torch.Generator())
        totals.append(torch.stack([fine, moved]) * len(some))
    criterion, moved = (torch.stack(totals).sum(0) / len(rows)).tolist()
    return {"criterion": criterion, "moved_mm": moved}


def _placed(values: Tensor) -> Tensor:
    """(B, N, 3) mm, the vertices of numbers (B, 138) in the view frame."""
    numbers = FaceNumbers.of(values)
    return numbers.camera().view(numbers.vertices(FaceMesh.load()))


def _card(name: str, trained: Trained, faces: Tensor) -> Card:
    return Card(
        task="CoarseNet and FineNet, trained on as one (Richardson et al., 2017, section 4.4).",
        data="Labeled Faces in the Wild, where present, and synthetic people; no labels.",
        data_licence="Synthetic people: from CC0 assets. LFW: for research, not shipped.",
        licence="Apache-2.0",
        command=f"visage train {name} --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=measure(trained.model, faces),
        intended_use="Learning what training end to end changes.",
        must_not_be_used_for=(
            "Identifying people, or judging anybody's skin, age or health: what it carves may be a "
            "shadow or a mark."
        ),
    )


RECIPES: dict[str, Recipe] = {"end_to_end": end_to_end_recipe()}
