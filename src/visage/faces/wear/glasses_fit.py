"""The plane in which the front of a pair of glasses lies, and what it is measured by."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TILT = math.radians(8)
"""By which the front leans: its upper edge is forward (pantoscopic tilt)."""


@dataclass(frozen=True, eq=False)
class Front:
    """Where the front of each pair is: an origin, and half sizes in its plane."""

    origin: Tensor  # (B, 3) mm, head frame
    half: Tensor  # (B,) mm, half the width of a lens
    tall: Tensor  # (B,) mm, half its height
    middle: Tensor  # (B,) mm, X of a lens's middle


def nose_gap(patch: Tensor) -> Tensor:
    """(B,) mm, half the gap between the rims: the nose, 5 mm behind the front."""
    x, y, z = patch.unbind(2)
    beside = (y < 4) & (y > -14) & (z > -7) & (x.abs() < 16)
    # Lower down the lens leaves more room.
    wide = (x.abs() - 0.22 * (2 - y).clamp(min=0)).masked_fill(~beside, 0)
    return (wide.amax(1) + 1.2).clamp(7.5, 11.5)


def nearest(mean: Tensor, among: Tensor, place: tuple[float, float, float]) -> Tensor:
    """(2,) vertices nearest to a place on the picture's right and to its mirror image."""
    places = mean.new_tensor([place, (-place[0], *place[1:])])
    return among[(mean[among][None] - places[:, None]).square().sum(2).argmin(1)]


def to_plane(points: Tensor, origin: Tensor) -> Tensor:
    """Head frame to the front's plane: X, Y and Z out of it."""
    x, y, z = (points - origin[:, None]).unbind(2)
    c, s = math.cos(TILT), math.sin(TILT)
    return torch.stack([x, y * c + z * s, z * c - y * s], 2)


def to_head(points: Tensor, origin: Tensor) -> Tensor:
    """Invert `to_plane`."""
    x, y, z = points.unbind(2)
    c, s = math.cos(TILT), math.sin(TILT)
    return torch.stack([x, y * c - z * s, y * s + z * c], 2) + origin[:, None]
