"""What the cascade's guesses are worth: their bias and errors, learned from people it never saw.

In a fit they are a Gaussian over shape and pose together, 138 numbers: a head that is guessed too
large is also guessed too far away.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.faces.fitting.cascade import Cascade
from visage.faces.fitting.mirror import Mirror
from visage.faces.fitting.unknowns import POSE, moved_camera
from visage.faces.fitting.window import Window
from visage.faces.fitting.window_pose import window_camera, window_pose
from visage.faces.shape import MorphableModel

_STEP = 1e-3  # radians, mm and logarithm: derivatives of a pose by differences


class RegressionStatisticsError(ValueError):
    """Guesses from which no statistics can be learned."""


@dataclass(frozen=True, eq=False)
class Guess:
    """What the cascade says about B pictures."""

    numbers: Tensor  # (B, 138): identity, expression, pose of the window
    mirrored: Tensor  # (B,) bool, whether the face looks to the picture's left
    window: Window

    @property
    def shape(self) -> Tensor:
        """(B, 132), identity and expression, which is not kept in [0, 1]."""
        return self.numbers[:, :-POSE]

    @property
    def camera(self) -> WeakPerspective:
        """Of the pictures."""
        return self.window.camera_outside(window_camera(self.numbers[:, -POSE:]))


@dataclass(frozen=True, eq=False)
class RegressionStatistics:
    """The truth minus a guess, of faces that look to the picture's right or are mirrored to."""

    mean: Tensor  # (138,)
    covariance: Tensor  # (138, 138)


def guess_faces(
    cascade: Cascade, model: MorphableModel, images: Tensor, landmarks: Tensor
) -> Guess:
    """Show the cascade the faces of pictures.

    Args:
        cascade: as `Cascade.load` gives it.
        model: the morphable model.
        images: (B, 3, H, W), sRGB.
        landmarks: (B, 68, 2), pixels; they say where to look.

    Raises:
        FittingError: the landmarks do not span a face.
    """
    window = Window.round_faces(model, landmarks, *images.shape[2:])
    return Guess(*cascade.guess(model, window.cut(images)), window)


def regression_statistics(
    guess: Guess,
    shape: Tensor,
    camera: WeakPerspective,
    mirror: Mirror,
    shrinkage: float = 0.1,
) -> RegressionStatistics:
    """Measure the cascade on pictures whose answers are known.

    Args:
        guess: about N pictures, of people that it has not learned from.
        shape: (N, 132), the truth.
        camera: that took the pictures.
        mirror: of the model.
        shrinkage: how much of the covariance is replaced by its diagonal, in (0, 1].

    Raises:
        RegressionStatisticsError: there are fewer than two pictures, or the counts differ.
    """
    if not len(shape) == len(guess.numbers) == len(camera) > 1:
        raise RegressionStatisticsError(
            f"{len(guess.numbers)} guesses, {len(shape)} shapes and {len(camera)} cameras; "
            "give as many of each, at least two"
        )
    truth = torch.cat([shape, window_pose(guess.window.camera_inside(camera))], 1)
    errors = mirror.where(guess.mirrored, truth - guess.numbers).double()
    covariance = torch.cov(errors.T)
    diagonal = torch.diag(covariance.diagonal() + 1e-8)
    return RegressionStatistics(
        errors.mean(0).float(), torch.lerp(covariance, diagonal, shrinkage).float()
    )


class RegressionTerm:
    """The Gaussian over shape and pose, as a term of a fit.

    Args:
        guess: about B pictures.
        statistics: of the cascade.
        mirror: of the model.
    """

    def __init__(self, guess: Guess, statistics: RegressionStatistics, mirror: Mirror):
        self.window = guess.window
        bias = statistics.mean.expand_as(guess.numbers)
        self.expected = guess.numbers + mirror.where(guess.mirrored, bias)
        precision = torch.linalg.inv(statistics.covariance.double()).float()
        turned = mirror(mirror(precision).mT)
        self.precision = torch.where(guess.mirrored[:, None, None], turned, precision)

    def __call__(self, shape: Tensor, camera: WeakPerspective) -> tuple[Tensor, Tensor, Tensor]:
        """JᵀΛJ (B, 138, 138), JᵀΛr (B, 138) and the cost rᵀΛr (B,), by shape and a step of pose."""
        pose = self._pose(camera)
        away = self.expected - torch.cat([shape, pose], 1)
        columns = [
            (self._pose(moved_camera(camera, step.expand(len(shape), -1))) - pose) / _STEP
            for step in _STEP * torch.eye(POSE).to(shape)
        ]
        jacobian = torch.eye(self.expected.shape[1]).to(shape).repeat(len(shape), 1, 1)
        jacobian[:, -POSE:, -POSE:] = torch.stack(columns, 2)
        weighted = jacobian.mT @ self.precision
        right = (weighted @ away[..., None])[..., 0]
        cost = (away[:, None] @ self.precision @ away[..., None])[:, 0, 0]
        return weighted @ jacobian, right, cost

    def _pose(self, camera: WeakPerspective) -> Tensor:
        return window_pose(self.window.camera_inside(camera))
