"""Held-out people with true depth, in the windows that a detector gives: table 1 measures on them.

The paper measures on FRGC, photographs with scans beside them. Here people of a split whom no
network has seen are drawn with everything that the world has (hair, glasses, clothes, all lights
and expressions), a detector finds their faces, and the truth is what lies under each pixel of the
window, wrinkles included (`visage.geometry.relief_depth`). Where the detector finds none, the
window lies where it would have put it on average; `HeldOut.found` counts them.

Everything is drawn once, and kept in the cache folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.population import SPLITS
from visage.faces.shape import MorphableModel
from visage.geometry.errors import HeldOutError
from visage.geometry.held_out_drawing import LIGHTS, SETTING, Sitting, draw_sittings
from visage.geometry.kept_detail import kept
from visage.geometry.representation import SIZE, FaceNumbers
from visage.photos.downloads import cache_folder

PEOPLE = 500
"""As many as table 1 is measured on."""

PERSPECTIVE = 200
"""How many of them are also seen by a perspective camera."""

YAWS = (0, 15, 30, 45, 60, 75, 90)
"""Degrees, of `yaw_series`."""

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the expression, in `expression_series`."""

_SHOWN = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
_SHARD = 50  # pictures in a file
_MM, _NOWHERE = 200.0, -32768  # depth as integers on disk: of 5 micrometres


@dataclass(frozen=True, eq=False)
class HeldOut:
    """N faces in their windows, and the truth."""

    sittings: tuple[Sitting, ...]  # N: who, and what was asked for
    faces: Tensor  # (N, 1, S, S), grey, sRGB, in [0, 1]
    depth: Tensor  # (N, 1, S, S) mm, larger is farther, with wrinkles; infinite without a head
    mask: Tensor  # (N, 1, S, S) bool, where the face is, bare or covered
    numbers: FaceNumbers  # true; of a perspective picture, as if from far away
    landmarks: Tensor  # (N, 68, 2), pixels, as dlib's predictor finds them
    found: Tensor  # (N,) bool, whether dlib's detector saw the face

    def __len__(self) -> int:
        """N."""
        return len(self.faces)

    def __getitem__(self, index: slice | Sequence[int]) -> HeldOut:
        """Some of the faces; a slice, or numbers."""
        chosen = torch.arange(len(self))[index if isinstance(index, slice) else list(index)]
        parts = (self.faces, self.depth, self.mask, self.numbers, self.landmarks, self.found)
        sittings = tuple(self.sittings[i] for i in chosen.tolist())
        return HeldOut(sittings, *(part[chosen] for part in parts))

    @property
    def size(self) -> int:
        """S."""
        return self.faces.shape[-1]

    @property
    def yaw(self) -> Tensor:
        """(N,) radians, true."""
        return self.numbers.camera().angles[:, 1]


def held_out_faces(
    count: int = PEOPLE,
    split: str = "test",
    *,
    perspective: bool = False,
    size: int = SIZE,
    folder: Path | None = None,
    progress: bool = True,
) -> HeldOut:
    """One picture of each of the first people of a split, yaw within 45 degrees.

    About 2 pictures a second on one core.

    Args:
        count: people.
        split: of `visage.faces.population.SPLITS`.
        perspective: whether a camera stands 0.7 to 3 m before them; else infinitely far.
        size: pixels of the windows.
        folder: of the cache, `cache_folder()` if None.
        progress: whether to show it.

    Raises:
        HeldOutError: there is no such split, or the count is below 1.
    """
    chosen = [Sitting(person, perspective=perspective) for person in range(count)]
    return sittings_drawn(chosen, split, size=size, folder=folder, progress=progress)


def yaw_series(
    people: int = 24, split: str = "test", yaws: Sequence[float] = YAWS, *, size: int = SIZE
) -> HeldOut:
    """Each person at each yaw (degrees), to the right if their number is even, else to the left."""
    chosen = [
        Sitting(person, yaw=float(yaw if person % 2 == 0 else -yaw))
        for person in range(people)
        for yaw in yaws
    ]
    return sittings_drawn(chosen, split, size=size)


def expression_series(
    people: int = 24, split: str = "test", strengths: Sequence[float] = STRENGTHS
) -> HeldOut:
    """Each person with one expression (they go round), in all strengths; yaw as everyday."""
    chosen = [
        Sitting(person, expression=_SHOWN[person % len(_SHOWN)], strength=float(strength))
        for person in range(people)
        for strength in strengths
    ]
    return sittings_drawn(chosen, split)


def light_series(
    people: int = 24, split: str = "test", lights: Sequence[str] = tuple(LIGHTS)
) -> HeldOut:
    """Each person in each kind of light, all else alike."""
    chosen = [Sitting(person, light=light) for person in range(people) for light in lights]
    return sittings_drawn(chosen, split)


def sittings_drawn(
    sittings: Sequence[Sitting],
    split: str = "test",
    *,
    size: int = SIZE,
    folder: Path | None = None,
    progress: bool = True,
) -> HeldOut:
    """Draw sittings, or find them in the cache.

    Args:
        sittings: N of them.
        split: of `visage.faces.population.SPLITS`, whose people sit.
        size: pixels of the windows.
        folder: of the cache, `cache_folder()` if None.
        progress: whether to show it.

    Raises:
        HeldOutError: there is no such split, or nobody sits.
    """
    if split not in SPLITS:
        raise HeldOutError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    if not sittings:
        raise HeldOutError("nobody sits; give at least one sitting")
    folder = (folder or cache_folder()) / "geometry" / "held_out"
    starts = range(0, len(sittings), _SHARD)
    hidden = None if progress else True
    parts = [
        _shard(folder, split, tuple(sittings[start : start + _SHARD]), size)
        for start in tqdm(starts, desc=f"{split} held out", unit="shard", disable=hidden,
                          leave=False)
    ]  # fmt: skip
    stored = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    nowhere = stored["depth"] == _NOWHERE
    return HeldOut(
        tuple(sittings),
        stored["faces"].float() / 255,
        (stored["depth"].float() / _MM).masked_fill(nowhere, torch.inf),
        stored["mask"] > 0,
        FaceNumbers.of(stored["numbers"]),
        stored["landmarks"],
        stored["found"] > 0,
    )


def _shard(folder: Path, split: str, some: tuple[Sitting, ...], size: int) -> dict[str, Tensor]:
    key = hashlib.sha256(repr((split, size, some, SETTING)).encode()).hexdigest()[:16]

    def make() -> dict[str, Tensor]:
        drawn = draw_sittings(_model(), split, some, size)
        depth = (_MM * drawn.pop("depth")).round().nan_to_num(posinf=_NOWHERE)
        drawn["depth"] = depth.clamp(-32768, 32767).to(torch.int16)
        drawn["faces"] = (255 * drawn["faces"].clamp(0, 1)).round().to(torch.uint8)
        return {name: value.contiguous() for name, value in drawn.items()}

    return kept(folder / f"{key}.safetensors", make)


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load(1)


def main() -> None:
    """Draw all that the experiments measure on."""
    print(f"{len(held_out_faces(150, 'validation'))} of validation")
    print(f"{len(held_out_faces())} of table 1")
    print(f"{len(held_out_faces(PERSPECTIVE, perspective=True))} seen from near")
    for series in (yaw_series, expression_series, light_series):
        print(f"{len(series())} of the {series.__name__}")


if __name__ == "__main__":
    main()
