"""Several good pictures of the same people, and the light that they were taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from visage.faces.dataset import SyntheticFaces
from visage.faces.population import people
from visage.faces.shape import MorphableModel
from visage.faces.shots import ShotRanges
from visage.normalization.albums import find_all
from visage.normalization.averaging import average_people
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.filtering import measure_all
from visage.normalization.frame import lip_gap, normal_crop, part_lips
from visage.normalization.read_outs import load_read_outs
from visage.normalization.training_set import LFW_QUALITY, MOST_AVERAGED, lfw_album
from visage.photos.alignment import align, apply_transform, crop_transform, to_grey
from visage.photos.lfw import LFW
from visage.recognition.chips import synthetic_name
from visage.recognition.encoder import load_encoder

_SITTING = ShotRanges(
    yaw=8, pitch=5, width=(275, 300), shift=0.03, expressions={"neutral": 1.0}
)  # what the filter would leave of everyday pictures


@dataclass(frozen=True, eq=False)
class Sittings:
    """K pictures of each of P people: (P, K, 3, S, S) in [0, 1] and (P, K, 68, 2)."""

    people: tuple[str, ...]
    images: Tensor
    landmarks: Tensor

    def averages(self, chosen: slice) -> NormalFaces:
        """The average of the chosen pictures of each person."""
        images, landmarks = self.images[:, chosen], self.landmarks[:, chosen]
        names = [name for name in self.people for _ in range(images.shape[1])]
        return average_people(names, stored(images.flatten(0, 1)), landmarks.flatten(0, 1))


def synthetic_sittings(count: int, each: int, size: int) -> Sittings:
    """Neutral pictures within 8 degrees of frontal, in all lights, of people without glasses."""
    model = MorphableModel.load()
    worn = people(model, 0, range(2 * count + 8), split="test").glasses.worn.tolist()
    chosen = [i for i, glasses in enumerate(worn) if not glasses][:count]
    faces = SyntheticFaces(
        len(worn), each, size=2 * size, split="test", answers=("landmarks",), ranges=_SITTING
    )
    items = faces.__getitems__([i * each + k for i in chosen for k in range(each)])
    images, landmarks = (torch.stack([i[name] for i in items]) for name in ("image", "landmarks"))
    return _sittings([synthetic_name("test", i) for i in chosen], images, landmarks, each, size)


def lfw_sittings(lfw: LFW, count: int, each: int, size: int) -> Sittings:
    """The first good photographs of people who have enough of them."""
    album = lfw_album(lfw)
    found = find_all(album, most=MOST_AVERAGED)
    measures = measure_all(album, found, load_read_outs(), load_encoder())
    rows: dict[str, list[int]] = {}
    for row in LFW_QUALITY.keeps_all(measures).nonzero()[:, 0].tolist():
        rows.setdefault(found.photos[row][0], []).append(row)
    chosen = {name: some[:each] for name, some in rows.items() if len(some) >= each}
    names = list(chosen)[:count]
    places = [row for name in names for row in chosen[name]]
    images = torch.cat([album.image(*found.photos[row]) for row in places])
    return _sittings(names, images, found.landmarks[places], each, size)


def _sittings(
    names: Sequence[str], images: Tensor, landmarks: Tensor, each: int, size: int
) -> Sittings:
    crop = normal_crop(size)
    aligned = align(images, landmarks, crop, padding="border")
    placed = part_lips(apply_transform(crop_transform(landmarks, crop), landmarks), lip_gap(size))
    shape = (len(names), each)
    return Sittings(tuple(names), aligned.unflatten(0, shape), placed.unflatten(0, shape))


class FaceLight(NamedTuple):
    """The light on B faces, in grey levels."""

    colour: Tensor  # (B, 3), the mean
    sides: Tensor  # (B,), the picture's right half minus its left half, brightness
    detail: Tensor  # (B,), mean gradient of the brightness


def face_light(textures: Tensor, mask: Tensor) -> FaceLight:
    """Measure aligned faces (B, 3, S, S) where the mask (S, S) is 1."""
    levels, grey = 255 * textures, 255 * to_grey(textures)[:, 0]
    right = mask * (torch.arange(mask.shape[1]) >= mask.shape[1] / 2)
    left = mask - right
    means = [(grey * part).sum((1, 2)) / part.sum() for part in (left, right)]
    gradient = torch.hypot(grey.diff(dim=1)[..., :-1], grey.diff(dim=2)[:, :-1])
    inner = mask[:-1, :-1]
    return FaceLight(
        (levels * mask).sum((2, 3)) / mask.sum(),
        means[1] - means[0],
        (gradient * inner).sum((1, 2)) / inner.sum(),
    )
