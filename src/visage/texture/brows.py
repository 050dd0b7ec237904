"""Brows painted into a texture.

In the synthetic world brows are strands that stand on the skin. A photograph that is unwrapped, and
so each texture of the paper's database, has them in its colours instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from visage.faces.hair import Hair, brows_at_rest
from visage.faces.shape import MorphableModel
from visage.faces.skin.layout import texels
from visage.texture.errors import TextureError

_FINE = 1024  # texels of the atlas in which hairs are placed
_BROWS = (2.0, 40.0, 75.0)  # mm: least and most height above the eyes, least x of a side
_STEP = 0.25  # mm between the samples along a hair
_SHADE = 0.5  # exponent of a hair's openness: hairs hide light from each other, less than a shadow


def paint_brows(albedo: Tensor, model: MorphableModel, hair: Sequence[Hair]) -> Tensor:
    """Lay people's brows over the albedo of their skin.

    A texel of which the hairs' area would cover the share m is covered by 1 - exp(-m): hairs lie
    over each other by chance.

    Args:
        albedo: (B, 3, R, R), linear, the whole atlas.
        model: whose atlas it is.
        hair: of the B people.

    Returns:
        (B, 3, R, R), linear.

    Raises:
        TextureError: there are not as many people's hair, or the atlas is not square.
    """
    if albedo.ndim != 4 or albedo.shape[-1] != albedo.shape[-2] or len(hair) != len(albedo):
        raise TextureError(
            f"albedo is {tuple(albedo.shape)} for {len(hair)} people's hair; expected (B, 3, R, R) "
            "and as many"
        )
    size = albedo.shape[-1]
    painted = albedo.clone()
    for person, one in enumerate(hair):
        mass, colour = _spread(model, one, size)
        cover = 1 - torch.exp(-mass)
        painted[person] += cover * (colour - painted[person])
    return painted


def _spread(model: MorphableModel, hair: Hair, size: int) -> tuple[Tensor, Tensor]:
    """Hairs' area over each texel's (R, R), and their mean colour (3, R, R)."""
    strands = brows_at_rest(model, hair)
    count = len(strands)
    points = strands.points.numpy().reshape(count, -1, 3)
    openness = strands.openness.numpy().reshape(count, -1)
    length = np.linalg.norm(np.diff(points, axis=1), axis=2)
    steps = max(2, int(np.ceil(length.max() / _STEP)))
    t = (np.arange(steps) + 0.5) / steps
    # (S, K - 1, steps): samples along each piece.
    along = points[:, :-1, None] * (1 - t)[:, None] + points[:, 1:, None] * t[:, None]
    light = openness[:, :-1, None] * (1 - t) + openness[:, 1:, None] * t
    place, texel_mm = _lookup(model)
    uv = place(along.reshape(-1, 3)) * size - 0.5
    # Hairs thin out towards their tip.
    pieces = along.shape[1]
    done = (np.arange(pieces)[:, None] + t) / pieces
    area = strands.width.numpy()[:, None, None] * (1 - 0.7 * done) * length[..., None] / steps
    mass = (area / (texel_mm * _FINE / size) ** 2).reshape(-1)
    shade = (light**_SHADE).reshape(-1)
    colour = np.repeat(strands.colour.numpy(), pieces * steps, 0) * shade[:, None]
    return _splat(uv, mass, colour, size)


def _splat(uv: np.ndarray, mass: np.ndarray, colour: np.ndarray, size: int):
    """Share samples among the four texels round each; the sums of mass and the mean colours."""
    corner = np.floor(uv).astype(np.int64)
    part = uv - corner
    sums = np.zeros((4, size * size))
    for right in (0, 1):
        for down in (0, 1):
            x, y = corner[:, 0] + right, corner[:, 1] + down
            share = np.abs(1 - right - part[:, 0]) * np.abs(1 - down - part[:, 1])
            weight = mass * share * ((x >= 0) & (x < size) & (y >= 0) & (y < size))
            flat = y.clip(0, size - 1) * size + x.clip(0, size - 1)
            for channel in range(3):
                sums[channel] += np.bincount(flat, weight * colour[:, channel], size * size)
            sums[3] += np.bincount(flat, weight, size * size)
    total = torch.from_numpy(sums[3]).float().view(size, size)
    mean = torch.from_numpy(sums[:3]).float().view(3, size, size)
    return total, mean / total.clamp(min=1e-8)


@lru_cache(maxsize=2)
def _lookup(model: MorphableModel):
    """A function from places (N, 3) on the mean head to atlas coordinates (N, 2); mm of a texel."""
    fine = texels(model, _FINE)
    low, high, side = _BROWS
    x, y, z = fine.positions.T
    near = (y > low) & (y < high) & (np.abs(x) < side) & (z > 0)
    near &= fine.parts == model.part_names.index("skin")
    row, column = np.divmod(fine.index[near], _FINE)
    coordinates = (np.stack([column, row], 1) + 0.5) / _FINE
    positions = fine.positions[near]
    tree = cKDTree(positions)
    # A texel is as large as what lies between neighbours in a row.
    neighbours = (np.diff(fine.index[near]) == 1).nonzero()[0]
    spacing = np.linalg.norm(positions[neighbours + 1] - positions[neighbours], axis=1)

    def place(points: np.ndarray) -> np.ndarray:
        # The mean of the four nearest, by distance: hairs do not snap to the texels' centres.
        distance, index = tree.query(points, k=4)
        share = 1 / (distance + 0.02)
        share /= share.sum(1, keepdims=True)
        return (coordinates[index] * share[..., None]).sum(1)

    return place, float(np.median(spacing))
