"""The inside of an open mouth, which is no skin: teeth, tongue and dark.

A network that sees 128 pixels leaves half a tooth to the lips; landmarks know where they part.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from visage.texture.errors import TextureError

_OUTER = slice(48, 60)  # of the 68 landmarks, the lips' outline
_INNER = slice(60, 68)  # where they meet, or part
_OPEN = 0.06  # of the mouth's width, from which lips are parted: a detector is no surer
_EDGE = 0.04  # of the mouth's width: by so much landmarks err


def mouth_inside(landmarks: Tensor, height: int, width: int) -> Tensor:
    """Where open mouths show what is between the lips.

    Args:
        landmarks: (B, 68, 2), pixels.
        height: of the pictures.
        width: likewise.

    Returns:
        (B, 1, H, W), 1 between parted lips and a little beyond, 0 elsewhere; all 0 for a mouth
        that is shut.

    Raises:
        TextureError: the landmarks' shape is another.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (68, 2):
        raise TextureError(f"landmarks are {tuple(landmarks.shape)}; expected (B, 68, 2)")
    inside = []
    for face in landmarks:
        inner, wide = face[_INNER], float((face[_OUTER].amax(0) - face[_OUTER].amin(0)).norm())
        parted = float((inner[1:4] - inner[[7, 6, 5]]).norm(dim=1).max())
        hole = _enclosed(inner, height, width) & (parted > _OPEN * wide)
        reach = math.ceil(_EDGE * wide)
        inside.append(max_pool2d(hole.to(landmarks)[None], 2 * reach + 1, 1, reach))
    return torch.stack(inside)


def _enclosed(polygon: Tensor, height: int, width: int) -> Tensor:
    """(H, W) bool: pixels with an odd number of a polygon's (N, 2) edges to their right."""
    y, x = torch.meshgrid(torch.arange(height).to(polygon), torch.arange(width).to(polygon),
                          indexing="ij")  # fmt: skip
    crossings = torch.zeros(height, width, dtype=torch.bool, device=polygon.device)
    for (ax, ay), (bx, by) in zip(polygon, polygon.roll(1, 0), strict=True):
        spans = (ay > y) != (by > y)
        rise = torch.where(by == ay, torch.ones_like(ay), by - ay)  # level edges span no row
        crossings ^= spans & (x < ax + (y - ay) * (bx - ax) / rise)
    return crossings
