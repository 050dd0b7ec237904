"""A set of morphs, made and remembered: sections 5.1 and 5.2 together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.normalization.compositing import Compositor, blending_mask, keep_backdrop
from visage.normalization.faces import NormalFaces
from visage.normalization.frame import mean_landmarks
from visage.normalization.morphs import (
    Morphs,
    MorphSettings,
    draw_morphs,
    face_distances,
    nearest_neighbours,
)
from visage.normalization.warp import warp


@dataclass(frozen=True, eq=False)
class Morphed:
    """B composited morphs, before they are stored in 8 bits."""

    morphs: Morphs
    textures: Tensor  # (B, 3, S, S), landmarks at the mean
    images: Tensor  # (B, 3, S, S), landmarks at `landmarks`
    landmarks: Tensor  # (B, 68, 2), pixels


class FaceMorpher:
    """Makes random morphs of base faces, fast enough to be drawn while a network trains.

    Args:
        base: N normalized faces.
        settings: of the morphs.
        backdrop: the grey, in [0, 1], before which all faces are; it stays (`keep_backdrop`).

    Attributes:
        mean: (68, 2), the global mean landmarks.
        textures: (N, 3, S, S), in [0, 1].
        distances: (N, N), eq. 2.
        neighbours: (N, k).
    """

    def __init__(
        self,
        base: NormalFaces,
        settings: MorphSettings | None = None,
        *,
        backdrop: float | None = None,
    ):
        settings = settings or MorphSettings()
        self.base, self.backdrop = base, backdrop
        self.mean = mean_landmarks(base.landmarks)
        self.textures = base.textures(self.mean)
        self.distances = face_distances(base.landmarks, self.textures, settings)
        self.neighbours = nearest_neighbours(self.distances, settings.neighbours)
        self.compositor = Compositor(blending_mask(self.mean, base.size))

    @torch.no_grad()
    def draw(self, seed: int, indices: Sequence[int], *, composited: bool = True) -> Morphed:
        """Morphs by number; morph i begins with face i modulo N and depends on (seed, i) only.

        Args:
            seed: of all morphs.
            indices: B numbers from 0.
            composited: False shows what section 5.2 mends: the bare mix of two textures.
        """
        morphs = draw_morphs(self.neighbours, seed, indices)
        landmarks = morphs.landmarks(self.base.landmarks)
        textures = morphs.textures(self.textures)
        if composited:
            background = self.textures[morphs.first]
            textures = self.compositor(textures, background)
            if self.backdrop is not None:
                mask = self.compositor.mask
                textures = keep_backdrop(textures, background, mask, self.backdrop)
        textures = textures.clamp(0, 1)
        return Morphed(morphs, textures, warp(textures, self.mean[None], landmarks), landmarks)
