"""Photographs by person: Labeled Faces in the Wild, or any folder that has a folder a person.

What the pipeline needs to know of a photograph is whose it is, its pixels, and where the face's 68
landmarks lie. Finding those costs a hundred times what all the rest does, so that it is remembered
in blocks: a stopped run goes on where it was.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import safetensors.torch
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.files import written_whole
from visage.normalization.errors import NormalizationError
from visage.photos import landmarks as landmark_module
from visage.photos.downloads import cache_folder
from visage.photos.landmarks import find_face
from visage.photos.lfw import LFW
from visage.photos.reading import PhotoError, open_photo
from visage.recognition import portraits as portrait_module
from visage.recognition.portraits import FIRST, find_portrait

Photo = tuple[str, int]

_BLOCK = 64
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
# The searches of `find_portrait` that see a face; the later ones guess where it should be.
_SEEN = (FIRST, "hog_enlarged")


class AlbumError(NormalizationError):
    """A folder that holds no photographs by person."""


class Album(Protocol):
    """Photographs by person."""

    name: str

    def people(self) -> Mapping[str, Sequence[int]]:
        """Every person, with the numbers of their photographs."""
        ...

    def image(self, name: str, number: int) -> Tensor:
        """One photograph, (1, 3, H, W) in [0, 1]."""
        ...

    def landmarks(self, image: Tensor) -> Tensor | None:
        """The person's 68 landmarks (1, 68, 2) in a photograph, None where no face is seen."""
        ...


@dataclass(frozen=True)
class LFWAlbum:
    """Some people of Labeled Faces in the Wild."""

    lfw: LFW
    persons: Mapping[str, Sequence[int]]
    name: str = "lfw"

    def people(self) -> Mapping[str, Sequence[int]]:
        """See `Album`."""
        return self.persons

    def image(self, name: str, number: int) -> Tensor:
        """See `Album`."""
        return self.lfw.image(name, number)

    def landmarks(self, image: Tensor) -> Tensor | None:
        """Of the person at the photograph's centre; see `Album`."""
        portrait = find_portrait(image)
        return portrait.landmarks if portrait.found_by in _SEEN else None


class FolderAlbum:
    """A folder with a folder of photographs for each person.

    Raises:
        AlbumError: there is no such folder, or it has no folder with photographs in it.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).expanduser()
        if not self.folder.is_dir():
            raise AlbumError(f"there is no folder {str(folder)!r}; give one with a folder a person")
        self._files = {
            person.name: files
            for person in sorted(self.folder.iterdir())
            if person.is_dir()
            and (files := sorted(f for f in person.iterdir() if f.suffix.lower() in _SUFFIXES))
        }
        if not self._files:
            raise AlbumError(
                f"{str(folder)!r} has no folder with photographs; put each person's into a folder "
                "of its own"
            )
        self.name = f"folder-{self.folder.resolve()}"

    def people(self) -> Mapping[str, Sequence[int]]:
        """See `Album`; photographs are numbered in the order of their names."""
        return {name: range(len(files)) for name, files in self._files.items()}

    def image(self, name: str, number: int) -> Tensor:
        """See `Album`.

        Raises:
            PhotoError: the file cannot be read.
        """
        return open_photo(self._files[name][number])

    def landmarks(self, image: Tensor) -> Tensor | None:
        """Of the largest face; see `Album`."""
        try:
            return find_face(image, which="largest").landmarks
        except PhotoError:
            return None


@dataclass(frozen=True)
class Found:
    """N photographs in which a face was seen.

    Attributes:
        photos: (name, number) of each.
        landmarks: (N, 68, 2), pixels of the photograph.
    """

    photos: tuple[Photo, ...]
    landmarks: Tensor

    def __len__(self) -> int:
        return len(self.photos)


def find_all(album: Album, *, most: int = 12, folder: Path | None = None) -> Found:
    """The landmarks of an album's photographs, remembered.

    Args:
        album: whose photographs.
        most: photographs of one person at most, the first ones.
        folder: of the cache, `cache_folder()` if None.
    """
    photos = [(name, n) for name, numbers in album.people().items() for n in list(numbers)[:most]]
    folder = (folder or cache_folder()) / "normalization" / "landmarks"
    found, kept = [], []
    starts = range(0, len(photos), _BLOCK)
    for start in tqdm(starts, desc="landmarks", unit="block", disable=None, leave=False):
        block = photos[start : start + _BLOCK]
        path = folder / f"{_digest(album, block)}.safetensors"
        if not path.exists():
            with written_whole(path) as temporary:
                safetensors.torch.save_file({"landmarks": _points(album, block)}, temporary)
        points = safetensors.torch.load_file(path)["landmarks"]
        seen = points.isfinite().all(dim=(1, 2))
        found.append(points[seen])
        kept += [photo for photo, was in zip(block, seen.tolist(), strict=True) if was]
    return Found(tuple(kept), torch.cat([torch.zeros(0, 68, 2), *found]))


def _points(album: Album, block: Sequence[Photo]) -> Tensor:
    """Landmarks (B, 68, 2); NaN where no face is seen."""
    rows = []
    for name, number in block:
        try:
            points = album.landmarks(album.image(name, number))
        except PhotoError:  # a damaged file is one photograph fewer
            points = None
        rows.append(torch.full((1, 68, 2), torch.nan) if points is None else points)
    return torch.cat(rows)


def _digest(album: Album, block: Sequence[Photo]) -> str:
    """A name that changes with the photographs and with how faces are found."""
    sources = [inspect.getsource(module) for module in (landmark_module, portrait_module)]
    text = "\n".join([album.name, *(f"{name}/{number}" for name, number in block), *sources])
    return hashlib.sha256(text.encode()).hexdigest()[:20]
