"""The training and test sets: people of LFW, of any folder, and of the synthetic world."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visage.faces.portraits import Detail
from visage.faces.shape import MorphableModel
from visage.normalization.albums import Album, Found, LFWAlbum, find_all
from visage.normalization.averaging import average_people
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.filtering import measure_all
from visage.normalization.frame import lip_gap, normal_crop, part_lips
from visage.normalization.normal_people import draw_normal_people
from visage.normalization.quality import Quality
from visage.normalization.read_outs import load_read_outs
from visage.normalization.training_data import (
    Amounts,
    TestSet,
    TrainingSet,
    TrainingSetError,
    WildChips,
    in_blocks,
    kept,
    training_set,
)
from visage.photos.alignment import DLIB_CHIP, align, apply_transform, crop_transform
from visage.photos.downloads import cache_folder
from visage.photos.lfw import LFW, split
from visage.recognition.chips import Chips, lfw_chips, synthetic_chips, synthetic_name
from visage.recognition.encoder import load_encoder

MOST_AVERAGED = 12
"""Photographs of one person that are looked at: a tenth of the people have half of LFW's."""

LFW_AMOUNTS = Amounts()
LFW_QUALITY = Quality()

SYNTHETIC_PEOPLE = 2000
SYNTHETIC_AMOUNTS = Amounts(morphs=8000, photographs=2)
SYNTHETIC_TESTED = 300
SYNTHETIC_BACKDROP = 188 / 255
"""The grey behind `visage.normalization.normal_people`, sRGB-encoded: half of white, linear."""

_DETAIL = Detail(texture=256, strands=3000, supersample=2)
_FINE = Detail(texture=512, strands=5000, supersample=2)  # from here on pores are seen
_FINE_FROM = 128  # pixels


def lfw_album(lfw: LFW, side: str = "train") -> LFWAlbum:
    """The people on one side of `visage.photos.lfw.split`."""
    return LFWAlbum(lfw, {name: n for name, n in lfw.people().items() if split(name) == side})


def lfw_training_set(
    lfw: LFW,
    amounts: Amounts = LFW_AMOUNTS,
    quality: Quality = LFW_QUALITY,
    *,
    folder: Path | None = None,
) -> TrainingSet:
    """Averaged faces of LFW's training people, their morphs, and their photographs."""
    return album_training_set(lfw_album(lfw), amounts, quality, folder=folder)


def album_training_set(
    album: Album,
    amounts: Amounts = LFW_AMOUNTS,
    quality: Quality = LFW_QUALITY,
    *,
    folder: Path | None = None,
) -> TrainingSet:
    """The training set of any photographs by person; see `lfw_training_set`.

    Args:
        album: e.g. `visage.normalization.albums.FolderAlbum`.
        amounts: of everything.
        quality: which photographs are good enough to be averaged.
        folder: of the cache, `cache_folder()` if None.

    Raises:
        TrainingSetError: fewer than two people have a photograph that is good enough.
    """
    found = find_all(album, most=MOST_AVERAGED, folder=folder)
    measures = measure_all(album, found, load_read_outs(), load_encoder(), folder=folder)
    good = quality.keeps_all(measures).nonzero()[:, 0].tolist()
    name = f"{album.name.partition('-')[0]}-{amounts.size}"
    base = _averages(album, found, good, amounts.size, name, folder)
    return training_set(
        name,
        base,
        lambda: photographs(album, found, base.people, amounts.photographs),
        amounts,
        folder=folder,
    )


def _averages(
    album: Album, found: Found, rows: Sequence[int], size: int, name: str, folder: Path | None
) -> NormalFaces:
    """`average_photographs`, remembered."""
    key = hashlib.sha256(repr((album.name, size, [found.photos[row] for row in rows])).encode())
    key.update(found.landmarks[list(rows)].numpy().tobytes())
    path = (folder or cache_folder()) / "normalization" / f"{name}-base-{key.hexdigest()[:16]}"
    people = tuple(dict.fromkeys(found.photos[row][0] for row in rows))

    def make() -> dict[str, Tensor]:
        made = average_photographs(album, found, rows, size)
        return {"images": made.images, "landmarks": made.landmarks}

    return NormalFaces(people, **kept(path.with_suffix(".safetensors"), make))


