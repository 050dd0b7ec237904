"""A morphable model's shape from a normalized face's landmarks: Cole et al. (2017), appendix B.2.

The landmarks are imagined to be projections of vertices: V(s, t, σ) through a fixed perspective
camera, where s are the model's coefficients, t a translation and σ a uniform scale (eqs. 4 to 7).
There is no rotation to find: that is what the normalization is for. s, t and σ minimise eq. 8,

    f(s) = ‖L - V‖² + λ ‖s‖².

Units decide what λ = 0.001 means, and the paper leaves them open. Here L and V are what eq. 7
yields, clip coordinates, in which the picture is 2 wide; and s counts standard deviations. Then
eq. 8 is the posterior of people drawn from the model, seen by a detector whose errors are
independent with a standard deviation of √λ = 0.032, or 3.5 pixels of 224.

One number of eq. 5 is free: multiplying σ and all of t by the same factor changes nothing in
eq. 7. So σ is 1 here, and t_z is the distance to the camera; `Perspective` has the same numbers.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from visage.faces.camera import Perspective
from visage.faces.shape import MorphableModel
from visage.normalization.errors import LandmarkFitError

__all__ = ["FittedShape", "ModelFitting", "fit_shape", "fitting_loss", "to_clip"]

_POSE = 3  # two shifts, and the logarithm of the distance
_EXPLAINED = 0.9  # share of the landmarks' variance that the mean face must explain
_HALVINGS = 8


@dataclass(frozen=True)
class ModelFitting:
    """How a shape is fitted."""

    regularization: float = 0.001  # λ of eq. 8, the paper's
    field_of_view: float = 10.0  # degrees across the picture's width, the paper's
    modes: int = 80  # leading ones that are fitted; the paper's model has 199
    most_steps: int = 60  # it is usually 5 to 15
    tolerance: float = 1e-5  # of f: a step that lowers it by a smaller share is the last


@dataclass(frozen=True, eq=False)
class FittedShape:
    """B heads at rest, before the cameras that took their pictures."""

    identity: Tensor  # (B, K), s, standard deviations
    camera: Perspective  # B of them, without rotation
    landmarks: Tensor  # (B, 68, 2), V, pixels
    loss: Tensor  # (B,), f of eq. 8
    steps: Tensor  # (B,) int64, how many it took
    converged: Tensor  # (B,) bool, before `most_steps`

    def __len__(self) -> int:
        """B."""
        return len(self.identity)


def to_clip(points: Tensor, height: int, width: int) -> Tensor:
    """Pixels to the clip coordinates of eq. 7: x right, y up, 2 from the left edge to the right.

    Args:
        points: (..., 2), (x, y), the centre of the top-left pixel is (0, 0).
        height: of the picture, pixels.
        width: of the picture, pixels.

    >>> to_clip(torch.tensor([[-0.5, 74.5], [99.5, 24.5]]), 100, 100)
    tensor([[-1.0000, -0.5000],
            [ 1.0000,  0.5000]])
    """
    middle = points.new_tensor([(width - 1) / 2, (height - 1) / 2])
    return (points - middle) * points.new_tensor([2 / width, -2 / width])


def fitting_loss(landmarks: Tensor, projected: Tensor, shape: Tensor, weight: float) -> Tensor:
    """Eq. 8: ‖L - V‖² + λ ‖s‖².

    Args:
        landmarks: (B, N, 2), L.
        projected: (B, N, 2), V, in the same coordinates.
        shape: (B, K), s.
        weight: λ.

    Returns:
        (B,). Differentiable.

    >>> fitting_loss(torch.ones(1, 3, 2), torch.zeros(1, 3, 2), torch.ones(1, 5), 0.2)
    tensor([7.])
    """
    return (landmarks - projected).square().sum((1, 2)) + weight * shape.square().sum(1)


def fit_shape(
    model: MorphableModel,
    landmarks: Tensor,
    size: int | tuple[int, int],
    config: ModelFitting | None = None,
    *,
    vertices: Tensor | None = None,
) -> FittedShape:
    """Fit shape, translation and scale to the landmarks of normalized faces.

    Gradient descent, as in the paper, in coordinates in which the mean face's curvature of f is
    the same in all directions: g is replaced by H⁻¹ g, with H the Gauss-Newton matrix at the start.
    The problem is nearly linear, so that a dozen steps do what takes thousands in plain s. A step
    that would raise f is halved.

    Args:
        model: either level of subdivision; its landmarks' vertices are the same.
        landmarks: (B, 68, 2), pixels, of faces that look into the camera at rest, without roll.
        size: of the pictures, pixels; a number, or (height, width).
        config: how to fit.
        vertices: (68,) which vertices the landmarks are (`visage.normalization.correspondence`
            finds them); the model's own if None.

    Returns:
        FittedShape. Constant to derivatives; item b depends on landmarks b only.

    Raises:
        LandmarkFitError: the landmarks are no batch of 68, not finite, or no frontal face.

    >>> model = MorphableModel.load()
    >>> pixels = 0.9 * model.mean[model.landmarks, :2] * torch.tensor([1.0, -1.0]) + 111.5
    >>> fit_shape(model, pixels[None], 224).identity.abs().max() < 1
    tensor(True)
    """
    config = config or ModelFitting()
    height, width = (size, size) if isinstance(size, int) else size
    _check(landmarks)
    corners = model.landmarks if vertices is None else vertices
    problem = _Problem(model, corners, config)
    # Cheap, and in single precision a share of 1e-5 of f would be lost among rounding errors.
    wanted = to_clip(landmarks.detach().double(), height, width)
    unknowns, loss, steps, done = problem.descend(wanted)
    shape, pose = unknowns[:, : problem.modes].float(), unknowns[:, problem.modes :]
    camera = Perspective(
        angles=shape.new_zeros(len(shape), 3),
        translation=pose[:, :2].float() * problem.unit,
        height=height,
        width=width,
        focal=shape.new_full((len(shape),), problem.focal * width / 2),
        distance=(problem.distance(pose)).float(),
    )
    seen = camera.project(model.vertices(shape)[:, corners])[..., :2]
    return FittedShape(shape, camera, seen, loss.float(), steps, done)


class _Problem:
    """Eqs. 4 to 8 of the landmarks' vertices, in float64, one item at a time under `vmap`."""

    unit = 20.0  # mm of shift that count as one

    def __init__(self, model: MorphableModel, corners: Tensor, config: ModelFitting):
        self.config, self.modes = config, min(config.modes, len(model.identity_basis))
        self.mean = model.mean[corners].double()
        std = model.identity_std[: self.modes, None, None]
        self.basis = (model.identity_basis[: self.modes, corners] * std).double()
        self.focal = 1 / math.tan(math.radians(config.field_of_view) / 2)

    def distance(self, pose: Tensor) -> Tensor:
        """Millimetres from pose (..., 3)."""
        return pose[..., 2].exp() * 1000

    def project(self, unknowns: Tensor) -> Tensor:
        """V (N, 2) of the unknowns (K + 3,): eqs. 4 to 7."""
        shape, pose = unknowns[: self.modes], unknowns[self.modes :]
        x, y, z = (self.mean + torch.tensordot(shape, self.basis, 1)).unbind(-1)
        scale = self.focal / (self.distance(pose) - z)
        shift = self.unit * pose
        return torch.stack([scale * (x + shift[0]), scale * (y + shift[1])], 1)

    def loss(self, unknowns: Tensor, wanted: Tensor) -> Tensor:
        """Eq. 8 (B,) of unknowns (B, K + 3)."""
        projected = vmap(self.project)(unknowns)
        shape = unknowns[:, : self.modes]
        return fitting_loss(wanted, projected, shape, self.config.regularization)

    def start(self, wanted: Tensor) -> Tensor:
        """The mean face where the landmarks are, and as large."""
        flat = self.mean[:, :2] - self.mean[:, :2].mean(0)
        middle = wanted.mean(1, keepdim=True)
        away = wanted - middle
        scale = (away * flat).sum((1, 2)) / flat.square().sum()
        left = (away - scale[:, None, None] * flat).square().sum((1, 2))
        explained = 1 - left / away.square().sum((1, 2))
        bad = ~((scale > 0) & (explained > _EXPLAINED))
        if bad.any():
            raise LandmarkFitError(
                f"the landmarks of item {int(bad.nonzero()[0])} are not those of an upright face "
                "that looks into the camera; normalize the picture first, or check the order of "
                "the points"
            )
        depth = self.focal / scale
        shift = middle[:, 0] / scale[:, None] - self.mean[:, :2].mean(0)
        distance = depth + self.mean[:, 2].mean()
        pose = torch.cat([shift / self.unit, (distance / 1000).log()[:, None]], 1)
        return torch.cat([pose.new_zeros(len(pose), self.modes), pose], 1)

    def descend(self, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Unknowns (B, K + 3), f, steps and whether they sufficed (B,)."""
        unknowns = self.start(wanted)
        jacobian = vmap(jacrev(self.project))(unknowns).flatten(1, 2)  # (B, 2 N, K + 3)
        weights = jacobian.new_zeros(jacobian.shape[2])
        weights[: self.modes] = self.config.regularization
        curvature = torch.linalg.cholesky(jacobian.mT @ jacobian + torch.diag(weights))
        loss = self.loss(unknowns, wanted)
        pace = torch.ones_like(loss)
        steps = torch.zeros(len(loss), dtype=torch.int64)
        active = torch.ones(len(loss), dtype=torch.bool)
        gradient = torch.func.grad(lambda u: self.loss(u, wanted).sum())
        for _ in range(self.config.most_steps):
            slope = torch.cholesky_solve(gradient(unknowns)[..., None], curvature)[..., 0] / 2
            tried = unknowns - pace[:, None] * slope
            reached = self.loss(tried, wanted)
            better = active & (reached < loss)
            gained = (loss - reached) / loss.clamp(min=1e-12)
            unknowns = torch.where(better[:, None], tried, unknowns)
            loss, steps = torch.where(better, reached, loss), steps + active
            pace = torch.where(active & ~better, pace / 2, pace)
            ended = torch.where(better, gained < self.config.tolerance, pace < 2.0**-_HALVINGS)
            active = active & ~ended
            if not active.any():
                break
        return unknowns, loss, steps, ~active


def _check(landmarks: Tensor) -> None:
    if landmarks.ndim != 3 or landmarks.shape[1:] != (68, 2) or not len(landmarks):
        raise LandmarkFitError(
            f"landmarks are {tuple(landmarks.shape)}; expected (B, 68, 2) pixels (x, y)"
        )
    if not landmarks.isfinite().all():
        raise LandmarkFitError("landmarks hold NaN or infinity; check how they were found")
    if (landmarks.detach().flatten(0, 1).std(0) == 0).any():
        raise LandmarkFitError("all landmarks lie on one line; check how they were found")
