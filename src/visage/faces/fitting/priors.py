"""What a fit knows before it sees a picture, all of it learned from sampled people."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.fitting.albedo_model import AlbedoModel
from visage.faces.fitting.landmarks import LandmarkStatistics
from visage.faces.fitting.pixels import PixelStatistics

_SLACK = 0.03  # of a facial action that never moves by itself in the samples


@dataclass(frozen=True, eq=False)
class ExpressionPrior:
    """A Gaussian over the 52 facial actions; a fit also keeps them in [0, 1]."""

    mean: Tensor  # (52,)
    precision: Tensor  # (52, 52)


@dataclass(frozen=True, eq=False)
class FittingPriors:
    """All that is learned. Identity needs nothing: its coefficients have mean 0 and variance 1."""

    albedo: AlbedoModel
    expression: ExpressionPrior
    landmarks: LandmarkStatistics
    pixels: PixelStatistics


def learn_expression(samples: Tensor) -> ExpressionPrior:
    """Mean and precision of sampled expressions (N, 52).

    >>> learn_expression(torch.rand(100, 52)).precision.shape
    torch.Size([52, 52])
    """
    covariance = torch.cov(samples.T.double())
    covariance = covariance + _SLACK**2 * torch.eye(len(covariance)).double()
    return ExpressionPrior(samples.mean(0), torch.linalg.inv(covariance).float())
