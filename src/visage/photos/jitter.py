"""Small random similarities, so that an image is right wherever a recogniser looks.

An image that is optimised in one place ends in grain that only this network in this place reads as
the person. One that is shifted, scaled, turned and mirrored at every step has to hold features
that other recognisers read too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from visage.photos.alignment import pixel_to_grid


class JitterError(ValueError):
    """Moves that make no sense."""


@dataclass(frozen=True)
class Jitter:
    """How far an image is moved at every step; the largest of uniform draws either way."""

    shift: float = 6.0  # pixels each way: one and a half strides of the recogniser's first stage
    scale: float = 0.06  # as a fraction
    rotation: float = math.radians(5)
    mirror: float = 0.5  # how often left and right are swapped

    def __post_init__(self) -> None:
        for name in ("shift", "scale", "rotation", "mirror"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise JitterError(f"{name} is a finite number of at least 0, not {value}.")
        if self.scale >= 1 or self.mirror > 1:
            raise JitterError(
                f"scale is below 1 and mirror at most 1, not {self.scale} and {self.mirror}."
            )

    def draw(self, seed: int, step: int) -> Tensor:
        """The similarity of one step, (2, 3): centred output pixels to centred input pixels.

        Depends on (seed, step) only, so that a run that was stopped sees the same ones.
        """
        random = np.random.default_rng([seed, step])
        dx, dy, zoom, turn = random.uniform(-1, 1, 4)
        angle, factor = self.rotation * turn, 1 / (1 + self.scale * zoom)
        cosine, sine = factor * math.cos(angle), factor * math.sin(angle)
        flip = -1.0 if random.uniform() < self.mirror else 1.0
        return torch.tensor(
            [[flip * cosine, -sine, self.shift * dx], [flip * sine, cosine, self.shift * dy]],
            dtype=torch.float64,
        )

    def draws(self, seeds: list[int], step: int) -> Tensor:
        """One similarity for each seed: (len(seeds), 2, 3)."""
        return torch.stack([self.draw(seed, step) for seed in seeds])


def moved(images: Tensor, similarities: Tensor) -> Tensor:
    """Images resampled under similarities about their centres, bilinear, the edge repeated.

    Args:
        images: (B, C, H, W), or (1, C, H, W) for as many as there are similarities.
        similarities: (B, 2, 3) or (1, 2, 3) in pixels, from `Jitter.draws`.

    Returns:
        (B, C, H, W).

    >>> still = torch.eye(2, 3)[None]
    >>> image = torch.arange(9.0).view(1, 1, 3, 3)
    >>> bool((moved(image, still) - image).abs().max() < 1e-5)
    True
    """
    height, width = images.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64, device=images.device) - (height - 1) / 2,
        torch.arange(width, dtype=torch.float64, device=images.device) - (width - 1) / 2,
        indexing="ij",
    )
    places = torch.stack([x, y, torch.ones_like(x)], -1)  # (H, W, 3)
    points = places @ similarities.to(places).mT[:, None]  # (B, H, W, 2)
    points = points + points.new_tensor([(width - 1) / 2, (height - 1) / 2])
    grid = pixel_to_grid(points, height, width).to(images)
    count = max(len(images), len(grid))
    images, grid = (x.expand(count, -1, -1, -1) for x in (images, grid))
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
