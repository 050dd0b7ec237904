"""What a landmark detector's points are worth: its bias and its noise, learned from known faces.

A detector does not find the vertices that the model calls landmarks: it has its own idea of where a
jaw ends, and its errors hang together (a contour that is too wide is too wide everywhere). Both are
measured once, in millimetres, in the frame of the upright face, and a fit weighs landmarks by them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective


class LandmarkStatisticsError(ValueError):
    """Landmarks from which no statistics can be learned."""


@dataclass(frozen=True, eq=False)
class LandmarkStatistics:
    """Detected minus projected landmarks, in mm, x to the right and y up of the upright face."""

    mean: Tensor  # (68, 2)
    covariance: Tensor  # (136, 136), of the pairs (x, y), landmark after landmark

    def whitening(self) -> Tensor:
        """W (136, 136) with Wᵀ W = covariance⁻¹."""
        return torch.linalg.inv(torch.linalg.cholesky(self.covariance.double())).float()


def upright(offsets: Tensor, camera: WeakPerspective) -> Tensor:
    """Turn offsets in the picture into mm in the frame of the upright face.

    Args:
        offsets: (B, N, 2), pixels, x right and y down.
        camera: of B pictures.

    Returns:
        (B, N, 2), mm, x right and y up once the picture's roll is undone.
    """
    x, y = offsets.unbind(2)
    cosine, sine = (f(camera.angles[:, 2:]) / camera.scale[:, None] for f in (torch.cos, torch.sin))
    return torch.stack([cosine * x - sine * y, -sine * x - cosine * y], 2)


def landmark_statistics(
    detected: Tensor, projected: Tensor, camera: WeakPerspective, shrinkage: float = 0.1
) -> LandmarkStatistics:
    """Measure a detector on pictures whose landmarks are known.

    Args:
        detected: (N, 68, 2), pixels.
        projected: (N, 68, 2), pixels, the model's `landmark_vertices` as the camera sees them.
        camera: that took the N pictures.
        shrinkage: how much of the covariance is replaced by its diagonal, in (0, 1]: a hundred
            pictures do not determine 136 × 136 numbers.

    Raises:
        LandmarkStatisticsError: a shape does not fit, or a landmark is NaN.
    """
    count = len(camera)
    for name, points in (("detected", detected), ("projected", projected)):
        if points.shape != (count, 68, 2) or count < 2:
            raise LandmarkStatisticsError(
                f"{name} is {tuple(points.shape)}; expected ({count}, 68, 2), at least two pictures"
            )
    offsets = upright(detected - projected, camera).double().flatten(1)
    if not offsets.isfinite().all():
        raise LandmarkStatisticsError("landmarks hold NaN or infinity; leave such pictures out")
    covariance = torch.cov(offsets.T)
    diagonal = torch.diag(covariance.diagonal())
    shrunk = torch.lerp(covariance, diagonal, shrinkage) + 1e-4 * torch.eye(136).double()
    return LandmarkStatistics(offsets.mean(0).view(68, 2).float(), shrunk.float())


def linearise_landmarks(
    camera: WeakPerspective, corners: Tensor, moving: Tensor, detected: Tensor,
    statistics: LandmarkStatistics,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The landmark term of a fit: whitened residuals, and their derivatives.

    Args:
        camera: of B pictures.
        corners: (B, 68, 3) mm, head frame, the landmarks' vertices.
        moving: (B, 68, 3, D), their derivatives by the coefficients of shape.
        detected: (B, 68, 2), pixels.
        statistics: of the detector.

    Returns:
        jacobian: (B, 136, D + 6) of the prediction, by shape, turns, shifts (mm) and log scale.
        residual: (B, 136), detected minus predicted, whitened: a unit is a standard deviation.
    """
    offsets = detected - camera.project(corners)[..., :2]
    residual = upright(offsets, camera) - statistics.mean
    shape = torch.einsum("bij,bnjk->bnik", camera.rotation()[:, :2], moving)
    turned = camera.turn(corners)
    x, y, z = turned.unbind(2)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    seen = turned[..., :2] + camera.translation[:, None]
    across = torch.stack([zero, z, -y, one, zero, seen[..., 0]], 2)
    upwards = torch.stack([-z, zero, x, zero, one, seen[..., 1]], 2)
    jacobian = torch.cat([shape, torch.stack([across, upwards], 2)], 3)  # (B, 68, 2, P)
    cosine, sine = camera.angles[:, 2].cos(), camera.angles[:, 2].sin()
    level = torch.stack([cosine, sine, -sine, cosine], 1).unflatten(1, (2, 2))
    jacobian = torch.einsum("bij,bnjk->bnik", level, jacobian).flatten(1, 2)
    whiten = statistics.whitening().to(residual)
    return whiten @ jacobian, residual.flatten(1) @ whiten.T
