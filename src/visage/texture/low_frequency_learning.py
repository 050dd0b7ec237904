"""How `LowFrequencyAlbedo` is learned: ``python -m visage.texture.low_frequency_learning``."""

from __future__ import annotations

import time
from pathlib import Path

import torch
import tyro
from torch import Tensor
from tqdm.auto import tqdm

from visage.checkpoints import Card, save_checkpoint
from visage.ledger import current_revision, describe_device
from visage.texture.low_frequency import NAME, SIZE, learn_low_frequencies
from visage.texture.skins import SEED, face_textures
from visage.texture.window import face_region

COMPONENTS = 32
"""K; the paper's 80 are of a model that is ten times as fine."""

_PAINTED = 192  # texels; their means are taken
_TOGETHER = 16


def small_textures(split: str, count: int, *, progress: bool = True) -> Tensor:
    """Textures (count, 3, 64, 64) of the first people of a split."""
    starts = range(0, count, _TOGETHER)
    hidden = None if progress else True
    found = []
    for start in tqdm(starts, desc=f"{split} textures", disable=hidden, leave=False):
        indices = range(start, min(count, start + _TOGETHER))
        fine = face_textures(split, indices, _PAINTED)
        found.append(torch.nn.functional.avg_pool2d(fine, _PAINTED // SIZE))
    return torch.cat(found)


def main(
    count: int = 600,
    tested: int = 100,
    components: int = COMPONENTS,
    folder: Path | None = None,
) -> None:
    """Learn the model and write its checkpoint.

    Args:
        count: training people.
        tested: validation people, for the card.
        components: K.
        folder: where to write; checkpoints/ if None.
    """
    start = time.perf_counter()
    model = learn_low_frequencies(small_textures("train", count), components)
    others = small_textures("validation", tested)
    region = face_region(SIZE)
    error = (model.texture(model.fit(others), SIZE) - others).abs().mean(1, keepdim=True)
    from_mean = (model.mean - others).abs().mean(1, keepdim=True)
    card = Card(
        task=f"Mean and {components} principal components of the face's albedo, {SIZE} texels.",
        data=f"{count} synthetic training people of visage.faces, brows painted in; metrics on "
        f"{tested} validation people.",
        data_licence="CC0-1.0 assets; the textures are the package's own.",
        licence="Apache-2.0",
        command="python -m visage.texture.low_frequency_learning",
        revision=current_revision(),
        seed=SEED,
        device=describe_device(),
        seconds=round(time.perf_counter() - start, 1),
        metrics={
            "mean_error": round(_mean(error, region), 4),
            "mean_error_of_mean_face": round(_mean(from_mean, region), 4),
        },
        intended_use="Completing the low frequencies of a face's albedo, before detail is made.",
        must_not_be_used_for="Measuring or judging people's skin: it knows synthetic skin alone.",
    )
    tensors = {"mean": model.mean, "basis": model.basis, "left": model.left}
    print(save_checkpoint(NAME, tensors, card, folder=folder, storage="int8"))


def _mean(values: Tensor, region: Tensor) -> float:
    """The mean over people and the face's texels."""
    return float((values * region).sum() / (len(values) * region.sum()))


if __name__ == "__main__":
    tyro.cli(main)
