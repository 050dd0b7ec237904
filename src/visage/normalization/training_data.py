"""What decoders learn from: averaged faces, their morphs, and raw photographs of the same people.

Everything is made once and kept in the cache folder, under a name that changes with the people, the
settings and the faces themselves. The large tensors are mapped from their file, not read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.files import written_whole
from visage.normalization.errors import NormalizationError
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.morphing import FaceMorpher
from visage.normalization.morphs import MorphSettings
from visage.photos.downloads import cache_folder

_BLOCK = 256


class TrainingSetError(NormalizationError):
    """People or amounts of which no training set can be made."""


@dataclass(frozen=True)
class Amounts:
    """How much of everything there is, and how it is drawn."""

    size: int = 112  # pixels a side; the paper has 224
    morphs: int = 12_000  # the paper has a million, of a thousand faces
    photographs: int = 4  # of one person at most
    seed: int = 0  # of the morphs
    morph: MorphSettings = field(default_factory=MorphSettings)


@dataclass(frozen=True, eq=False)
class WildChips:
    """Raw pictures of people, as dlib's recogniser wants them.

    Attributes:
        people: (M,) whose.
        chips: (M, 3, 150, 150), uint8, `visage.photos.alignment.DLIB_CHIP`.
        rows: (M,) int64, the row of the person's face in the set that this belongs to.
    """

    people: tuple[str, ...]
    chips: Tensor
    rows: Tensor

    def __post_init__(self):
        if not len(self.people) == len(self.chips) == len(self.rows):
            raise TrainingSetError(
                f"{len(self.people)} names, {len(self.chips)} chips and {len(self.rows)} rows; "
                "expected as many of each"
            )

    def __len__(self) -> int:
        return len(self.people)


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What a decoder learns from.

    Attributes:
        mean: (68, 2), mean landmarks of the base faces, pixels.
        base: one face a person, without augmentation (figure 9).
        morphs: random morphs of them, composited; morph i began with base face i modulo N.
        photos: raw pictures of the same people, for features that do not depend on the moment.
    """

    mean: Tensor
    base: NormalFaces
    morphs: NormalFaces
    photos: WildChips


@dataclass(frozen=True, eq=False)
class TestSet:
    """People whom no decoder has seen.

    Attributes:
        people: (N,) names.
        photos: several of each; `photos.rows` are places in `people`.
        faces: of synthetic people, N true normalized faces; None for photographs.
    """

    __test__ = False  # no test case, whatever pytest thinks of the name

    people: tuple[str, ...]
    photos: WildChips
    faces: NormalFaces | None = None


def training_set(
    name: str,
    base: NormalFaces,
    photos: Callable[[], WildChips],
    amounts: Amounts,
    *,
    backdrop: float | None = None,
    folder: Path | None = None,
) -> TrainingSet:
    """The training set of some base faces.

    Args:
        name: of the set, for its files.
        base: one face a person, at `amounts.size`.
        photos: makes the raw pictures, once they are needed.
        amounts: of everything.
        backdrop: a plain grey before which all faces are; see `FaceMorpher`.
        folder: of the cache, `cache_folder()` if None.

    Raises:
        TrainingSetError: there are fewer than two faces, or they have another size.
    """
    if len(base) < 2 or base.size != amounts.size:
        raise TrainingSetError(
            f"{len(base)} faces of {base.size} pixels; expected two or more of {amounts.size}"
        )
    name = name if backdrop is None else f"{name}-backdrop-{round(255 * backdrop)}"
    folder = set_folder(name, base, amounts, folder)
    make_morphs = lru_cache(lambda: FaceMorpher(base, amounts.morph, backdrop=backdrop))
    aligned = kept(
        folder / "base.safetensors",
        lambda: {"mean": make_morphs().mean, "aligned": stored(make_morphs().textures)},
    )
    mean = aligned["mean"]
    return TrainingSet(
        mean,
        NormalFaces(base.people, base.images, base.landmarks, **aligned),
        _morphs(folder / "morphs.safetensors", base.people, make_morphs, amounts, mean),
        _photos(folder / "photos.safetensors", photos),
    )


def set_folder(name: str, base: NormalFaces, amounts: Amounts, folder: Path | None) -> Path:
    """Where a set's files are: it depends on all that they are made of."""
    key = hashlib.sha256(json.dumps(asdict(amounts), sort_keys=True).encode())
    key.update("\n".join(base.people).encode())
    for tensor in (base.images, base.landmarks):
        key.update(tensor.contiguous().numpy().tobytes())
    return (folder or cache_folder()) / "normalization" / f"{name}-{key.hexdigest()[:16]}"


def _morphs(
    path: Path,
    people: Sequence[str],
    morpher: Callable[[], FaceMorpher],
    amounts: Amounts,
    mean: Tensor,
) -> NormalFaces:
    def make(indices: Sequence[int]) -> dict[str, Tensor]:
        made = morpher().draw(amounts.seed, indices)
        return {
            "images": stored(made.images),
            "aligned": stored(made.textures),
            "landmarks": made.landmarks,
        }

    found = in_blocks(path, amounts.morphs, make)
    names = tuple(people[i % len(people)] for i in range(amounts.morphs))
    return NormalFaces(names, **found, mean=mean)


def kept(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors from a file, which is made if it is not there."""
    if not path.exists():
        with written_whole(path) as temporary:
            safetensors.torch.save_file(make(), temporary)
    return safetensors.torch.load_file(path)


def in_blocks(
    path: Path, count: int, make: Callable[[Sequence[int]], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Tensors of `count` items from one file, which is made in blocks that survive a stop."""
    if not path.exists():
        blocks = []
        starts = range(0, count, _BLOCK)
        for start in tqdm(starts, desc=path.stem, unit="block", disable=None, leave=False):
            block = path.with_name(f"{path.stem}-{start:07d}.part")
            if not block.exists():
                tensors = make(range(start, min(start + _BLOCK, count)))
                with written_whole(block) as temporary:
                    safetensors.torch.save_file(tensors, temporary)
            blocks.append(block)
        parts = [safetensors.torch.load_file(block) for block in blocks]
        joined = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        with written_whole(path) as temporary:
            safetensors.torch.save_file(joined, temporary)
        for block in blocks:
            block.unlink()
    return safetensors.torch.load_file(path)


def _photos(path: Path, make: Callable[[], WildChips]) -> WildChips:
    if not path.exists():
        made = make()
        with written_whole(path) as temporary:
            safetensors.torch.save_file(
                {"chips": made.chips, "rows": made.rows},
                temporary,
                metadata={"people": json.dumps(made.people)},
            )
    with safetensors.safe_open(path, framework="pt") as file:
        people = tuple(json.loads(file.metadata()["people"]))
    return WildChips(people, **safetensors.torch.load_file(path))
