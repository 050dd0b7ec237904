"""How FineNet is trained: ``visage train fine_net``, and its twin by the paper's criterion alone.

The paper trains without supervision, because no true detail was to be had. Renders have it, so that
both can be compared on people whom neither has seen; `fine_net` is the better of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Generator, Tensor, nn

from visage.checkpoints import Card, read_card
from visage.faces.reflectance import decode_srgb
from visage.geometry.coarse_network import load_coarse_net
from visage.geometry.detail import coarse_like
from visage.geometry.detail_error import DetailErrors, compared, detail_errors
from visage.geometry.detail_loss import slope_loss
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_loss import explain, fine_loss
from visage.geometry.fine_network import FineNet
from visage.geometry.fine_stream import FineData, FineStream
from visage.geometry.kept_detail import SETS, KeptDetail, detailed_faces
from visage.geometry.kept_detail import kept as kept_tensors
from visage.geometry.pipeline import coarse_looks
from visage.geometry.rendering_layer import render_depth
from visage.geometry.representation import FaceNumbers
from visage.ledger import current_revision, describe_device
from visage.photos.downloads import cache_folder
from visage.training import Recipe, Trained, TrainingConfig

TRAINING = TrainingConfig(
    steps=6000,
    batch_size=8,
    learning_rate=4e-3,
    warmup=60,
    weight_decay=0.02,
    gradient_clip=1.0,
    ema=0.995,
    checkpoint_every=100,
)


@dataclass(frozen=True)
class FineCriterion:
    """The criterion as `visage.training` takes it: true slopes, the paper's eq. 14, or both."""

    supervised: float = 1.0  # weight of `slope_loss`, which begins at about 0.1
    unsupervised: float = 0.0  # weight of `fine_loss`, which begins at about 3
    # Convolutions in bfloat16, 1.8 times faster on a processor that has it. Not the recipe's own
    # mixed precision, which would round the depth that goes in to half a millimetre.
    mixed: bool = True

    def __call__(
        self, network: nn.Module, batch: dict[str, Tensor], generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and its parts for the log."""
        coarse, mask, scale = batch["coarse"], batch["mask"], batch["scale"]
        with torch.autocast(coarse.device.type, torch.bfloat16, enabled=self.mixed):
            fine = network(batch["faces"], coarse, mask, scale)
        total, terms = fine.new_zeros(()), {}
        if self.supervised:
            slopes = slope_loss(fine, batch["truth"], batch["weight"], scale).mean()
            before = slope_loss(coarse, batch["truth"], batch["weight"], scale).mean()
            terms |= {"slopes": slopes, "of_coarse": slopes / before}
            total = total + self.supervised * slopes
        if self.unsupervised:
            linear, skin = decode_srgb(batch["clean"]), batch["skin"]
            found = explain(linear, coarse, batch["mean"], batch["modes"], skin, scale).detach()
            parts = fine_loss(fine, coarse, linear, found, skin, scale)
            terms |= {name: getattr(parts, name).mean() for name in vars(parts)}
            total = total + self.unsupervised * parts.total.mean()
        return total, terms


def fine_recipe(
    name: str,
    summary: str,
    criterion: FineCriterion,
    config: TrainingConfig = TRAINING,
    data: FineData = FineData(),  # noqa: B008
    kept: Callable[[str], KeptDetail] | None = None,
    estimates: Callable[[str], Tensor | None] | None = None,
) -> Recipe:
    """A recipe for FineNet.

    Args:
        name: of the checkpoint.
        summary: one line.
        criterion: what is minimised.
        config: of the training.
        data: how items are made.
        kept: makes the faces of a split, once they are needed; all of them if None.
        estimates: gives CoarseNet's answers (N, 138) for them, or None where they shall be
            imitated; the shipped network's if None.
    """
    kept, estimates = kept or _kept, estimates or coarse_estimates
    return Recipe(
        name=name,
        summary=summary,
        config=config,
        build_model=lambda: FineNet().to(memory_format=torch.channels_last),  # faster
        build_stream=lambda seed: FineStream(
            seed,
            kept("train"),
            data,
            estimates=estimates("train"),
            textures=criterion.unsupervised > 0,
        ),
        loss=criterion,
        card=lambda trained: _card(name, summary, trained, kept, estimates),
        storage="int8",
    )


@lru_cache(maxsize=2)
def _kept(split: str) -> KeptDetail:
    return detailed_faces(split)


@lru_cache(maxsize=3)
def coarse_estimates(split: str) -> Tensor:
    """The shipped CoarseNet's answers (N, 138) for all kept faces of a split; kept too.

    Raises:
        CheckpointError: CoarseNet is missing or damaged.
    """
    faces, network = _kept(split).stored["faces"], load_coarse_net()
    path = cache_folder() / "geometry" / f"coarse-{split}-{read_card('coarse_net').sha256[:12]}"

    def estimate() -> dict[str, Tensor]:
        parts = [coarse_looks(network, part.float() / 255).last.numbers for part in faces.split(48)]
        return {"numbers": torch.cat(parts)}

    return kept_tensors(path.with_suffix(".safetensors"), estimate)["numbers"]


@torch.no_grad()
def measure(
    network: FineNet, kept: KeptDetail, estimates: Tensor | None, count: int | None = None
) -> dict[str, float]:
    """Fine errors beside coarse ones, on faces that the network has not seen.

    Args:
        network: in evaluation mode.
        kept: faces of people that it has not seen.
        estimates: (N, 138), CoarseNet's answers for them; imitated ones if None.
        count: how many; all if None.

    Returns:
        high_frequency_error_ratio and covered_error_ratio, of errors with and without the network;
        normal_error_deg and coarse_normal_error_deg; wrinkle_energy_recovered.
    """
    mesh = FaceMesh.load(1)
    fine, coarse = [], []
    for start in range(0, len(kept) if count is None else min(count, len(kept)), 8):
        some = kept.rows(slice(start, start + 8))
        if estimates is None:
            numbers = coarse_like(some.truth, torch.Generator().manual_seed(start))
        else:
            numbers = FaceNumbers.of(estimates[start : start + 8])
        drawn = render_depth(mesh, numbers, some.faces.shape[-1])
        scale = numbers.camera(some.faces.shape[-1]).scale
        depth = network(some.faces, drawn.depth, drawn.mask, scale)
        pixels = compared([drawn.depth], some.depth, drawn.mask * some.mask, scale)
        for found, surface in ((fine, depth), (coarse, drawn.depth)):
            found.append(detail_errors(surface, some.depth, some.relief, pixels, some.seen, scale))
    return summary(*(DetailErrors.joined(found) for found in (fine, coarse)))


def summary(fine: DetailErrors, coarse: DetailErrors) -> dict[str, float]:
    """Means over faces, and their ratios."""
    after, before = (
        {name: float(values.nanmean()) for name, values in vars(errors).items()}
        for errors in (fine, coarse)
    )
    return {
        "high_frequency_error_ratio": after["high_frequency"] / before["high_frequency"],
        "covered_error_ratio": after["covered"] / before["covered"],
        "normal_error_deg": after["normals"],
        "coarse_normal_error_deg": before["normals"],
        "wrinkle_energy_recovered": 1 - after["wrinkles"] / before["wrinkles"],
    }


def _card(name: str, summary: str, trained: Trained, kept, estimates) -> Card:
    people, views = SETS["train"]
    return Card(
        task=(
            "Refines the depth map of a face by what a grey picture of it shows, any size: "
            f"{summary} (Richardson et al., 2017, section 4)."
        ),
        data=(
            f"{people} synthetic people with true wrinkles from {views} sides, from "
            f"CoarseNet's answers; metrics on {SETS['validation'][0]} other people."
        ),
        data_licence="Synthetic people: from CC0 assets.",
        licence="Apache-2.0",
        command=f"visage train {name} --ship",
        revision=current_revision(),
        seed=trained.config.seed,
        device=describe_device(trained.device),
        seconds=round(trained.seconds, 1),
        metrics=measure(trained.model, kept("validation"), estimates("validation")),
        intended_use="Learning how shading becomes geometry.",
        must_not_be_used_for=(
            "Identifying people, or judging anybody's skin, age or health: it has seen synthetic "
            "people only, and what it carves may be a shadow or a mark."
        ),
    )


SUPERVISED = FineCriterion()
UNSUPERVISED = FineCriterion(supervised=0.0, unsupervised=1.0)
BOTH = FineCriterion(supervised=1.0, unsupervised=0.02)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        fine_recipe("fine_net", "trained on true slopes", SUPERVISED),
        fine_recipe(
            "fine_net_unsupervised",
            "trained by the paper's criterion",
            UNSUPERVISED,
            replace(TRAINING, steps=1500),  # a quarter: it is there to be compared
        ),
    )
}
