"""What a fit looks for, how it begins, and how a step changes it."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective, euler_angles, rotation_matrix
from visage.faces.directions import axes, unit
from visage.faces.light import Light
from visage.faces.shape import MorphableModel

POSE = 6  # three turns, two shifts (mm) and the logarithm of the scale
LIGHT = 32  # 27 of the surroundings, 3 of the key light's colour, 2 of its direction

_ROUND = slice(17, 68)  # landmarks that stay on their place of the skin when the head turns
_WIDEST = 0.7  # radians; beyond, a detector's landmarks say little about pose


class FittingError(ValueError):
    """Pictures or landmarks to which no face can be fitted."""


@dataclass(frozen=True, eq=False)
class Unknowns:
    """All that is fitted to B pictures."""

    shape: Tensor  # (B, 80 + 52), identity in standard deviations, then expression in [0, 1]
    camera: WeakPerspective
    light: Light
    albedo: Tensor  # (B, K), standard deviations of an `AlbedoModel`
    nuisance: Tensor  # (B, N), standard deviations of what `PixelStatistics` found unexplained

    def __len__(self) -> int:
        """Pictures."""
        return len(self.shape)

    def moved(self, step: Tensor, modes: int) -> "Unknowns":
        """Take a step, not too far where the problem is far from linear.

        Args:
            step: (B, P), columns in the order shape, pose, light, albedo, nuisance; it may end
                after the pose.
            modes: of identity, how many columns come before the facial actions.
        """
        shape = self.shape + step[:, : self.shape.shape[1]].clamp(-1.5, 1.5)
        shape = torch.cat([shape[:, :modes], shape[:, modes:].clamp(0, 1)], 1)
        rest = step[:, self.shape.shape[1] :]
        new = replace(self, shape=shape, camera=moved_camera(self.camera, rest[:, :POSE]))
        rest = rest[:, POSE:]
        if not rest.shape[1]:
            return new
        albedo, nuisance = rest[:, LIGHT:].split([self.albedo.shape[1], self.nuisance.shape[1]], 1)
        return replace(
            new,
            light=_moved_light(self.light, rest[:, :LIGHT]),
            albedo=self.albedo + albedo.clamp(-1, 1),
            nuisance=self.nuisance + nuisance,
        )

    def where(self, chosen: Tensor, other: "Unknowns") -> "Unknowns":
        """These where `chosen` (B,), the other's elsewhere."""

        def pick(a: Tensor, b: Tensor) -> Tensor:
            return torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b)

        camera = replace(
            self.camera,
            **{
                name: pick(getattr(self.camera, name), getattr(other.camera, name))
                for name in ("angles", "translation", "scale")
            },
        )
        light = [pick(getattr(self.light, f.name), getattr(other.light, f.name))
                 for f in fields(Light)]  # fmt: skip
        parts = (pick(getattr(self, name), getattr(other, name)) for name in ("albedo", "nuisance"))
        return Unknowns(pick(self.shape, other.shape), camera, Light(*light), *parts)


def pose_of_mean(
    model: MorphableModel, landmarks: Tensor, height: int, width: int
) -> WeakPerspective:
    """The weak perspective that brings the mean head's landmarks near to those of pictures.

    The affine camera of least squares, and the rotation and scale nearest to it (by its singular
    values): inner landmarks only, because the contour's slide with the pose that is not known yet.

    Args:
        model: the morphable model.
        landmarks: (B, 68, 2), pixels.
        height: of the pictures, pixels.
        width: of the pictures, pixels.

    Raises:
        FittingError: the landmarks do not span a face.
    """
    like = model.mean
    points = like[model.landmarks[_ROUND]].double().expand(len(landmarks), -1, -1)
    x, y = landmarks[:, _ROUND].to(points).unbind(2)
    seen = torch.stack([x - (width - 1) / 2, (height - 1) / 2 - y], 2)
    middle, centre = points.mean(1, keepdim=True), seen.mean(1, keepdim=True)
    affine = torch.linalg.lstsq(points - middle, seen - centre).solution.mT  # (B, 2, 3)
    u, s, v = torch.linalg.svd(affine, full_matrices=False)
    scale = s.mean(1)
    if not (scale * 100 > 1).all():
        raise FittingError("landmarks lie on one spot; give those of a face")
    first, second = (u @ v).unbind(1)
    rotation = torch.stack([first, second, torch.linalg.cross(first, second)], 1)
    angles = euler_angles(rotation).clamp(-_WIDEST, _WIDEST)
    across = rotation_matrix(angles)[:, :2]
    shift = (centre / scale[:, None, None] - middle @ across.mT)[:, 0]
    return WeakPerspective(
        angles.to(like), shift.to(like), height, width, scale=scale.to(like)
    )  # fmt: skip


def moved_camera(camera: WeakPerspective, step: Tensor) -> WeakPerspective:
    """The camera after a step (B, 6): turns about the view's axes, shifts (mm), log scale."""
    turn, shift, grow = step.split([3, 2, 1], 1)
    x, y, z = turn.clamp(-0.2, 0.2).unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).unflatten(1, (3, 3))
    return replace(
        camera,
        angles=euler_angles(torch.linalg.matrix_exp(cross) @ camera.rotation()),
        translation=camera.translation + shift,
        scale=camera.scale * grow[:, 0].clamp(-0.2, 0.2).exp(),
    )


def _moved_light(light: Light, step: Tensor) -> Light:
    ambient, colour, tilt = step.split([27, 3, 2], 1)
    right, up, towards = axes(light.key_direction).unbind(1)
    tilt = tilt.clamp(-0.15, 0.15)
    return Light(
        light.ambient + ambient.unflatten(1, (9, 3)),
        unit(towards + tilt[:, :1] * right + tilt[:, 1:] * up),
        (light.key_colour + colour).clamp(min=0),
        light.key_radius,
    )
