"""Cameras: weak perspective (Richardson et al. 2017, eq. 2) and perspective.

Frames. The head frame is in millimetres and right-handed: x to the picture's right, y up, z out of
the face. The **view frame** has the same directions as seen by the camera, which looks along -z:
Q = R P + t. Lights and the normals that they fall on live in it. The picture has x to the right and
y down, in pixels; the centre of the top-left pixel is (0, 0), so the middle of a picture W wide is
at x = (W - 1)/2.

Angles are (pitch, yaw, roll) in radians, and R = R_z(roll) R_y(yaw) R_x(pitch): the head nods, then
turns, then the picture rolls. All three are right-handed turns about the axes of the view frame:
positive pitch looks down, positive yaw looks towards the picture's right, positive roll turns the
picture counter-clockwise. Zero is a frontal face in the middle of the picture.

Everything is differentiable in the vertices and in the camera's parameters.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from visage.faces.directions import unit

NEAR = 1.0
"""mm in front of a perspective camera; what is nearer, or behind it, is not in the picture."""


class CameraError(ValueError):
    """Parameters from which no picture can be taken."""


def rotation_matrix(angles: Tensor) -> Tensor:
    """R = R_z(roll) R_y(yaw) R_x(pitch).

    Args:
        angles: (..., 3), pitch, yaw and roll in radians.

    Returns:
        (..., 3, 3).

    >>> nose = torch.tensor([0.0, 0.0, 1.0])
    >>> rotation_matrix(torch.tensor([0.0, torch.pi / 2, 0.0])) @ nose  # turned to the right
    tensor([ 1.0000e+00,  0.0000e+00, -4.3711e-08])
    """
    (sp, sy, sr), (cp, cy, cr) = angles.sin().unbind(-1), angles.cos().unbind(-1)
    entries = [
        *(cy * cr, sp * sy * cr - cp * sr, cp * sy * cr + sp * sr),
        *(cy * sr, sp * sy * sr + cp * cr, cp * sy * sr - sp * cr),
        *(-sy, sp * cy, cp * cy),
    ]
    return torch.stack(entries, -1).unflatten(-1, (3, 3))


def euler_angles(rotation: Tensor) -> Tensor:
    """Invert `rotation_matrix`, with yaw in [-π/2, π/2].

    At a yaw of ±π/2 only the sum or difference of pitch and roll is determined; roll is then 0.

    Args:
        rotation: (..., 3, 3).

    Returns:
        (..., 3), pitch, yaw and roll in radians.

    >>> euler_angles(rotation_matrix(torch.tensor([0.1, -0.7, 0.3])))
    tensor([ 0.1000, -0.7000,  0.3000])
    """
    r = rotation
    cosine = torch.hypot(r[..., 0, 0], r[..., 1, 0])
    locked = cosine < 16 * torch.finfo(r.dtype).eps
    yaw = torch.atan2(-r[..., 2, 0], cosine)
    pitch = torch.where(
        locked,
        torch.atan2(-r[..., 1, 2], r[..., 1, 1]),
        torch.atan2(r[..., 2, 1], r[..., 2, 2]),
    )
    roll = torch.atan2(r[..., 1, 0], r[..., 0, 0]).masked_fill(locked, 0)
    return torch.stack([pitch, yaw, roll], -1)


@dataclass(frozen=True, eq=False)
class Camera:
    """What both cameras share: a pose and the size of the picture."""

    angles: Tensor  # (B, 3), pitch, yaw and roll in radians
    translation: Tensor  # (B, 2), mm to the right and up, in the view frame
    height: int  # of the picture, pixels
    width: int

    perspective: ClassVar[bool]
    """What `visage.faces.raster` is told, so that it interpolates on the surface."""

    def __post_init__(self):
        if self.height < 1 or self.width < 1:
            raise CameraError(f"the picture is {self.height}×{self.width}; give at least 1×1")
        self._check("angles", self.angles, (3,))
        self._check("translation", self.translation, (2,))

    def __len__(self) -> int:
        """Cameras in the batch."""
        return len(self.angles)

    def rotation(self) -> Tensor:
        """(B, 3, 3), from the head frame to the view frame."""
        return rotation_matrix(self.angles)

    def turn(self, directions: Tensor) -> Tensor:
        """Rotate directions, such as normals, (B, V, 3) into the view frame."""
        self._check_vertices(directions)
        return (self.rotation() @ directions.mT).mT  # three times faster than from the right

    def _pixels(self, x: Tensor, y: Tensor, depth: Tensor) -> Tensor:
        middle = ((self.width - 1) / 2, (self.height - 1) / 2)
        return torch.stack([middle[0] + x, middle[1] - y, depth], -1)

    def _from_middle(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Invert `_pixels`."""
        self._check_vertices(points)
        x, y, depth = points.unbind(-1)
        return x - (self.width - 1) / 2, (self.height - 1) / 2 - y, depth

    def _check(self, name: str, value: Tensor, shape: tuple[int, ...], *, above=None) -> None:
        if value.ndim != 1 + len(shape) or tuple(value.shape) != (len(self.angles), *shape):
            expected = ", ".join(["B", *map(str, shape)]) + ("" if shape else ",")
            raise CameraError(
                f"{name} is {tuple(value.shape)}; expected ({expected}) with B = {len(self.angles)}"
            )
        if not value.isfinite().all():
            raise CameraError(f"{name} holds NaN or infinity; check how it was computed")
        if above is not None and not (value > above).all():
            raise CameraError(f"{name} is {float(value.min()):g}; expected more than {above:g}")

    def _check_vertices(self, vertices: Tensor) -> None:
        if vertices.ndim != 3 or vertices.shape[2] != 3:
            raise CameraError(f"vertices are {tuple(vertices.shape)}; expected (B, V, 3)")
        if 1 not in (len(vertices), len(self)) and len(vertices) != len(self):
            raise CameraError(
                f"{len(vertices)} sets of vertices for {len(self)} cameras; give as many, or one"
            )


