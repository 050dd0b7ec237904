"""Warping a picture so that its landmarks come to lie elsewhere (Cole et al. 2017, section 4).

Backward: each pixel q of the result is read from the picture at q + d(q), where the flow d is a
spline with d(target_i) = source_i − target_i at the landmarks and d = 0 on the picture's boundary.
Hence result[target_i] = picture[source_i]. Coordinates are pixels, (x, y), with (0, 0) at the
centre of the top-left pixel, as in `visage.photos.alignment`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.normalization.errors import NormalizationError
from visage.normalization.spline import Order, check_alike, fit_spline
from visage.photos.alignment import pixel_to_grid

BOUNDARY = 5
"""Points that stay on each side of the picture. The paper does not say how many it takes."""


def boundary_points(height: int, width: int, each_side: int = BOUNDARY) -> Tensor:
    """Points at even distances along the outermost pixels of a picture, corners included.

    Args:
        height: pixels, at least 2.
        width: pixels, at least 2.
        each_side: points a side, with its two corners; 0 for none, else at least 2.

    Returns:
        (4 (each_side − 1), 2) float32, (x, y), clockwise from the top-left corner.

    Raises:
        NormalizationError: a side is too short, or has a single point.

    >>> boundary_points(3, 5, each_side=2)
    tensor([[0., 0.],
            [4., 0.],
            [4., 2.],
            [0., 2.]])
    """
    if each_side == 0:
        return torch.empty(0, 2)
    if each_side < 2 or min(height, width) < 2:
        raise NormalizationError(
            f"{each_side} points a side of {height} x {width} pixels; expected 0 or at least 2 "
            "points, the corners, on sides of at least 2 pixels."
        )
    along = torch.arange(each_side - 1) / (each_side - 1)
    x, y, none = along * (width - 1), along * (height - 1), torch.zeros(each_side - 1)
    right, bottom = none + width - 1, none + height - 1
    sides = [(x, none), (right, y), (right - x, bottom), (none, bottom - y)]
    return torch.cat([torch.stack(side, 1) for side in sides])


def pixel_places(height: int, width: int, like: Tensor) -> Tensor:
    """(height·width, 2), the (x, y) of all pixels row by row, of the type and device of `like`."""
    x = torch.arange(width, dtype=like.dtype, device=like.device)
    y = torch.arange(height, dtype=like.dtype, device=like.device)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).flatten(0, 1)


def dense_flow(
    source: Tensor,
    target: Tensor,
    height: int,
    width: int,
    *,
    order: Order = 1,
    each_side: int = BOUNDARY,
) -> Tensor:
    """The flow of a warp: from where each pixel of the result is read, relative to itself.

    Args:
        source: (B or 1, n, 2), pixels.
        target: (B or 1, n, 2), pixels.
        height: of the result, pixels.
        width: of the result, pixels.
        order: 1 for φ(r) = r, 2 for the thin-plate spline.
        each_side: boundary points a side that stay, 0 for none.

    Returns:
        (B, 2, height, width), pixels (x, y).

    Raises:
        CoincidentPointsError: two target points are the same, or one is a boundary point.
        CollinearPointsError: all target points lie on one line, and there are no boundary points.
        NormalizationError: shapes, devices or types do not fit, or something is not finite.
    """
    _check_landmarks(source, target)
    points, values = control_points(source, target, height, width, each_side)
    return fit_spline(points, values, order).at_pixels(height, width)


def control_points(
    source: Tensor, target: Tensor, height: int, width: int, each_side: int = BOUNDARY
) -> tuple[Tensor, Tensor]:
    """Where the flow is known, and what it is there: at the landmarks and on the boundary.

    Args:
        source: (B or 1, n, 2), pixels.
        target: (B or 1, n, 2), pixels.
        height: of the result, pixels.
        width: of the result, pixels.
        each_side: boundary points a side, k in all.

    Returns:
        Points (B or 1, n + k, 2) and displacements (B, n + k, 2).
    """
    edge = boundary_points(height, width, each_side).to(target)
    moved = source - target
    points = torch.cat([target, edge.expand(len(target), -1, -1)], 1)
    return points, F.pad(moved, (0, 0, 0, len(edge)))


def warp(image: Tensor, source: Tensor, target: Tensor, *, order: Order = 1) -> Tensor:
    """Move the landmarks of pictures: result[target_i] = image[source_i]; the boundary stays.

    With one target for the whole batch, one system is solved for all (see also `SplineWarp`).

    Args:
        image: (B, C, H, W).
        source: (B or 1, n, 2), where the landmarks are, pixels.
        target: (B or 1, n, 2), where they are wanted, pixels.
        order: 1 for φ(r) = r, as in the paper; 2 for the thin-plate spline.

    Returns:
        (B, C, H, W), differentiable in all three. What would be read from outside the picture is
        read from its border.

    Raises:
        CoincidentPointsError: two target points are the same, or one is a boundary point.
        NormalizationError: shapes, devices or types do not fit, or a point is not finite.

    >>> picture = torch.rand(1, 3, 8, 8)
    >>> eyes = torch.tensor([[[2.0, 3.0], [5.0, 3.0]]])
    >>> torch.allclose(warp(picture, eyes, eyes), picture, atol=1e-6)
    True
    """
    check_picture(image, source, target)
    return sample(image, dense_flow(source, target, *image.shape[-2:], order=order))


def sample(image: Tensor, flow: Tensor) -> Tensor:
    """Read pictures (B, C, H, W) where a flow (B or 1, 2, H, W) points; bilinear."""
    height, width = image.shape[-2:]
    places = pixel_places(height, width, flow) + flow.flatten(2).mT
    grid = pixel_to_grid(places, height, width).unflatten(1, (height, width))
    return F.grid_sample(
        image, grid.expand(len(image), -1, -1, -1), padding_mode="border", align_corners=False
    )


class SplineWarp(nn.Module):
    """Warps to one set of target points, prepared once.

    The flow is linear in the displacements: d(q) = Σ_i (source_i − target_i) Λ_i(q), where the
    cardinal function Λ_i is the spline that is 1 at target i and 0 at the others and on the
    boundary. Its n pictures are computed here; a warp is then one product with them.

    Args:
        target: (n, 2), pixels.
        size: of the pictures, pixels; a number for a square, or (height, width).
        order: 1 for φ(r) = r, as in the paper; 2 for the thin-plate spline.

    Raises:
        CoincidentPointsError: two target points are the same, or one is a boundary point.
        NormalizationError: the target is not (n, 2) or not finite.
    """

    def __init__(self, target: Tensor, size: int | tuple[int, int], order: Order = 1):
        super().__init__()
        if target.ndim != 2 or target.shape[-1] != 2:
            raise NormalizationError(f"target points are {tuple(target.shape)}, expected (n, 2).")
        self.height, self.width = (size, size) if isinstance(size, int) else size
        self.order = order
        edge = boundary_points(self.height, self.width).to(target).double()
        points = torch.cat([target.detach().double(), edge])
        one_each = torch.eye(len(points), len(target), dtype=torch.float64, device=points.device)
        places = pixel_places(self.height, self.width, points)
        cardinal = fit_spline(points[None], one_each[None], order).at(places[None])[0].mT
        self.register_buffer("target", target.detach().clone(), persistent=False)
        self.register_buffer("cardinal", cardinal.to(target).contiguous(), persistent=False)

    def flow(self, source: Tensor) -> Tensor:
        """(B, 2, H, W) pixels, from where each pixel is read, for source points (B, n, 2)."""
        _check_landmarks(source, self.target[None])
        flat = (source - self.target).mT @ self.cardinal
        return flat.unflatten(2, (self.height, self.width))

    def forward(self, image: Tensor, source: Tensor) -> Tensor:
        """Move the landmarks of pictures (B, C, H, W) from source (B or 1, n, 2) to the target.

        Returns:
            (B, C, H, W), differentiable in both.

        Raises:
            NormalizationError: shapes, devices or types do not fit, or a point is not finite.
        """
        check_picture(image, source, self.target[None])
        if image.shape[-2:] != (self.height, self.width):
            raise NormalizationError(
                f"images are {tuple(image.shape)}, expected (B, C, {self.height}, {self.width})."
            )
        return sample(image, self.flow(source))


def check_picture(image: Tensor, source: Tensor, target: Tensor) -> None:
    """Refuse pictures that are none, or not as many as there are sets of landmarks.

    Raises:
        NormalizationError: they are.
    """
    if image.ndim != 4 or 0 in image.shape:
        raise NormalizationError(f"images are {tuple(image.shape)}, expected (B, C, H, W).")
    for name, points in (("source", source), ("target", target)):
        if points.ndim == 3 and len(points) not in (1, len(image)):
            raise NormalizationError(
                f"there are {len(points)} sets of {name} points for {len(image)} images; give one "
                "for all, or one for each."
            )
    check_alike(image=image, source=source, target=target)


def _check_landmarks(source: Tensor, target: Tensor) -> None:
    for name, points in (("source", source), ("target", target)):
        if points.ndim != 3 or points.shape[-1] != 2:
            raise NormalizationError(
                f"{name} points are {tuple(points.shape)}, expected (B, n, 2), (x, y) in pixels."
            )
        if not points.isfinite().all():
            raise NormalizationError(f"some {name} points are NaN or infinite.")
    if source.shape[1] != target.shape[1] or not (
        len(source) == len(target) or 1 in (len(source), len(target))
    ):
        raise NormalizationError(
            f"source points are {tuple(source.shape)} and target points {tuple(target.shape)}; "
            "expected as many of one as of the other."
        )
    check_alike(source=source, target=target)
