"""Chips of faces to train and measure a recogniser on, cut once and remembered.

Photographs, pictures of the synthetic world and reconstructed faces all become the same thing:
dlib's 150-pixel chip, kept in 8 bits, with 68 landmarks that are found on the chip itself. So a
recogniser cannot tell by the cutting where a face came from.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.dataset import SyntheticFaces
from visage.files import written_whole
from visage.photos.alignment import DLIB_CHIP, align
from visage.photos.downloads import cache_folder
from visage.photos.landmarks import FaceBox, find_landmarks
from visage.photos.lfw import LFW
from visage.recognition.portraits import Photo, find_portrait

CHIP_FACE = FaceBox(left=1.0, top=4.0, right=136.0, bottom=139.0, score=0.0)
"""Where dlib's detector sees the face of a chip: the median over 60 photographs of LFW."""

_BLOCK = 128
_RENDERED = 160  # pixels a side of a synthetic picture: its face is about as large as LFW's


@dataclass(frozen=True)
class Chips:
    """N chips and whose they are.

    Attributes:
        people: (N,) names of the people; equal names are one person.
        chips: (N, 3, 150, 150), uint8.
        landmarks: (N, 68, 2), (x, y) pixels of the chip, by `chip_landmarks`.
    """

    people: np.ndarray
    chips: Tensor
    landmarks: Tensor

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, rows: np.ndarray) -> Chips:
        """Some of the chips, by index or by mask."""
        chosen = torch.from_numpy(np.arange(len(self))[rows])
        return Chips(self.people[rows], self.chips[chosen], self.landmarks[chosen])

    def __add__(self, other: Chips) -> Chips:
        return Chips(
            np.concatenate([self.people, other.people]),
            torch.cat([self.chips, other.chips]),
            torch.cat([self.landmarks, other.landmarks]),
        )


def first_of_each(chips: Chips, most: int) -> Chips:
    """The first ``most`` chips of each person, in the same order."""
    seen = Counter[str]()
    rows = []
    for row, person in enumerate(chips.people.tolist()):
        seen[person] += 1
        if seen[person] <= most:
            rows.append(row)
    return chips[np.array(rows, dtype=int)]


def chip_landmarks(chips: Tensor) -> Tensor:
    """Landmarks of chips, without a detector: the face of a chip is where it always is.

    Args:
        chips: (B, 3, 150, 150), in [0, 1].

    Returns:
        (B, 68, 2), float32, (x, y) pixels of the chip.
    """
    return torch.cat([find_landmarks(chip, CHIP_FACE) for chip in chips.split(1)])


def lfw_chips(lfw: LFW, photos: Sequence[Photo], *, folder: Path | None = None) -> Chips:
    """Chips of photographs of Labeled Faces in the Wild; 0.1 s each the first time.

    Args:
        lfw: the data set, opened.
        photos: (name, number) of each.
        folder: of the cache, `cache_folder()` if None.
    """

    def cut(some: Sequence[Photo]) -> Tensor:
        images = [lfw.image(*photo) for photo in some]
        points = [find_portrait(image).landmarks for image in images]
        return align(torch.cat(images), torch.cat(points), DLIB_CHIP)

    names = [f"{name}/{number}" for name, number in photos]
    return _collected("lfw", names, photos, [name for name, _ in photos], cut, folder)


def synthetic_chips(
    people_count: int, shots_each: int, split: str, *, seed: int = 0, folder: Path | None = None
) -> Chips:
    """Chips of people who do not exist, cut by their true landmarks.

    Args:
        people_count: how many.
        shots_each: chips of each.
        split: of `visage.faces.population.SPLITS`.
        seed: of the world.
        folder: of the cache, `cache_folder()` if None.
    """
    faces = SyntheticFaces(
        people_count, shots_each, size=_RENDERED, seed=seed, split=split, answers=("landmarks",)
    )

    def draw(some: Sequence[int]) -> Tensor:
        items = faces.__getitems__(some)
        images, landmarks = (
            torch.stack([i[name] for i in items]) for name in ("image", "landmarks")
        )
        return align(images, landmarks, DLIB_CHIP)

    people = [synthetic_name(split, i // shots_each, seed) for i in range(len(faces))]
    names = [f"{person}/{i % shots_each}" for i, person in enumerate(people)]
    return _collected("synthetic", names, range(len(faces)), people, draw, folder)


def synthetic_name(split: str, number: int, seed: int = 0) -> str:
    """What `Chips.people` calls a person of the synthetic world."""
    return f"synthetic-{seed}-{split}/{number}"


def _collected(
    kind: str,
    names: Sequence[str],
    items: Sequence,
    people: Sequence[str],
    chips_of: Callable[[Sequence], Tensor],
    folder: Path | None,
) -> Chips:
    """Chips block by block, from the cache where they are known."""
    folder = (folder or cache_folder()) / "chips"
    # The first chip is cut again: where it has changed, so may the rest.
    probe = F.adaptive_avg_pool2d(chips_of(items[:1]), 8).mul(100).round().tolist()
    found = []
    starts = range(0, len(names), _BLOCK)
    alone = len(starts) == 1 or None  # the bar of a single block would tell nothing
    for start in tqdm(starts, desc=f"{kind} chips", unit="block", disable=alone, leave=False):
        block = slice(start, start + _BLOCK)
        text = "\n".join([f"{probe}", *names[block]])
        path = folder / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"
        if not path.exists():
            with torch.no_grad():
                chips = (255 * chips_of(items[block]).clamp(0, 1)).round().to(torch.uint8)
                # Of the chips as they are stored, so that the landmarks are those of the picture.
                landmarks = chip_landmarks(chips.float() / 255)
            with written_whole(path) as temporary:
                safetensors.torch.save_file({"chips": chips, "landmarks": landmarks}, temporary)
        found.append(safetensors.torch.load_file(path))
    return Chips(
        np.array(people),
        torch.cat([one["chips"] for one in found]),
        torch.cat([one["landmarks"] for one in found]),
    )
