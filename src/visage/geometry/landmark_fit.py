"""Baselines of table 1 that see 68 landmarks and no pixel: a morphable model, and the mean face.

Zhu et al. (2015) fit a morphable model under weak perspective to landmarks, whose contour slides
over the surface as the head turns ("landmark marching"): beyond a few degrees the points that a
detector puts on the outline are no longer those of the jaw. Here, too, shape and pose move together
by damped Gauss-Newton steps towards what is most probable: coefficients are Gaussian, and so are
the detector's errors, whose bias and covariance were measured on training people
(`visage.faces.fitting.landmarks`); that is more than Zhu et al. knew of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.faces.fitting.landmarks import linearise_landmarks
from visage.faces.fitting.priors import FittingPriors
from visage.faces.fitting.steps import bounded_step, damped_step
from visage.faces.fitting.surface import shape_directions
from visage.faces.fitting.unknowns import POSE, FittingError, moved_camera, pose_of_mean
from visage.faces.shape import MorphableModel
from visage.geometry.errors import LandmarkFitError
from visage.geometry.representation import EXPRESSION, IDENTITY, SIZE, FaceNumbers, pose_numbers

_TABLE = 0.53  # radians of yaw, up to which the model knows where a detector's contour lies
_PARALLEL = 4.0  # mm that a parallel is wide, up and down
_NEGLIGIBLE = 1e-6
_TOGETHER = 50


@dataclass(frozen=True)
class LandmarkFitting:
    """How a fit goes; chosen on validation people."""

    weight: float = 2.0  # of the landmarks against the priors
    steps: int = 15  # four times as many change the mean depth error by a micrometre
    damping: float = 1e-3  # of Marquardt's, constant: the problem is nearly linear
    shape: bool = True  # False poses the mean face at rest


FITTING = LandmarkFitting()
MEAN_FACE = LandmarkFitting(shape=False)


@torch.no_grad()
def fit_landmarks(
    model: MorphableModel,
    landmarks: Tensor,
    size: int = SIZE,
    config: LandmarkFitting = FITTING,
    priors: FittingPriors | None = None,
) -> FaceNumbers:
    """Fit the morphable model, or only its mean's pose, to landmarks.

    Args:
        model: not subdivided.
        landmarks: (B, 68, 2), pixels of the windows, as dlib's predictor gives them.
        size: pixels of the windows.
        config: how.
        priors: what is known of expressions and of the detector; what is shipped if None.

    Returns:
        B faces, in the frame of the windows.

    Raises:
        LandmarkFitError: a shape does not fit, a landmark is not finite, or they lie on one spot.
    """
    if landmarks.ndim != 3 or tuple(landmarks.shape[1:]) != (68, 2) or not len(landmarks):
        raise LandmarkFitError(f"landmarks are {tuple(landmarks.shape)}; expected (B, 68, 2)")
    if not landmarks.isfinite().all():
        raise LandmarkFitError("landmarks hold NaN or infinity; leave such faces out")
    problem = _Problem(model, priors or _shipped(), config, size)
    return FaceNumbers.of(torch.cat([problem.fit(some) for some in landmarks.split(_TOGETHER)]))


class _Problem:
    """The sum of squares that a fit lowers, and its steps."""

    def __init__(self, model, priors: FittingPriors, config: LandmarkFitting, size: int):
        self.model, self.priors, self.config, self.size = model, priors, config, size
        self.directions = shape_directions(model)
        self.march = _March.of(model)
        prior = torch.zeros(len(self.directions) + POSE, len(self.directions) + POSE)
        prior.diagonal()[:IDENTITY] = 1
        prior[IDENTITY:-POSE, IDENTITY:-POSE] = priors.expression.precision
        prior.diagonal()[-POSE:] = _NEGLIGIBLE
        self.prior = prior.to(model.mean)

    def fit(self, landmarks: Tensor) -> Tensor:
        """(B, 138) of landmarks (B, 68, 2)."""
        landmarks = landmarks.to(self.model.mean)
        try:
            camera = pose_of_mean(self.model, landmarks, self.size, self.size)
        except FittingError as error:
            raise LandmarkFitError(str(error)) from None
        shape = landmarks.new_zeros(len(landmarks), len(self.directions))
        for _ in range(self.config.steps):
            step = self._step(shape, camera, landmarks)
            shape = shape + step[:, :-POSE].clamp(-1.5, 1.5)
            shape[:, IDENTITY:] = shape[:, IDENTITY:].clamp(0, 1)
            camera = moved_camera(camera, step[:, -POSE:])
        return torch.cat([shape, pose_numbers(camera)], 1)

    def _step(self, shape: Tensor, camera: WeakPerspective, landmarks: Tensor) -> Tensor:
        """(B, 132 + 6)."""
        vertices = self.model.vertices(*shape.split([IDENTITY, EXPRESSION], 1))
        chosen = self.march(camera, vertices)
        corners = vertices.gather(1, chosen[..., None].expand(-1, -1, 3))
        moving = self.directions[:, chosen].permute(1, 2, 3, 0)
        jacobian, residual = linearise_landmarks(
            camera, corners, moving, landmarks, self.priors.landmarks
        )
        damping = shape.new_full((len(shape),), self.config.damping)
        if not self.config.shape:
            jacobian = jacobian[..., -POSE:]
            matrix, right = jacobian.mT @ jacobian, (residual[:, None] @ jacobian)[:, 0]
            return torch.cat([0 * shape, damped_step(matrix, right, damping)], 1)
        weight = self.config.weight
        mean = self.prior.new_zeros(shape.shape[1] + POSE)
        mean[IDENTITY:-POSE] = self.priors.expression.mean
        away = mean - torch.cat([shape, shape.new_zeros(len(shape), POSE)], 1)
        away[:, -POSE:] = 0
        matrix = self.prior + weight * (jacobian.mT @ jacobian)
        right = away @ self.prior + weight * (residual[:, None] @ jacobian)[:, 0]
        actions = slice(IDENTITY, IDENTITY + EXPRESSION)
        return bounded_step(matrix, right, damping, shape[:, actions], actions)


@dataclass(frozen=True, eq=False)
class _March:
    """Which vertices the landmarks are, at a pose (Zhu et al. 2015, section 3.1).

    Up to 30 degrees the model has a table of where dlib's contour lies. Beyond, a landmark of the
    far side is the outermost point, in the picture, of its parallel: the vertices at its height
    from there to the nose.
    """

    model: MorphableModel
    parallels: tuple[Tensor, ...]  # (n,) vertices, of landmarks 0 to 16

    @classmethod
    def of(cls, model: MorphableModel) -> _March:
        skin = torch.unique(model.triangles[model.part_triangles["skin"]])
        skin = skin[model.regions["face"][skin] > 0.5]
        x, y, _ = model.mean[skin].unbind(1)
        turned = model.mean.new_tensor([-_TABLE, _TABLE])
        left, right = model.contour_landmarks(turned)
        parallels = []
        for place in range(17):
            corner = (left if place < 8 else right)[place]
            at = model.mean[corner]
            level = (y - at[1]).abs() < _PARALLEL
            inwards = (x * at[0] > 0) & (x.abs() < at[0].abs())
            parallels.append(torch.cat([corner[None], skin[level & inwards]]))
        return cls(model, tuple(parallels))

    def __call__(self, camera: WeakPerspective, vertices: Tensor) -> Tensor:
        """(B, 68) vertices."""
        yaw = camera.angles[:, 1]
        chosen = self.model.landmark_vertices(yaw)
        far = yaw.abs() > _TABLE
        if not far.any():
            return chosen
        # Across the face as it stands: the picture's roll is undone.
        across = camera.turn(vertices)[..., :2]
        cosine, sine = camera.angles[:, 2:].cos(), camera.angles[:, 2:].sin()
        across = cosine * across[..., 0] + sine * across[..., 1]
        for place, parallel in enumerate(self.parallels):
            if place == 8:
                continue  # the chin's tip stays
            side = -1.0 if place < 8 else 1.0
            outermost = parallel[(side * across[:, parallel]).argmax(1)]
            moves = far & (yaw * side > 0)
            chosen[:, place] = torch.where(moves, outermost, chosen[:, place])
        return chosen


@lru_cache(maxsize=1)
def _shipped() -> FittingPriors:
    return FittingPriors.load()
