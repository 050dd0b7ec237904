"""Random morphs of faces (Cole et al. 2017, section 5.1): new people between known ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from visage.normalization.errors import NormalizationError


@dataclass(frozen=True)
class MorphSettings:
    """How random morphs are drawn."""

    neighbours: int = 200  # k of section 5.1; with fewer faces, all others
    landmark_weight: float = 10.0  # λ of eq. 2
    size: int = 224  # pixels a side at which eq. 2 counts: the paper's, whatever ours

    def __post_init__(self):
        if self.neighbours < 1 or not self.landmark_weight >= 0 or self.size < 1:
            raise NormalizationError(f"{self}; neighbours and size are at least 1, the weight 0")


def face_distances(
    landmarks: Tensor, textures: Tensor, settings: MorphSettings | None = None
) -> Tensor:
    """How unlike faces are, each to each: eq. 2, d(A, B) = λ‖L_A − L_B‖ + ‖T_A − T_B‖.

    The paper does not say in which units. Here landmarks count in pixels of its 224-pixel crop, and
    colours from 0 to 1 on its 224² pixels, at whatever size: so shape weighs several times as much
    as colour.

    Args:
        landmarks: (N, 68, 2), pixels of the textures' own size S.
        textures: (N, 3, S, S), in [0, 1], aligned.
        settings: λ, and the size that counts.

    Returns:
        (N, N), zero on the diagonal.
    """
    settings = settings or MorphSettings()
    if len(landmarks) != len(textures) or textures.ndim != 4:
        raise NormalizationError(
            f"{len(landmarks)} sets of landmarks and textures {tuple(textures.shape)}; expected as "
            "many (N, 3, S, S)"
        )
    scale = settings.size / textures.shape[-1]
    shape = _distances(landmarks.flatten(1).double() * scale)
    colour = _distances(textures.flatten(1)) * scale  # a pixel here is scale² there
    return (settings.landmark_weight * shape + colour).float()


def _distances(rows: Tensor) -> Tensor:
    """Euclidean distances (N, N) of rows (N, D), exact zeros on the diagonal."""
    rows = rows - rows.mean(0)  # smaller numbers, so that their squares cancel less
    squares = rows.square().sum(1)
    product = rows @ rows.T
    found = (squares[:, None] + squares - 2 * product).clamp(min=0).sqrt()
    return found.double().fill_diagonal_(0)


def nearest_neighbours(distances: Tensor, count: int) -> Tensor:
    """The nearest others of each face.

    Args:
        distances: (N, N).
        count: of neighbours; with fewer faces, all others.

    Returns:
        (N, min(count, N - 1)) indices, nearest first; nobody is a neighbour of their own.

    >>> apart = torch.tensor([[0.0, 3, 1], [3, 0, 2], [1, 2, 0]])
    >>> nearest_neighbours(apart, 2)
    tensor([[2, 1],
            [2, 0],
            [0, 1]])
    """
    if len(distances) < 2 or distances.shape != (len(distances),) * 2:
        raise NormalizationError(
            f"distances are {tuple(distances.shape)}; expected (N, N) of at least two faces"
        )
    others = distances.clone().fill_diagonal_(torch.inf)
    return others.argsort(dim=1, stable=True)[:, : min(count, len(distances) - 1)]


@dataclass(frozen=True, eq=False)
class Morphs:
    """B morphs: which two faces, and how much of the second each part has.

    Attributes:
        first: (B,) faces that are morphed; their backgrounds stay.
        second: (B,) neighbours.
        shape: (B,) in [0, 1], the second face's share of the landmarks.
        texture: (B,) in [0, 1], its share of the texture.
    """

    first: Tensor
    second: Tensor
    shape: Tensor
    texture: Tensor

    def landmarks(self, landmarks: Tensor) -> Tensor:
        """(B, 68, 2) between those of two faces each, of (N, 68, 2)."""
        return torch.lerp(landmarks[self.first], landmarks[self.second], self.shape[:, None, None])

    def textures(self, textures: Tensor) -> Tensor:
        """(B, 3, S, S) between those of two faces each, of (N, 3, S, S)."""
        share = self.texture[:, None, None, None].to(textures.dtype)
        return torch.lerp(textures[self.first], textures[self.second], share)


def draw_morphs(neighbours: Tensor, seed: int, indices: Sequence[int]) -> Morphs:
    """Draw morphs; the i-th begins with face i modulo N.

    Args:
        neighbours: (N, k), of each face.
        seed: of all morphs.
        indices: B numbers from 0; morph i depends on (seed, i) only.
    """
    drawn = [np.random.default_rng([seed, i]) for i in indices]
    first = torch.tensor([i % len(neighbours) for i in indices], dtype=torch.int64)
    place = torch.tensor([int(r.integers(neighbours.shape[1])) for r in drawn], dtype=torch.int64)
    shares = torch.tensor([r.uniform(size=2).tolist() for r in drawn]).reshape(-1, 2)
    return Morphs(first, neighbours[first, place], shares[:, 0], shares[:, 1])
