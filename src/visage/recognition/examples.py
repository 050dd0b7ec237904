"""Embedded faces to learn from and to be measured on, with the chips that they came from.

Finding, cutting and embedding a face costs a thousand times what reading the result does, so that
it is done once and kept in the cache folder, in blocks: a stopped run goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.dataset import SyntheticFaces
from visage.files import written_whole
from visage.photos.alignment import align
from visage.photos.downloads import cache_folder
from visage.photos.lfw import LFW, split
from visage.recognition.encoder import Encoder, embed_mirrored
from visage.recognition.portraits import find_portrait

Side = Literal["train", "test"]

_BLOCK = 32
RENDERED = 224  # pixels a side of a synthetic portrait: a face in it is as large as a chip's


class ExampleError(ValueError):
    """No example to learn from."""


@dataclass(frozen=True)
class Examples:
    """N chips with their embeddings.

    Attributes:
        names: of the person and the picture.
        chips: (N, 3, S, S), uint8.
        embeddings: (N, dim), float32, each the mean of a chip's and its mirror image's.
    """

    names: tuple[str, ...]
    chips: Tensor
    embeddings: Tensor

    def __add__(self, other: Examples) -> Examples:
        return Examples(
            self.names + other.names,
            torch.cat([self.chips, other.chips]),
            torch.cat([self.embeddings, other.embeddings]),
        )

    def chosen(self, rows: Sequence[int]) -> Examples:
        """Some of them, in this order."""
        index = torch.tensor(rows)
        names = tuple(self.names[row] for row in rows)
        return Examples(names, self.chips[index], self.embeddings[index])

    def pictures(self, batch: int = 64) -> Iterator[Tensor]:
        """The chips, (B, 3, S, S) in [0, 1], batch by batch."""
        for chips in self.chips.split(batch):
            yield chips.float() / 255


def lfw_examples(
    encoder: Encoder,
    lfw: LFW,
    side: Side,
    count: int,
    *,
    per_person: int = 4,
    least: int = 1,
    folder: Path | None = None,
) -> Examples:
    """Photographs of people who are on one side of `visage.photos.lfw.split`.

    Args:
        encoder: what embeds them.
        lfw: the data set, opened.
        side: of the split; nobody is on both.
        count: photographs at most, in an order that depends on their names only.
        per_person: photographs of one person at most.
        least: photographs that a person must have to be taken at all.
        folder: of the cache, `cache_folder()` if None.
    """
    photos = [
        (name, number)
        for name, numbers in lfw.people().items()
        if split(name) == side and len(numbers) >= least
        for number in numbers[:per_person]
    ]
    order = np.random.default_rng(0).permutation(len(photos))[:count]
    names = {f"{name}/{number}": (name, number) for name, number in (photos[i] for i in order)}

    def cut(wanted: Sequence[str]) -> Tensor:
        chips = []
        for key in wanted:
            image = lfw.image(*names[key])
            chips.append(align(image, find_portrait(image).landmarks, encoder.crop))
        return torch.cat(chips)

    return _collected(encoder, "lfw", list(names), cut, folder)


def synthetic_examples(
    encoder: Encoder, side: Side, count: int, *, folder: Path | None = None
) -> Examples:
    """One portrait of each of some people who do not exist, cut by its true landmarks.

    Args:
        encoder: what embeds them.
        side: of `visage.faces.population.SPLITS`.
        count: of people.
        folder: of the cache, `cache_folder()` if None.
    """
    faces = SyntheticFaces(count, size=RENDERED, split=side, answers=("landmarks",))
    numbers = {f"synthetic-{side}/{number}": number for number in range(count)}

    def draw(wanted: Sequence[str]) -> Tensor:
        items = faces.__getitems__([numbers[key] for key in wanted])
        images, landmarks = (
            torch.stack([i[name] for i in items]) for name in ("image", "landmarks")
        )
        return align(images, landmarks, encoder.crop, padding="border")

    return _collected(encoder, "synthetic", list(numbers), draw, folder)


def _collected(
    encoder: Encoder,
    kind: str,
    names: list[str],
    chips_of: Callable[[Sequence[str]], Tensor],
    folder: Path | None,
) -> Examples:
    """Examples block by block, from the cache where they are known."""
    if not names:
        raise ExampleError(f"there is no {kind} example to learn from; ask for one at least.")
    folder = (folder or cache_folder()) / "examples"
    blocks = [names[start : start + _BLOCK] for start in range(0, len(names), _BLOCK)]
    # The first example goes through the whole chain again: where it has changed, so may the rest.
    probe = F.adaptive_avg_pool2d(chips_of(names[:1]), 8).mul(100).round().tolist()
    found = []
    alone = len(blocks) == 1 or None  # the bar of a single block would tell nothing
    for block in tqdm(blocks, desc=f"{kind} examples", unit="block", disable=alone, leave=False):
        digest = hashlib.sha256("\n".join([encoder.name, f"{probe}", *block]).encode()).hexdigest()[
            :16
        ]
        path = folder / f"{kind}-{digest}.safetensors"
        if not path.exists():
            tensors = _embedded(encoder, chips_of(block))
            with written_whole(path) as temporary:
                safetensors.torch.save_file(tensors, temporary)
        found.append(safetensors.torch.load_file(path))
    chips, embeddings = (torch.cat([one[key] for one in found]) for key in ("chips", "embeddings"))
    return Examples(tuple(names), chips, embeddings)


@torch.no_grad()
def _embedded(encoder: Encoder, chips: Tensor) -> dict[str, Tensor]:
    stored = (255 * chips.clamp(0, 1)).round().to(torch.uint8)
    # Of the chips as they are stored, so that the embedding is that of the picture.
    return {"chips": stored, "embeddings": embed_mirrored(encoder, stored.float() / 255)}
