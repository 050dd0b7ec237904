"""Curves and tubes that glasses are made of: a lens's outline, and sweeps along paths."""

import math

import torch
from torch import Tensor

from visage.faces.directions import unit

WRAP = 300.0
"""mm, radius with which the front bends round the face."""

ROUND, ACROSS = 72, 10
"""Points round a rim, and round the cross-section of every tube."""

LENS_RINGS = (0.35, 0.7, 1.0)
"""Rings of vertices on a lens, as shares of its outline; its middle is one more vertex."""


def outline(half: Tensor, tall: Tensor, middle: Tensor, p, offset: Tensor) -> Tensor:
    """Outline of the lens on the picture's right, counter-clockwise from its outer side.

    A superellipse |x|ⁿ + |y|ⁿ = 1, narrowed below (more on the nose's side), dropped as an
    aviator's, and lifted at the outer corner as a cat's eye.

    Args:
        half: (B,) mm, half the width.
        tall: (B,) mm, half the height.
        middle: (B,) mm, X of the middle.
        p: the rest, `visage.faces.wear.spectacles.GlassesParameters`.
        offset: (B,) mm, outwards.

    Returns:
        (B, N, 2) mm, X and Y in the front's plane.
    """
    angle = torch.arange(ROUND, device=half.device) * (2 * math.pi / ROUND)
    u, v = _superellipse(angle, p.square[:, None])
    below = (1 - v) / 2
    narrow = (0.06 + p.taper[:, None]) * below * (0.75 - 0.3 * u)
    x = u * (1 - narrow)
    y = v - p.drop[:, None] * below * below * (0.25 + 0.16 * u)
    y = y + p.lift[:, None] * 0.32 * u.clamp(min=0).square() * (1 - below)
    # Browlines are a little flatter than the lower edge.
    return torch.stack(
        [middle[:, None] + (half + offset)[:, None] * x, (tall + offset)[:, None] * y], 2
    )


def on_front(place: Tensor) -> Tensor:
    """X and Y (B, N, 2) with the Z of the bent front (B, N, 3)."""
    return torch.cat([place, -place[..., :1].square() / (2 * WRAP)], 2)


def outwards(place: Tensor) -> Tensor:
    """Directions (B, N, 3) out of closed curves (B, N, 2) that run counter-clockwise."""
    along = place.roll(-1, 1) - place.roll(1, 1)
    across = torch.stack([along[..., 1], -along[..., 0], 0 * along[..., 0]], 2)
    return unit(across, dim=2)


def sweep(
    path: Tensor,
    across: Tensor,
    width: Tensor,
    depth: Tensor,
    power: Tensor,
    *,
    closed: bool = False,
    sign: int = 1,
) -> Tensor:
    """Vertices of a tube: a superellipse carried along a path.

    Args:
        path: (B, K, 3) mm.
        across: (B, K, 3), roughly the direction of `width`.
        width: (B,) or (B, K) mm.
        depth: (B,) or (B, K) mm, across the other way.
        power: (B,), exponent of the cross-section: 2 is an ellipse, 4 a rounded bar.
        closed: the path returns to its start; otherwise both ends get a flat cap.
        sign: -1 runs round the cross-section the other way, for a mirror image.

    Returns:
        (B, (K or K + 2) · ACROSS, 3) mm, as `tube` connects them.
    """
    width, depth = (size if size.ndim == 2 else size[:, None] for size in (width, depth))
    if closed:
        along = path.roll(-1, 1) - path.roll(1, 1)
    else:
        along = torch.cat([path[:, 1:], path[:, -1:]], 1) - torch.cat(
            [path[:, :1], path[:, :-1]], 1
        )
    along = unit(along, dim=2)
    across = unit(across - (across * along).sum(2, keepdim=True) * along, dim=2)
    other = sign * torch.linalg.cross(along, across)
    angle = (torch.arange(ACROSS, device=path.device) + 0.5) * (2 * math.pi / ACROSS)
    a, b = _superellipse(angle, power[:, None])  # (B, M)
    ring = (width[..., None] / 2 * a[:, None])[..., None] * across[:, :, None] + (
        depth[..., None] / 2 * b[:, None]
    )[..., None] * other[:, :, None]
    points = path[:, :, None] + ring
    if not closed:
        ends = [path[:, k, None, None].expand(-1, 1, ACROSS, 3) for k in (0, -1)]
        points = torch.cat([ends[0], points, ends[1]], 1)
    return points.flatten(1, 2)


def tube(rings: int, *, closed: bool = False) -> Tensor:
    """(F, 3) triangles that connect rings of `ACROSS` points each."""
    ring = torch.arange(rings if closed else rings - 1)[:, None]
    around = torch.arange(ACROSS)
    a, b = ring * ACROSS + around, ring * ACROSS + (around + 1) % ACROSS
    following = (ring + 1) % rings * ACROSS
    c, d = following + around, following + (around + 1) % ACROSS
    return torch.stack([a, b, c, b, d, c], -1).reshape(-1, 3)


def fan() -> Tensor:
    """(L, 3) triangles of a lens: its middle, and rings of `ROUND` points."""
    around = torch.arange(ROUND)
    following = (around + 1) % ROUND
    first = torch.stack([torch.zeros_like(around), 1 + around, 1 + following], 1)
    rest = []
    for ring in range(len(LENS_RINGS) - 1):
        start = 1 + ring * ROUND
        a, b = start + around, start + following
        c, d = a + ROUND, b + ROUND
        rest.append(torch.stack([a, c, d, a, d, b], 1).reshape(-1, 3))
    return torch.cat([first, *rest])


def height_at(points: Tensor, sites: Tensor, heights: Tensor) -> Tensor:
    """Interpolate heights (B, M) known at sites (B, M, 2) at points (B, N, 2), in mm: (B, N).

    Shepard's weights, the sixth power of the inverse distance: nearly the nearest site's height,
    without steps.
    """
    squared = (points[:, :, None] - sites[:, None]).square().sum(3) + 0.5
    weights = squared.pow(-3)
    return (weights * heights[:, None]).sum(2) / weights.sum(2)


def _superellipse(angle: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
    """Points of the curve |x|ⁿ + |y|ⁿ = 1 at angles (N,) from its middle, n (B, 1): (B, N)."""
    c, s = angle.cos(), angle.sin()
    radius = (c.abs() ** power + s.abs() ** power) ** (-1 / power)
    return radius * c, radius * s
