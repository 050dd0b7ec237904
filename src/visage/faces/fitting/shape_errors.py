"""How far two heads are apart: in one frame, after a rigid motion, or after a similarity."""

import torch
from torch import Tensor


def aligned(points: Tensor, target: Tensor, *, scale: bool) -> Tensor:
    """Move points onto a target by least squares (Umeyama 1991).

    Args:
        points: (B, N, 3).
        target: (B, N, 3), point for point.
        scale: True for a similarity, False for rotation and shift only.

    Returns:
        (B, N, 3), the points moved. Mirrored points are not mirrored back.

    >>> corners = torch.eye(3)[None]
    >>> torch.allclose(aligned(2 * corners + 1, corners, scale=True), corners, atol=1e-5)
    True
    """
    middle, centre = points.mean(1, keepdim=True), target.mean(1, keepdim=True)
    away, wanted = points - middle, target - centre
    u, s, v = torch.linalg.svd(away.mT @ wanted)
    signs = torch.ones_like(s)
    signs[:, 2] = torch.det(u @ v).sign()
    turned = away @ (u * signs[:, None]) @ v
    if scale:
        factor = (s * signs).sum(1) / away.square().sum((1, 2))
        turned = turned * factor[:, None, None]
    return turned + centre


def vertex_errors(points: Tensor, target: Tensor) -> Tensor:
    """Distances (B, N) of points from their targets, (B, N, 3) each."""
    return (points - target).norm(dim=2)
