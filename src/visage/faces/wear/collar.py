"""The cross-section of cloth along a neckline: from inside the collar over its roll, and down."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.wear.garments import Garment

_FRONT = math.pi / 2
_NEARLY = 1.3  # radians from the middle of the front to where a neckline begins to fall
_SUNK = 2.0  # mm that the collar's inner side lies below the rest surface
_STEP = 1.2  # mm along the cloth on which the collar's edge drops to the body
_COVERED = 9.0  # mm of skin that cloth covers at least, before it ends
_HOOD = 8.0  # mm of bulk from which a leaf is a hood's
_FEWEST, _RIB = 3, 3.3  # columns a rib at least, or it would alias; mm a rib


@dataclass(frozen=True)
class Rows:
    """How many rows of the grid each part of the cross-section has."""

    inside: int
    roll: int
    band: int
    step: int
    body: int

    @property
    def total(self) -> int:
        """Rows of the grid."""
        return self.inside + self.roll + self.band + self.step + self.body

    @property
    def collar(self) -> int:
        """Rows above the body."""
        return self.total - self.body


def neckline(garment: Garment, angle: Tensor, base: Tensor, lowest: Tensor) -> Tensor:
    """Where the collar's upper edge runs: (B, N) mm along the columns.

    Args:
        garment: B garments.
        angle: (N,) of the columns; π/2 is the front.
        base: (N,) mm, where a crew neck lies.
        lowest: (N,) mm, where bare skin ends; no neckline falls as far.
    """
    near = (1 - _from_front(angle) / _NEARLY).clamp(min=0)
    straight = 1.2 * near.square() / (near + 0.2)  # begins without a corner
    round_one = torch.sin(near * _FRONT) ** 1.5
    fall = torch.lerp(round_one.expand(len(garment), -1), straight, garment.vee[:, None])
    sides = garment.wide[:, None] * angle.cos().square()
    # The whole curve gets flatter, so that a deep V stays a V.
    room = (lowest - base)[_from_front(angle).argmin()] - _COVERED
    drop = torch.minimum(garment.drop, room)[:, None]
    top = base - garment.stand[:, None] + drop * fall + sides
    return torch.minimum(top, lowest - _COVERED)


def section(
    garment: Garment, angle: Tensor, top: Tensor, length: Tensor, rows: Rows
) -> tuple[Tensor, Tensor]:
    """Lay the rows of the grid.

    Args:
        garment: B garments.
        angle: (N,) of the columns.
        top: (B, N) mm along the columns, from `neckline`.
        length: (N,) mm of the columns.
        rows: how many of each part.

    Returns:
        along: (B, rows, N) mm along the columns.
        out: (B, rows, N) mm out of the rest surface.
    """
    top = top[:, None]
    leaf, bulk = (size[:, None] for size in _leaf(garment, angle))
    thick = garment.thickness[:, None, None]
    radius = (thick + _SUNK) / 2  # of the roll

    def steps(count: int) -> Tensor:  # (count, 1), the last one is 1
        return torch.arange(1, count + 1, device=angle.device)[:, None] / count

    t = 1 - steps(rows.inside) + 1 / rows.inside
    inside = top + radius + 16 * t, -_SUNK - 1.2 * t + 0 * top
    t = math.pi * (steps(rows.roll) * rows.roll - 1) / (rows.roll - 1)
    roll = top + radius * (1 - t.sin()), radius * (1 - t.cos()) - _SUNK + 0 * top
    t = steps(rows.band)
    lift = bulk * (math.pi * t**0.8).sin().clamp(min=0)
    # Ribs end where the band does.
    ease = torch.minimum(6 * t, 5 * (1 - t)).clamp(max=1)
    ribs = _ribs(garment, angle)[:, None] * ease
    run = radius + (leaf - radius).clamp(min=0.5) * t
    band = top + run, thick * (1 - 0.25 * t) + lift + ribs
    t = steps(rows.step)
    edge = band[0][:, -1:]
    step = edge + _STEP * t, 0.75 * thick * (1 - t) - 0.3 * (math.pi * t).sin() + 0 * top
    t = steps(rows.body)
    start = step[0][:, -1:]
    closer = 0.55 * t + 0.45 * t * t  # rows are denser below the collar
    body = start + (length - 0.5 - start) * closer, 0 * (start + t)
    along, out = (torch.cat(parts, 1) for parts in zip(inside, roll, band, step, body, strict=True))
    return torch.minimum(along.clamp(min=0), length - 0.5), out


def _from_front(angle: Tensor) -> Tensor:
    """Radians (N,) from the middle of the front, 0 to π."""
    return ((angle - _FRONT + math.pi) % (2 * math.pi) - math.pi).abs()


def _leaf(garment: Garment, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Length and bulk (B, N) of the leaf: a shirt's has tips and an opening between them."""
    off = _from_front(angle)
    length, bulk = garment.leaf[:, None], garment.bulk[:, None]
    towards = (1.5 - off).clamp(0, 1)
    opening = ((off - 0.09) / 0.36).clamp(0.06, 1)
    tipped = length * (1 + 0.5 * towards.square()) * opening
    # A hood lies on the shoulders behind, and is only an edge in front.
    front = torch.sigmoid(3.5 * (1.5 - off)) * (bulk > _HOOD)
    flatter, tipped = 1 - 0.75 * front, tipped * (1 - front) + front * 0.4 * length
    length = length * (1 - 0.6 * front)
    return torch.lerp(length.expand_as(tipped), tipped, garment.points[:, None]), bulk * flatter


def _ribs(garment: Garment, angle: Tensor) -> Tensor:
    """Relief (B, N) of knitted ribs, where the columns are fine enough to show them."""
    count = min(len(angle) // (2 * _FEWEST), round(400 / _RIB))
    shown = float(count >= 60)
    return shown * garment.ribs[:, None] * (count * angle).cos()
