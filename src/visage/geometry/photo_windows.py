"""Windows round the faces of photographs, as a detector finds them: what no label is needed for.

The paper's second phase of training takes photographs of VGG-Face's people (section 4.4); here they
are those of Labeled Faces in the Wild, where it is present, split by person.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.geometry.errors import WindowError
from visage.geometry.face_window import FaceWindow
from visage.geometry.grey import grey
from visage.geometry.kept_detail import kept
from visage.geometry.representation import SIZE
from visage.photos.downloads import cache_folder
from visage.photos.landmarks import PhotoError, find_box
from visage.photos.lfw import open_lfw, split

PEOPLE = 600
"""Photographs that are taken to learn from, one of each person."""


def photo_windows(
    side: str = "train", count: int = PEOPLE, size: int = SIZE, *, folder: Path | None = None
) -> Tensor:
    """Windows of the first people of one side of LFW's split, one photograph each.

    About 15 photographs a second the first time, then from the cache.

    Args:
        side: "train" or "test", see `visage.photos.lfw.split`.
        count: people.
        size: pixels of the windows.
        folder: of the cache, `cache_folder()` if None.

    Returns:
        (N, 1, size, size) uint8, grey; N is less than the count where no face is found.

    Raises:
        WindowError: the side is neither, or the count is below 1.
        visage.photos.lfw.LFWNotFoundError: the photographs are not there.
    """
    if side not in ("train", "test") or count < 1:
        raise WindowError(f"{count} people of {side!r}; give at least 1, of 'train' or 'test'")
    folder = (folder or cache_folder()) / "geometry"
    path = folder / f"lfw-{side}-{count}-{size}.safetensors"
    return kept(path, lambda: {"faces": _cut(side, count, size)})["faces"]


def _cut(side: str, count: int, size: int) -> Tensor:
    photos, found = open_lfw(), []
    people = [name for name in photos.people() if split(name) == side][:count]
    for name in tqdm(people, desc=f"LFW {side}", unit="photo", leave=False, disable=None):
        image = photos.image(name, photos.people()[name][0])
        try:
            window = FaceWindow.of_box(find_box(image, which="central"))
        except PhotoError:
            continue
        found.append((255 * grey(window.cut(image, size))).round().to(torch.uint8))
    return torch.cat(found)
