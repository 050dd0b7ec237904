"""Drawn faces with true wrinkles, on disk: `python -m visage.geometry.kept_detail` draws all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.population import SPLITS
from visage.files import written_whole
from visage.geometry import detail
from visage.geometry.detail import SEED, DetailedFaces, draw_detailed
from visage.geometry.errors import DetailError
from visage.geometry.random_relief import ReliefRanges
from visage.geometry.representation import SIZE
from visage.photos.downloads import cache_folder

SETS = {"train": (800, 3), "validation": (48, 1), "test": (144, 1)}
"""People that are drawn, and views of each."""

_TOGETHER = 6  # people drawn at once
_SHARD = 24  # people in a file

# As integers on disk: of a hundredth of a millimetre, of a thousandth, of 255.
_MM, _FINE, _NOWHERE = 100.0, 1000.0, -32768


def detailed_faces(
    split: str,
    count: int | None = None,
    size: int = SIZE,
    *,
    views: int | None = None,
    folder: Path | None = None,
    progress: bool = True,
) -> KeptDetail:
    """The first people of a split; those that no cache holds are drawn first.

    About 4 pictures a second on one core at 200 pixels. Those of the split "train" have random
    relief. A stopped call goes on at its last 24 people.

    Args:
        split: of `visage.faces.population.SPLITS`.
        count: people; as many as `SETS` says if None.
        size: pixels.
        views: of each; as many as `SETS` says if None.
        folder: of the cache, `cache_folder()` if None.
        progress: whether to show it.

    Raises:
        DetailError: there is no such split, or the count is below 1.
    """
    if split not in SPLITS:
        raise DetailError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    count = SETS[split][0] if count is None else count
    views = SETS[split][1] if views is None else views
    if count < 1 or views < 1:
        raise DetailError(f"{count} people from {views} sides; give at least 1 of both")
    folder = (folder or cache_folder()) / "geometry" / f"detail-{_edition()}"
    starts = range(0, count, _SHARD)
    hidden = None if progress else True
    parts = []
    for start in tqdm(starts, desc=f"{split} detail", unit="shard", disable=hidden, leave=False):
        stop = min(start + _SHARD, count)
        parts.append(_shard(folder, split, range(start, stop), size, views))
    return KeptDetail({name: torch.cat([part[name] for part in parts]) for name in parts[0]})


@dataclass(frozen=True, eq=False)
class KeptDetail:
    """N drawn faces, as integers."""

    stored: dict[str, Tensor]

    def __len__(self) -> int:
        """N."""
        return len(self.stored["faces"])

    def rows(self, indices: Sequence[int] | slice) -> DetailedFaces:
        """Some of the faces, as they were drawn but for the last digits."""
        some = {name: value[indices] for name, value in self.stored.items()}
        nowhere = some["depth"] == _NOWHERE
        found = {name: some[name].float() / 255 for name in ("faces", "seen", "albedo")}
        return DetailedFaces(
            **found,
            depth=(some["depth"].float() / _MM).masked_fill(nowhere, torch.inf),
            relief=some["relief"].float() / _FINE,
            mask=some["mask"].float(),
            **{name: some[name] for name in ("numbers", "light", "age")},
        )


def _shard(folder: Path, split: str, indices: range, size: int, views: int) -> dict[str, Tensor]:
    stem = f"{split}-{size}-by{views}-{indices.start:05d}"
    path = folder / f"{stem}-{indices.start + _SHARD:05d}.safetensors"
    if not path.exists():  # a part of the shard is a file of its own, unless all of it is there
        path = folder / f"{stem}-{indices.stop:05d}.safetensors"
    found = kept(path, lambda: _drawn(split, indices, size, views))
    return {name: value[: len(indices) * views] for name, value in found.items()}


def kept(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors from a file, which is made if it is not there."""
    if not path.exists():
        made = make()
        with written_whole(path) as temporary:
            safetensors.torch.save_file(made, temporary)
    return safetensors.torch.load_file(path)


def _drawn(split: str, indices: range, size: int, views: int) -> dict[str, Tensor]:
    """Person after person, all views of each."""
    blocks = []
    for start in range(0, len(indices), _TOGETHER):
        some = indices[start : start + _TOGETHER]
        drawn = draw_detailed(split, some, size, views=views, random_relief=split == "train")
        order = torch.arange(len(drawn)).view(views, len(some)).T.flatten()
        blocks.append(_stored(drawn[order]))
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}


def _stored(drawn: DetailedFaces) -> dict[str, Tensor]:
    def bytes_of(values: Tensor) -> Tensor:
        return (255 * values.clamp(0, 1)).round().to(torch.uint8)

    hundredths = (_MM * drawn.depth).round().nan_to_num(posinf=_NOWHERE).clamp(-32768, 32767)
    return {
        **{name: bytes_of(getattr(drawn, name)) for name in ("faces", "seen", "albedo")},
        "depth": hundredths.to(torch.int16),
        "relief": (_FINE * drawn.relief).round().clamp(-32767, 32767).to(torch.int16),
        "mask": drawn.mask.to(torch.uint8),
        **{name: getattr(drawn, name).contiguous() for name in ("numbers", "light", "age")},
    }


@lru_cache(maxsize=1)
def _edition() -> str:
    """Changes when pictures do: one is drawn again, and looked at coarsely."""
    probe = draw_detailed("train", [0], 64, random_relief=True)
    seen = torch.nn.functional.adaptive_avg_pool2d(probe.faces, 8).mul(50).round()
    plan = repr(
        (
            SEED,
            detail.SHOT,
            detail.RANGES,
            detail.MOVED,
            detail.DEEPER,
            ReliefRanges(),
            seen.tolist(),
        )
    )
    return hashlib.sha256(plan.encode()).hexdigest()[:12]


def main() -> None:
    """Draw all of them."""
    for split in SETS:
        print(f"{split}: {len(detailed_faces(split))} faces")


if __name__ == "__main__":
    main()
