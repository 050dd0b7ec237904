"""What a fit knows before it sees a picture, all of it learned from sampled people."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.checkpoints import load_checkpoint
from visage.faces.fitting.albedo_model import AlbedoModel
from visage.faces.fitting.landmarks import LandmarkStatistics
from visage.faces.fitting.pixels import PixelStatistics
from visage.faces.fitting.regression import RegressionStatistics

NAME = "face_fitting"
"""Of the checkpoint."""

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
    regression: RegressionStatistics | None = None  # of the cascade, where one is asked

    @classmethod
    def load(cls) -> "FittingPriors":
        """Those that are shipped: a fit of a photograph then needs no learning.

        Raises:
            visage.checkpoints.CheckpointError: their file is missing or damaged.
        """
        return cls.of_tensors(load_checkpoint(NAME)[0])

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds: `of_tensors` inverts it but for the last digits of float16.

        A covariance is kept as its Cholesky factor, which is of some covariance however rounded.
        """
        kept = {
            "albedo.mean": self.albedo.mean,
            "albedo.basis": self.albedo.basis,
            "albedo.residual": self.albedo.residual,
            "expression.mean": self.expression.mean,
            "expression.factor": _factor(torch.linalg.inv(self.expression.precision.double())),
            "landmarks.mean": self.landmarks.mean,
            "landmarks.factor": _factor(self.landmarks.covariance),
            "pixels.mean": self.pixels.mean,
            "pixels.patterns": self.pixels.patterns,
            "pixels.std": self.pixels.std,
        }
        if self.regression is None:
            return kept
        return kept | {
            "regression.mean": self.regression.mean,
            "regression.factor": _factor(self.regression.covariance),
        }

    @classmethod
    def of_tensors(cls, kept: Mapping[str, Tensor]) -> "FittingPriors":
        """Invert `tensors`."""
        regression = None
        if "regression.mean" in kept:
            regression = RegressionStatistics(
                kept["regression.mean"], _product(kept["regression.factor"])
            )
        covariance = _product(kept["expression.factor"]).double()
        return cls(
            AlbedoModel(kept["albedo.mean"], kept["albedo.basis"], kept["albedo.residual"]),
            ExpressionPrior(kept["expression.mean"], torch.linalg.inv(covariance).float()),
            LandmarkStatistics(kept["landmarks.mean"], _product(kept["landmarks.factor"])),
            PixelStatistics(kept["pixels.mean"], kept["pixels.patterns"], kept["pixels.std"]),
            regression,
        )


def _factor(covariance: Tensor) -> Tensor:
    return torch.linalg.cholesky(covariance.double()).float()


def _product(factor: Tensor) -> Tensor:
    return (factor.double() @ factor.double().T).float()


def learn_expression(samples: Tensor) -> ExpressionPrior:
    """Mean and precision of sampled expressions (N, 52).

    >>> learn_expression(torch.rand(100, 52)).precision.shape
    torch.Size([52, 52])
    """
    covariance = torch.cov(samples.T.double())
    covariance = covariance + _SLACK**2 * torch.eye(len(covariance)).double()
    return ExpressionPrior(samples.mean(0), torch.linalg.inv(covariance).float())
