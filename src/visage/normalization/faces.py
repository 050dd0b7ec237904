"""Aligned faces with their landmarks: what the decoder learns to make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.normalization.errors import NormalizationError
from visage.normalization.warp import SplineWarp

_TOGETHER = 64


class NormalFacesError(NormalizationError):
    """Faces, people and landmarks that do not fit each other."""


@dataclass(frozen=True, eq=False)
class NormalFaces:
    """N aligned faces at one size.

    Attributes:
        people: whose; a morph has the name of the face that it began with.
        images: (N, 3, S, S), uint8, in `visage.normalization.frame.normal_crop` of S.
        landmarks: (N, 68, 2), float32, pixels of the crop.
        aligned: (N, 3, S, S), uint8, the same faces with their landmarks at `mean`, where they
            were made there: warping forth and back would blur them.
        mean: (68, 2), of `aligned`.

    Raises:
        NormalFacesError: the shapes or types do not fit.
    """

    people: tuple[str, ...]
    images: Tensor
    landmarks: Tensor
    aligned: Tensor | None = None
    mean: Tensor | None = None

    def __post_init__(self):
        count, size = len(self.people), self.images.shape[-1]
        pictures = [("images", self.images)]
        pictures += [] if self.aligned is None else [("aligned", self.aligned)]
        for name, value in pictures:
            if tuple(value.shape) != (count, 3, size, size) or value.dtype != torch.uint8:
                raise NormalFacesError(
                    f"{name} is {tuple(value.shape)} of {value.dtype}; expected "
                    f"({count}, 3, S, S) of uint8, one for each of {count} people"
                )
        if tuple(self.landmarks.shape) != (count, 68, 2):
            raise NormalFacesError(
                f"landmarks is {tuple(self.landmarks.shape)}; expected ({count}, 68, 2)"
            )
        if (self.aligned is None) != (self.mean is None):
            raise NormalFacesError("aligned pictures and the landmarks they have come together")

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, rows: Sequence[int] | slice) -> NormalFaces:
        """Some of the faces, by index."""
        index = torch.arange(len(self))[rows if isinstance(rows, slice) else list(rows)]
        return NormalFaces(
            tuple(self.people[i] for i in index.tolist()),
            self.images[index],
            self.landmarks[index],
            None if self.aligned is None else self.aligned[index],
            self.mean,
        )

    @property
    def size(self) -> int:
        """Pixels a side."""
        return self.images.shape[-1]

    def pictures(self, rows: Sequence[int] | slice | Tensor = slice(None)) -> Tensor:
        """The images (B, 3, S, S) as floats in [0, 1]."""
        return self.images[_index(rows, len(self))].float() / 255

    def textures(self, mean: Tensor, rows: Sequence[int] | slice | Tensor | None = None) -> Tensor:
        """The faces with their landmarks moved to the mean ones: T of section 2.2.

        Args:
            mean: (68, 2), pixels.
            rows: which faces; None is all.

        Returns:
            (B, 3, S, S), float32 in [0, 1]. The landmarks of each lie at `mean`.
        """
        index = _index(slice(None) if rows is None else rows, len(self))
        if self.aligned is not None and torch.equal(mean.cpu(), self.mean):
            return self.aligned[index].float() / 255
        to_mean = spline_warp(mean.cpu(), self.size)
        batches = index.split(_TOGETHER)
        warped = [to_mean(self.pictures(some), self.landmarks[some]) for some in batches]
        return torch.cat([torch.zeros(0, 3, self.size, self.size), *warped])


def stored(images: Tensor) -> Tensor:
    """Pictures in [0, 1] as uint8, rounded."""
    return (255 * images.detach().clamp(0, 1)).round().to(torch.uint8).cpu()


def spline_warp(mean: Tensor, size: int) -> SplineWarp:
    """The warp to mean landmarks (68, 2); the last few are remembered."""
    return _spline_warp(tuple(mean.flatten().tolist()), size)


@lru_cache(maxsize=4)
def _spline_warp(mean: tuple[float, ...], size: int) -> SplineWarp:
    return SplineWarp(torch.tensor(mean).view(-1, 2), size)


def _index(rows: Sequence[int] | slice | Tensor, count: int) -> Tensor:
    if isinstance(rows, slice):
        return torch.arange(count)[rows]
    return torch.as_tensor(rows, dtype=torch.int64)
