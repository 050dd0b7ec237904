"""The stages of the way, each with a picture and how like the person it still is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from visage.photos.alignment import align
from visage.recognition.encoder import Encoder

STAGES = ("photograph", "embedding", "inversion", "normalized", "coarse", "fine", "texture")
"""In order."""


@dataclass(frozen=True, eq=False)
class Look:
    """A picture of a face, and how far it is from the photograph in the recogniser's eyes."""

    name: str
    picture: Tensor  # (1, 3, S, S), sRGB, in [0, 1]
    distance: float | None  # between embeddings; None where it would be the photograph's own


@dataclass(frozen=True, eq=False)
class Stage:
    """What a stage makes of the face."""

    name: str  # of `STAGES`
    picture: Tensor  # (1, 3, S, S), sRGB, in [0, 1]
    distance: float | None  # between the picture's embedding and the photograph's; None: no sense
    seconds: float  # that the stage took
    also: Look | None = None  # another picture of it: part III's face, the head from the front


@dataclass(frozen=True, eq=False)
class Likeness:
    """Measures pictures against one photograph."""

    encoder: Encoder
    embedding: Tensor  # (1, dim), the photograph's
    size: int  # pixels of the pictures that are kept

    def look(self, name: str, picture: Tensor, landmarks: Tensor) -> Look:
        """A picture (1, 3, H, H) of a face with its 68 landmarks (1, 68, 2), in pixels."""
        chip = align(picture, landmarks, self.encoder.crop).clamp(0, 1)
        return self.look_at_chip(name, chip, picture)

    @torch.no_grad()
    def look_at_chip(self, name: str, chip: Tensor, picture: Tensor | None = None) -> Look:
        """A chip (1, 3, S, S) of the encoder's; it is the picture too if that is None."""
        apart = self.encoder.distance(self.encoder.embed(chip), self.embedding)
        return Look(name, resized(chip if picture is None else picture, self.size), float(apart))


def resized(picture: Tensor, size: int) -> Tensor:
    """A square picture (1, 3, H, H) with `size` pixels a side, in [0, 1]."""
    if picture.shape[-1] != size:
        picture = interpolate(
            picture, size=(size, size), mode="bicubic", align_corners=False, antialias=True
        )
    return picture.clamp(0, 1).detach()
