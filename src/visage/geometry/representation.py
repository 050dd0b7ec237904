"""The numbers that CoarseNet estimates: identity, expression, pose (Richardson et al. 2017, 3.1).

The paper has 200 + 84 + 6 numbers; the model of this book has 80 + 52 + 6. The vector r of all of
them is what the network reads and writes, and what eq. 3 mixes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.geometry.errors import RepresentationError
from visage.geometry.face_mesh import FaceMesh

IDENTITY, EXPRESSION, POSE = 80, 52, 6
NUMBERS = IDENTITY + EXPRESSION + POSE

SIZE = 200
"""Pixels of the face's picture, as in the paper."""

WIDTH = 232.0
"""mm of the mean face's surroundings that the picture shows: the face, the ears, some hair."""

CENTRE = (0.0, -8.0, 50.0)
"""mm, head frame: the point in the middle of the picture, between the eyes, the mouth and the ears.
A translation that is measured at it does not change when the head turns."""

# What a pose number of 1 is: about a standard deviation of the training pictures, so that six mean
# squares weigh about the same.
YAW_UNIT = 0.5  # radians
_ANGLES = (0.10, YAW_UNIT, 0.08)  # radians of pitch, yaw and roll
SHIFT = 8.0
"""mm that a shift of 1 is."""
_GROWTH = 0.08  # of the logarithm of the scale


@dataclass(frozen=True, eq=False)
class FaceNumbers:
    """r of B faces.

    Raises:
        RepresentationError: a shape does not fit.
    """

    identity: Tensor  # (B, 80), standard deviations
    expression: Tensor  # (B, 52), facial actions, 0 at rest and 1 at full strength
    pose: Tensor  # (B, 6), pitch, yaw, roll, shift right and up, growth; see `camera`

    def __post_init__(self):
        widths = {"identity": IDENTITY, "expression": EXPRESSION, "pose": POSE}
        for name, width in widths.items():
            value = getattr(self, name)
            if value.ndim != 2 or tuple(value.shape) != (len(self.identity), width):
                raise RepresentationError(
                    f"{name} is {tuple(value.shape)}; expected ({len(self.identity)}, {width})"
                )

    @classmethod
    def zeros(cls, batch: int, device: torch.device | str = "cpu") -> FaceNumbers:
        """r_0: the mean face at rest, in the middle, seen from the front."""
        return cls.of(torch.zeros(batch, NUMBERS, device=device))

    @classmethod
    def of(cls, numbers: Tensor) -> FaceNumbers:
        """From (B, 138), as `numbers` gives them.

        Raises:
            RepresentationError: the shape does not fit.
        """
        if numbers.ndim != 2 or numbers.shape[1] != NUMBERS:
            raise RepresentationError(f"numbers are {tuple(numbers.shape)}; expected (B, 138)")
        return cls(*numbers.split([IDENTITY, EXPRESSION, POSE], 1))

    @property
    def numbers(self) -> Tensor:
        """(B, 138), side by side."""
        return torch.cat([self.identity, self.expression, self.pose], 1)

    @property
    def shape(self) -> Tensor:
        """(B, 132), identity and expression."""
        return torch.cat([self.identity, self.expression], 1)

    def __len__(self) -> int:
        """Faces in the batch."""
        return len(self.identity)

    def __getitem__(self, index: slice | Tensor) -> FaceNumbers:
        """Some of the faces; a slice, or a tensor of indices."""
        return FaceNumbers(self.identity[index], self.expression[index], self.pose[index])

    def to(self, target: torch.device | torch.dtype | str) -> FaceNumbers:
        """The same numbers on another device, or in another type."""
        return FaceNumbers(
            *(part.to(target) for part in (self.identity, self.expression, self.pose))
        )

    def detach(self) -> FaceNumbers:
        """The same numbers, constants to derivatives."""
        return FaceNumbers.of(self.numbers.detach())

    def camera(self, size: int = SIZE) -> WeakPerspective:
        """The camera of eq. 2 that sees the faces as the pose says.

        Args:
            size: pixels of the square picture, which shows the same whatever its size.
        """
        angles, shift, growth = self.pose.split([3, 2, 1], 1)
        angles = angles * angles.new_tensor(_ANGLES)
        scale = (growth[:, 0] * _GROWTH).exp() * (size / WIDTH)
        unshifted = WeakPerspective(angles, 0 * shift, size, size, scale=scale)
        shift = shift * SHIFT - _centre_seen(unshifted)
        return WeakPerspective(angles, shift, size, size, scale=scale)

    def vertices(self, mesh: FaceMesh) -> Tensor:
        """(B, N, 3) mm, head frame."""
        return mesh.vertices(self.identity, self.expression)


def pose_numbers(camera: WeakPerspective) -> Tensor:
    """Invert `FaceNumbers.camera`.

    Args:
        camera: of square pictures that show what a window round a face shows.

    Returns:
        (B, 6).

    >>> zero = FaceNumbers.zeros(1)
    >>> pose_numbers(zero.camera()).abs().max() < 1e-5
    tensor(True)
    """
    shift = camera.translation + _centre_seen(camera)
    growth = (camera.scale * (WIDTH / camera.width)).log()[:, None]
    angles = camera.angles / camera.angles.new_tensor(_ANGLES)
    return torch.cat([angles, shift / SHIFT, growth / _GROWTH], 1)


def _centre_seen(camera: WeakPerspective) -> Tensor:
    """(B, 2) mm, where `CENTRE` is seen from the head's origin, right and up."""
    return camera.rotation()[:, :2] @ camera.angles.new_tensor(CENTRE)