@dataclass(frozen=True, eq=False)
class WeakPerspective(Camera):
    """Parallel projection with a scale: p = f [R | t] P (Richardson et al. 2017, eq. 2).

    The paper's six parameters: three angles, t and f. Its pixels have their origin in the middle
    and y up; `project` moves the origin to the top-left pixel and turns y down.

    Args:
        angles: (B, 3), pitch, yaw and roll in radians.
        translation: (B, 2), t in mm, to the right and up.
        height: of the picture, pixels.
        width: of the picture, pixels.
        scale: (B,), f in pixels per mm, positive.

    Raises:
        CameraError: a shape does not fit, or a parameter is not finite or not positive.

    >>> zero = torch.zeros(1, 3)
    >>> camera = WeakPerspective(zero, zero[:, :2], 101, 101, scale=torch.tensor([0.5]))
    >>> camera.project(torch.tensor([[[10.0, 20.0, 30.0]]]))
    tensor([[[ 55.,  40., -30.]]])
    """

    scale: Tensor

    perspective: ClassVar[bool] = False

    def __post_init__(self):
        super().__post_init__()
        self._check("scale", self.scale, (), above=0)

    def view(self, vertices: Tensor) -> Tensor:
        """Move vertices (B, V, 3), mm, from the head frame to the view frame: R P + t."""
        shift = torch.cat([self.translation, torch.zeros_like(self.translation[:, :1])], 1)
        return self.turn(vertices) + shift[:, None]

    def project(self, vertices: Tensor) -> Tensor:
        """Take the picture.

        Args:
            vertices: (B, V, 3), mm, head frame; B may be 1 on either side.

        Returns:
            (B, V, 3): x and y in pixels, and depth in mm, larger is farther. The head's origin has
            depth 0.
        """
        x, y, z = self.view(vertices).unbind(-1)
        scale = self.scale[:, None]
        return self._pixels(scale * x, scale * y, -z)

    def unproject(self, points: Tensor) -> Tensor:
        """Invert `project` as far as the view frame: pixels and depth (B, N, 3) to mm."""
        x, y, depth = self._from_middle(points)
        scale = self.scale[:, None]
        return torch.stack([x / scale, y / scale, (-depth).expand_as(x / scale)], -1)

    def towards_viewer(self, positions: Tensor) -> Tensor:
        """Unit vectors to the camera, for positions (B, 3, H, W) in the view frame: always z."""
        return positions.new_tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)

    def magnified(self, factor: int) -> Self:
        """The same picture with `factor` times as many pixels each way."""
        return replace(
            self,
            height=self.height * factor,
            width=self.width * factor,
            scale=self.scale * factor,
        )

    def at_distance(self, distance: Tensor) -> "Perspective":
        """The perspective camera `distance` (B,) mm away that sees the head's origin as large."""
        return Perspective(
            self.angles,
            self.translation,
            self.height,
            self.width,
            focal=self.scale * distance,
            distance=distance,
        )


