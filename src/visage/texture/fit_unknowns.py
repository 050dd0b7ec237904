"""The unknowns χ = {V, I, R, t, P, L} of equation 1: identity, expression, pose, camera, light.

They are kept as numbers that a step can be added to, in this order:

========== ====== ===========================================================================
columns    count  unit
========== ====== ===========================================================================
identity   80     standard deviations
expression 52     strength of a facial action, in [0, 1]
turn       3      radians, about the view's axes, through the head's origin
shift      2      mm to the right and up
scale      1      logarithm of focal length over distance
distance   1      logarithm of the distance, the scale kept: how strong the perspective is
light      27     radiance of the harmonics, red, green and blue of each
albedo     K      standard deviations
========== ====== ===========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visage.faces.camera import Perspective, WeakPerspective, euler_angles
from visage.faces.fitting.unknowns import FittingError, pose_of_mean
from visage.faces.shape import MorphableModel
from visage.texture.errors import ModelFitError

IDENTITY, EXPRESSION, CAMERA, LIGHT = 80, 52, 7, 27
SHAPE = IDENTITY + EXPRESSION

USUAL_DISTANCE = 1450.0
"""mm, from which faces are photographed: between an arm and a long lens, by its logarithm."""

_FURTHEST = (1.5, 0.2, 60.0, 0.2, 0.3)  # of a step: shape and albedo, turn, shift, scale, distance
_DISTANCES = (400.0, 8000.0)  # mm; beyond either end a picture shows no difference, or no face


@dataclass(frozen=True, eq=False)
class FitUnknowns:
    """All that is fitted to B pictures."""

    shape: Tensor  # (B, 132), identity, then expression
    camera: Perspective
    light: Tensor  # (B, 9, 3), radiance, view frame, see `visage.faces.harmonics`
    albedo: Tensor  # (B, K)

    def __len__(self) -> int:
        """Pictures."""
        return len(self.shape)

    def __getitem__(self, index: slice) -> FitUnknowns:
        """Some of them."""
        camera = _camera_with(self.camera, lambda name: getattr(self.camera, name)[index])
        return FitUnknowns(self.shape[index], camera, self.light[index], self.albedo[index])

    @property
    def identity(self) -> Tensor:
        """(B, 80), standard deviations."""
        return self.shape[:, :IDENTITY]

    @property
    def expression(self) -> Tensor:
        """(B, 52), in [0, 1]."""
        return self.shape[:, IDENTITY:]

    def vertices(self, model: MorphableModel) -> Tensor:
        """The heads (B, V, 3), mm, head frame."""
        return model.vertices(self.identity, self.expression)

    def moved(self, step: Tensor) -> FitUnknowns:
        """After a step (B, P), exactly; differentiable in it."""
        shape, turn, shift, scale, distance, light, albedo = _split(step)
        x, y, z = turn.unbind(1)
        zero = torch.zeros_like(x)
        cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).unflatten(1, (3, 3))
        camera = self.camera
        away = distance[:, 0].exp()
        return FitUnknowns(
            self.shape + shape,
            replace(
                camera,
                angles=euler_angles(torch.linalg.matrix_exp(cross) @ camera.rotation()),
                translation=camera.translation + shift,
                focal=camera.focal * scale[:, 0].exp() * away,
                distance=camera.distance * away,
            ),
            self.light + light.unflatten(1, (9, 3)),
            self.albedo + albedo,
        )

    def cautiously_moved(self, step: Tensor) -> FitUnknowns:
        """After a step that goes nowhere too far, and keeps facial actions in [0, 1]."""
        shape, turn, shift, scale, distance, light, albedo = _split(step)
        far, turned, shifted, scaled, receded = _FURTHEST
        # The distance itself is kept in range too, whatever the steps add up to.
        nearest, farthest = (step.new_tensor(end).log() for end in _DISTANCES)
        now = self.camera.distance.log()[:, None]
        distance = (now + distance.clamp(-receded, receded)).clamp(nearest, farthest) - now
        parts = [
            *(shape.clamp(-far, far), turn.clamp(-turned, turned), shift.clamp(-shifted, shifted)),
            *(scale.clamp(-scaled, scaled), distance, light, albedo.clamp(-far, far)),
        ]
        new = self.moved(torch.cat(parts, 1))
        kept = [new.identity, new.expression.clamp(0, 1)]
        return replace(new, shape=torch.cat(kept, 1))

    @classmethod
    def joined(cls, several: list[FitUnknowns]) -> FitUnknowns:
        """All of several, in order, of pictures of one size."""

        def join(read) -> Tensor:
            return torch.cat([read(one) for one in several])

        camera = _camera_with(
            several[0].camera, lambda name: join(lambda one: getattr(one.camera, name))
        )
        return cls(
            join(lambda one: one.shape), camera, join(lambda one: one.light),
            join(lambda one: one.albedo),
        )  # fmt: skip


def start_from_landmarks(
    model: MorphableModel, landmarks: Tensor, height: int, width: int, expression: Tensor,
    components: int,
) -> FitUnknowns:  # fmt: skip
    """The mean face where the landmarks are, an arm's length and a bit away, in even light.

    Args:
        model: the morphable model.
        landmarks: (B, 68, 2), pixels.
        height: of the pictures, pixels.
        width: of the pictures, pixels.
        expression: (52,), the usual one.
        components: K, of the albedo.

    Raises:
        ModelFitError: the landmarks do not span a face.
    """
    try:
        camera = pose_of_mean(model, landmarks, height, width)
    except FittingError as error:
        raise ModelFitError(str(error)) from None
    return start_from_numbers(
        landmarks.new_zeros(len(landmarks), IDENTITY), expression.expand(len(landmarks), -1),
        camera, components,
    )  # fmt: skip


def start_from_numbers(
    identity: Tensor, expression: Tensor, camera: WeakPerspective | Perspective, components: int
) -> FitUnknowns:
    """A start at a face that the caller knows of, in even light, its albedo the mean."""
    if isinstance(camera, WeakPerspective):
        camera = camera.at_distance(torch.full_like(camera.scale, USUAL_DISTANCE))
    light = identity.new_zeros(len(identity), 9, 3)
    light[:, 0] = 2 * torch.pi**0.5  # radiance 1 from everywhere
    albedo = identity.new_zeros(len(identity), components)
    return FitUnknowns(torch.cat([identity, expression], 1), camera, light, albedo)


def _split(step: Tensor) -> tuple[Tensor, ...]:
    rest = step.shape[1] - SHAPE - CAMERA - LIGHT
    return step.split([SHAPE, 3, 2, 1, 1, LIGHT, rest], 1)


def _camera_with(camera: Perspective, part) -> Perspective:
    names = ("angles", "translation", "focal", "distance")
    return replace(camera, **{name: part(name) for name in names})
