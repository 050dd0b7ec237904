"""The database of complete high-resolution textures (Saito et al. 2017, section 6).

The paper's are 592 photographs of the Chicago Face Database, unwrapped; these are training people
of the synthetic world. They are painted once, and kept on disk: 200 MB for 256 people at 512
texels, of which only what is asked for is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.population import SPLITS
from visage.files import opened_array
from visage.photos.downloads import cache_folder
from visage.texture.errors import TextureError
from visage.texture.skins import SEED, face_textures
from visage.texture.window import resized
from visage.texture.yiq import luminance

COUNT = 256
"""K, people; figure 4 of the paper blends as many."""

_KEPT = (128, 512)  # texels of the windows on disk; smaller ones are made from them
_EDITION = 1  # of how textures are painted: old files are not taken for new ones


@dataclass(frozen=True, eq=False)
class TextureDatabase:
    """Textures of K people.

    Raises:
        TextureError: the kept textures are not (K, 3, S, S) bytes.
    """

    kept: np.ndarray  # (K, 3, S, S) uint8, sRGB-encoded albedo; may be a memory map
    size: int  # texels that are given out

    def __post_init__(self):
        shape = self.kept.shape
        if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or self.kept.dtype != np.uint8:
            raise TextureError(
                f"kept textures are {shape} {self.kept.dtype}; expected (K, 3, S, S) uint8"
            )

    def __len__(self) -> int:
        """K."""
        return len(self.kept)

    @classmethod
    def load(
        cls,
        size: int = 512,
        count: int = COUNT,
        split: str = "train",
        *,
        folder: Path | None = None,
        progress: bool = True,
    ) -> TextureDatabase:
        """The first people's textures; those that are not on disk yet are painted first.

        About two people a second on one core.

        Args:
            size: S, texels.
            count: K.
            split: of `visage.faces.population.SPLITS`; only a study takes another than "train".
            folder: of the cache, `cache_folder()` if None.
            progress: whether to show it.

        Raises:
            TextureError: there is no such split, or the count or the size is below 1.
        """
        if split not in SPLITS:
            raise TextureError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
        if count < 1 or size < 1:
            raise TextureError(f"{count} textures of {size} texels; give at least 1 of both")
        kept = next((kept for kept in _KEPT if kept >= size), size)
        where = (folder or cache_folder()) / "texture"
        textures = _painted(where, split, count, kept, progress)
        return cls(textures, size)

    @classmethod
    def of(cls, textures: Tensor) -> TextureDatabase:
        """A database in memory, of textures (K, 3, S, S) in [0, 1]."""
        kept = (textures.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        return cls(kept, textures.shape[-1])

    def textures(self, indices: Sequence[int] | None = None) -> Tensor:
        """Some of the textures, (B, 3, S, S), sRGB-encoded, in [0, 1]; all if None."""
        chosen = np.arange(len(self)) if indices is None else np.asarray(indices, np.int64)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise TextureError(f"textures {chosen.min()} to {chosen.max()} of {len(self)}")
        return resized(torch.from_numpy(np.array(self.kept[chosen])).float() / 255, self.size)

    def luminance(self, indices: Sequence[int] | None = None) -> Tensor:
        """Their Y, (B, 1, S, S)."""
        return luminance(self.textures(indices))


def _painted(where: Path, split: str, count: int, size: int, progress: bool) -> np.ndarray:
    """(count, 3, size, size) uint8, painted where it is not yet; a stopped run goes on."""
    plan = hashlib.sha256(repr((SEED, size, _EDITION)).encode()).hexdigest()[:12]
    where.mkdir(parents=True, exist_ok=True)
    room = max(count, COUNT)
    shape = (room, 3, size, size)
    textures = opened_array(where / f"{split}-{plan}-textures.npy", np.uint8, shape)
    done = opened_array(where / f"{split}-{plan}-painted.npy", np.bool_, (room,))
    missing = np.flatnonzero(~done[:count])
    hidden = None if progress else True
    for index in tqdm(missing, desc="textures", unit="face", disable=hidden, leave=False):
        one = face_textures(split, [int(index)], size)[0]
        textures[index] = (one * 255).round().to(torch.uint8).numpy()
        done[index] = True
    return textures[:count]