def average_photographs(album: Album, found: Found, rows: Sequence[int], size: int) -> NormalFaces:
    """The averaged face of each person who has one of these photographs.

    Args:
        album: whose photographs.
        found: their landmarks.
        rows: of the photographs to average, in `found`.
        size: of the faces, pixels.

    Raises:
        TrainingSetError: there are fewer than two people.
    """
    people = [found.photos[row][0] for row in rows]
    if len(set(people)) < 2:
        raise TrainingSetError(
            f"{len(set(people))} people of {album.name!r} have a photograph that is good enough; "
            "give more photographs, or ask for less quality"
        )
    crop, images, landmarks = normal_crop(size), [], []
    for row in rows:
        photo, points = album.image(*found.photos[row]), found.landmarks[row : row + 1]
        images.append(stored(align(photo, points, crop, padding="border")))
        placed = apply_transform(crop_transform(points, crop), points)
        landmarks.append(part_lips(placed, lip_gap(size)))
    return average_people(people, torch.cat(images), torch.cat(landmarks))


def photographs(album: Album, found: Found, people: Sequence[str], most: int) -> WildChips:
    """The first photographs of some people, good or not, at most so many of each."""
    place, chips, names = {name: row for row, name in enumerate(people)}, [], []
    for (name, number), points in zip(found.photos, found.landmarks, strict=True):
        if name in place and names.count(name) < most:
            chips.append(stored(align(album.image(name, number), points[None], DLIB_CHIP)))
            names.append(name)
    return _placed(names, torch.cat(chips), place)


def synthetic_training_set(
    people_count: int = SYNTHETIC_PEOPLE,
    amounts: Amounts = SYNTHETIC_AMOUNTS,
    *,
    folder: Path | None = None,
) -> TrainingSet:
    """Normalized pictures of synthetic people, their morphs, and everyday pictures of them."""
    base = synthetic_faces(people_count, "train", amounts.size, folder=folder)
    chips = amounts.photographs
    return training_set(
        f"synthetic-{amounts.size}",
        base,
        lambda: _wild(synthetic_chips(people_count, chips, "train", folder=folder), base.people),
        amounts,
        backdrop=SYNTHETIC_BACKDROP,
        folder=folder,
    )


def synthetic_faces(
    people_count: int, split: str, size: int, *, folder: Path | None = None
) -> NormalFaces:
    """How synthetic people look normalized (`visage.normalization.normal_people`), remembered."""
    model = MorphableModel.load()
    detail = _FINE if size >= _FINE_FROM else _DETAIL

    def make(indices: Sequence[int]) -> dict[str, Tensor]:
        drawn = draw_normal_people(model, 0, indices, split=split, size=size, detail=detail)
        landmarks = part_lips(drawn.landmarks, lip_gap(size))
        return {"images": stored(drawn.image), "landmarks": landmarks}

    # The first person is drawn again: where they have changed, so may the rest.
    probe = make(range(1))["images"].float().mean((2, 3)).round().int().flatten().tolist()
    name = f"people-{split}-{size}-{people_count}-{'-'.join(map(str, probe))}.safetensors"
    path = (folder or cache_folder()) / "normalization" / name
    people = tuple(synthetic_name(split, i) for i in range(people_count))
    return NormalFaces(people, **in_blocks(path, people_count, make))


def lfw_test_set(lfw: LFW, *, least: int = 2, most: int = 2, folder: Path | None = None) -> TestSet:
    """Photographs of LFW's test people: the first `most` of everybody who has `least`.

    With 2 and 2 these are the 630 photographs of 315 people on which part I is measured.
    """
    people = {
        name: numbers[:most]
        for name, numbers in lfw.people().items()
        if split(name) == "test" and len(numbers) >= least
    }
    photos = [(name, number) for name, numbers in people.items() for number in numbers]
    return TestSet(tuple(people), _wild(lfw_chips(lfw, photos, folder=folder), tuple(people)))


def synthetic_test_set(
    people_count: int = SYNTHETIC_TESTED,
    shots_each: int = 4,
    size: int = 112,
    *,
    folder: Path | None = None,
) -> TestSet:
    """Everyday pictures of synthetic test people, and how they look normalized."""
    faces = synthetic_faces(people_count, "test", size, folder=folder)
    chips = synthetic_chips(people_count, shots_each, "test", folder=folder)
    return TestSet(faces.people, _wild(chips, faces.people), faces)


def _wild(chips: Chips, people: Sequence[str]) -> WildChips:
    place = {name: row for row, name in enumerate(people)}
    return _placed(np.asarray(chips.people).tolist(), chips.chips, place)


def _placed(names: Sequence[str], chips: Tensor, place: Mapping[str, int]) -> WildChips:
    return WildChips(tuple(names), chips, torch.tensor([place[name] for name in names]))
