"""Faces that the warp is shown and measured on: people who do not exist, and one portrait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import skimage.data
import torch
from torch import Tensor

from visage.faces.population import people
from visage.faces.portraits import Detail
from visage.faces.shape import MorphableModel
from visage.normalization.frame import mean_landmarks, normal_crop
from visage.normalization.normal_people import draw_normal_people, normal_camera
from visage.photos.alignment import align, apply_transform, crop_transform
from visage.photos.landmarks import find_face
from visage.photos.reading import open_photo

SIZE = 224
"""Pixels, as in the paper."""

_COUNTED = 200  # people whose mean geometry is taken: their mean's error is a fifth of a pixel


@dataclass(frozen=True, eq=False)
class Portraits:
    """N faces in the paper's crop.

    Attributes:
        images: (N, 3, S, S), sRGB, in [0, 1].
        landmarks: (N, 68, 2), pixels.
    """

    images: Tensor
    landmarks: Tensor

    def __add__(self, other: Portraits) -> Portraits:
        """These faces and then the others."""
        return Portraits(
            torch.cat([self.images, other.images]), torch.cat([self.landmarks, other.landmarks])
        )


def synthetic_portraits(
    indices: Sequence[int],
    *,
    seed: int = 0,
    size: int = SIZE,
    detail: Detail = Detail(texture=512, strands=5000, supersample=2),  # noqa: B008, a constant
) -> Portraits:
    """Some test people, frontal, at rest, evenly lit, with their true landmarks."""
    drawn = draw_normal_people(
        MorphableModel.load(), seed, list(indices), split="test", size=size, detail=detail
    )
    return Portraits(drawn.image, drawn.landmarks)


def astronaut(size: int = SIZE) -> Portraits:
    """The NASA portrait of Eileen Collins that scikit-image ships, with detected landmarks."""
    photo = open_photo(skimage.data.astronaut())
    landmarks, crop = find_face(photo).landmarks, normal_crop(size)
    placed = apply_transform(crop_transform(landmarks, crop), landmarks)
    return Portraits(align(photo, landmarks, crop, padding="border"), placed)


def person_landmarks(
    count: int, *, seed: int = 0, split: str = "train", size: int = SIZE
) -> Tensor:
    """True landmarks (count, 68, 2) of people in the paper's crop, without drawing them."""
    model = MorphableModel.load()
    vertices = model.vertices(people(model, seed, range(count), split=split).identity)
    return normal_camera(model, vertices, size).project(vertices[:, model.landmarks])[..., :2]


@lru_cache(maxsize=4)
def mean_geometry(size: int = SIZE) -> Tensor:
    """L̄ (68, 2): where synthetic training people have their landmarks on average."""
    return mean_landmarks(person_landmarks(_COUNTED, size=size))