@dataclass(frozen=True, eq=False)
class Perspective(Camera):
    """Pinhole camera in front of the head: Π_P of Saito et al. (2017), section 3.

    It stands at the origin of the view frame, the head's origin at (t, -distance).

    Args:
        angles: (B, 3), pitch, yaw and roll in radians.
        translation: (B, 2), t in mm, to the right and up.
        height: of the picture, pixels.
        width: of the picture, pixels.
        focal: (B,), focal length in pixels, positive. A portrait lens on full-frame film (85 mm
            on 24 by 36) has about 2.4 times the picture's longer side.
        distance: (B,), mm from the camera to the plane of the head's origin, more than `NEAR`.

    Raises:
        CameraError: a shape does not fit, or a parameter is not finite or not positive.

    >>> zero = torch.zeros(1, 3)
    >>> half, metre = torch.tensor([500.0]), torch.tensor([1000.0])
    >>> camera = Perspective(zero, zero[:, :2], 101, 101, focal=half, distance=metre)
    >>> camera.project(torch.tensor([[[10.0, 20.0, 0.0], [10.0, 20.0, 500.0]]]))
    tensor([[[  55.,   40., 1000.],
             [  60.,   30.,  500.]]])
    """

    focal: Tensor
    distance: Tensor

    perspective: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        self._check("focal", self.focal, (), above=0)
        self._check("distance", self.distance, (), above=NEAR)

    def view(self, vertices: Tensor) -> Tensor:
        """Move vertices (B, V, 3), mm, from the head frame to the view frame."""
        shift = torch.cat([self.translation, -self.distance[:, None]], 1)
        return self.turn(vertices) + shift[:, None]

    def project(self, vertices: Tensor) -> Tensor:
        """Take the picture.

        Args:
            vertices: (B, V, 3), mm, head frame; B may be 1 on either side.

        Returns:
            (B, V, 3): x and y in pixels, and depth in mm from the camera, larger is farther. What
            is not at least `NEAR` in front of the camera has NaN for pixels, so that no triangle
            is drawn with it.
        """
        x, y, z = self.view(vertices).unbind(-1)
        visible = z <= -NEAR
        # Divided by a safe number first: a NaN behind `where` would still spoil the derivatives.
        scale = self.focal[:, None] / torch.where(visible, -z, NEAR)
        x, y = (torch.where(visible, scale * offset, torch.nan) for offset in (x, y))
        return self._pixels(x, y, -z)

    def unproject(self, points: Tensor) -> Tensor:
        """Invert `project` as far as the view frame: pixels and depth (B, N, 3) to mm."""
        x, y, depth = self._from_middle(points)
        scale = depth / self.focal[:, None]
        return torch.stack([x * scale, y * scale, (-depth).expand_as(x * scale)], -1)

    def towards_viewer(self, positions: Tensor) -> Tensor:
        """Unit vectors (B, 3, H, W) to the camera, for positions (B, 3, H, W) in the view frame."""
        return -unit(positions)

    def magnified(self, factor: int) -> Self:
        """The same picture with `factor` times as many pixels each way."""
        return replace(
            self,
            height=self.height * factor,
            width=self.width * factor,
            focal=self.focal * factor,
        )
