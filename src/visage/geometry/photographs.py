"""Photographs of people, where there are any: an astronaut's portrait, and LFW's test people."""

from __future__ import annotations

from dataclasses import dataclass

import skimage.data
import torch
from torch import Tensor

from visage.geometry.face_window import FaceWindow
from visage.geometry.grey import grey
from visage.geometry.held_out_drawing import landmarks_in
from visage.geometry.representation import SIZE
from visage.photos.landmarks import find_box
from visage.photos.lfw import LFWNotFoundError, open_lfw, split
from visage.photos.reading import PhotoError, open_photo


@dataclass(frozen=True, eq=False)
class PhotographedFaces:
    """N windows on photographs of N people."""

    names: tuple[str, ...]
    faces: Tensor  # (N, 1, S, S), grey, sRGB, in [0, 1]
    landmarks: Tensor  # (N, 68, 2), pixels, as dlib's predictor finds them

    def __len__(self) -> int:
        """N."""
        return len(self.names)


def astronaut(size: int = SIZE) -> PhotographedFaces:
    """Eileen Collins, photographed by NASA: in the public domain, and always there."""
    return _windows({"astronaut": open_photo(skimage.data.astronaut())}, size)


def lfw_faces(count: int, size: int = SIZE) -> PhotographedFaces | None:
    """The first photograph of each of so many people of LFW's test side; None without LFW.

    People are passed over in whose photograph dlib finds no face.
    """
    try:
        lfw = open_lfw()
    except LFWNotFoundError:
        return None
    found: dict[str, Tensor] = {}
    for name, numbers in lfw.people().items():
        if split(name) == "test" and len(found) < count:
            image = lfw.image(name, numbers[0])
            try:
                find_box(image, which="central")
            except PhotoError:
                continue
            found[name] = image
    return _windows(found, size)


def _windows(images: dict[str, Tensor], size: int) -> PhotographedFaces:
    faces = [
        FaceWindow.of_box(find_box(image, which="central")).cut(grey(image), size)
        for image in images.values()
    ]
    windows = torch.cat(faces)
    return PhotographedFaces(tuple(images), windows, landmarks_in(windows))
