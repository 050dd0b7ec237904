"""How the segmentation network is trained: ``visage train face_segmentation``."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from visage.checkpoints import Card
from visage.ledger import current_revision, describe_device
from visage.texture.occluders import HAND, OBJECT
from visage.texture.segmentation import CHECKPOINT, SegmentationNet
from visage.texture.segmentation_data import EACH, PEOPLE, TRAITS, KeptPeople, kept_people
from visage.texture.segmentation_stream import LAID_OVER, PLAIN, SegmentationStream
from visage.training import Recipe, Trained, TrainingConfig

TRAINING = TrainingConfig(
    steps=2200,
    batch_size=32,
    learning_rate=3e-3,  # batch normalisation bears it, and the run is short
    warmup=100,
    weight_decay=0.01,
    ema=0.99,
    precision="bf16-mixed",  # 1.7 times faster on a processor that has it
    checkpoint_every=50,
)

CLEAR = "clear"
"""The kind of pictures in which nothing hides the face."""


def segmentation_loss(
    network: SegmentationNet, batch: dict[str, Tensor], generator: Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy plus one minus the soft intersection over union of each picture.

    Args:
        network: to be trained.
        batch: of `SegmentationStream`.
        generator: not needed: all chance is in the data.
    """
    odds = network(batch["chips"]).float()
    skin = batch["skin"]
    entropy = binary_cross_entropy_with_logits(odds, skin)
    overlap = soft_iou(odds.sigmoid(), skin).mean()
    loss = entropy + (1 - overlap)
    return loss, {"entropy": entropy, "iou": overlap}


def soft_iou(found: Tensor, truth: Tensor) -> Tensor:
    """Σ min(p, q) / Σ max(p, q) of masks (B, 1, H, W) in [0, 1]: (B,).

    Intersection over union where both are 0 or 1; 1 where both are empty.

    >>> mask = torch.tensor([1.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
    >>> soft_iou(mask, mask.flip(2) + mask)  # half of what is found
    tensor([0.5000])
    """
    common = torch.minimum(found, truth).sum((1, 2, 3))
    either = torch.maximum(found, truth).sum((1, 2, 3))
    return torch.where(either > 0, common / either.clamp(min=1e-6), 1.0)


@torch.no_grad()
def measure(network: SegmentationNet, kept: KeptPeople, seed: int = 1) -> dict[str, Tensor]:
    """Intersection over union on pictures, by what hides the face in them.

    Args:
        network: in evaluation mode.
        kept: pictures of people that it has not seen.
        seed: of where the chips lie, and of what is laid over.

    Returns:
        By kind, IoU (n,) of each picture, n at least 0: "clear", those of
        `visage.texture.segmentation_data.TRAITS`, and, over all pictures, a "hand" or an "object".
    """
    plain = _overlaps(network, SegmentationStream(seed, kept, PLAIN, in_order=True))
    traits = torch.from_numpy(kept.traits.copy())
    found = {CLEAR: plain[~traits.any(1)]}
    found |= {name: plain[traits[:, column]] for column, name in enumerate(TRAITS)}
    for kind in (HAND, OBJECT):
        laid = SegmentationStream(seed, kept, LAID_OVER, kind=kind, in_order=True)
        found[kind] = _overlaps(network, laid)
    return found


def _overlaps(network: SegmentationNet, stream: SegmentationStream) -> Tensor:
    values, count = [], len(stream.kept)
    for start in range(0, count, 32):
        batch = stream.batch(range(start, min(count, start + 32)))
        found, skin = network(batch["chips"]) > 0, batch["skin"] > 0.5
        values.append(soft_iou(found.float(), skin.float()))
    return torch.cat(values)


@lru_cache(maxsize=2)
def _kept(split: str) -> KeptPeople:
    return kept_people(split)


def _card(trained: Trained) -> Card:
    found = measure(trained.model, _kept("validation"))
    metrics = {f"iou_{kind}": float(values.mean()) for kind, values in found.items() if len(values)}
    return Card(
        task=(
            "Says which pixels of a face chip of 128 pixels show the skin of the face: a U-Net for "
            "masking a model fit and a texture (after Saito et al., 2017, section 3)."
        ),
        data=(
            f"{PEOPLE['train']} synthetic people, {EACH} pictures each, with hair, beards, glasses "
            f"and, laid over, hands and other things; metrics on {PEOPLE['validation']} others."
        ),
        data_licence="Synthetic people: from CC0 assets.",
        licence="Apache-2.0",
        command=f"visage train {CHECKPOINT} --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=metrics,
        intended_use="Learning how a face is separated from what hides it.",
        must_not_be_used_for=(
            "Finding, tracking or identifying people: it has seen synthetic people only, and says "
            "nothing about whose face it is."
        ),
    )


RECIPES = {
    CHECKPOINT: Recipe(
        name=CHECKPOINT,
        summary="which pixels show the skin of the face",
        config=TRAINING,
        build_model=SegmentationNet,
        build_stream=lambda seed: SegmentationStream(seed, _kept("train")),
        loss=segmentation_loss,
        card=_card,
        storage="int8",
    )
}
