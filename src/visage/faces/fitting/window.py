"""The upright square window round a face that the network of `regressor` looks through.

Landmarks say where the face is, how large and how rolled (`pose_of_mean`). The window is 232 mm
wide as far as they can tell, upright, 128 pixels a side: all of the face, the ears, most of the
hair. It is a picture of its own, with a weak perspective camera of its own.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.faces.fitting.unknowns import pose_of_mean
from visage.faces.shape import MorphableModel

SIDE = 128
"""Pixels of a window."""

WIDTH = 232.0
"""mm that it shows, had the face the mean's size."""

CENTRE = (0.0, -8.0, 50.0)
"""mm, head frame: the point in its middle, between the eyes, the mouth and the ears."""

_FINEST = 8  # samples a window's pixel and direction: enough for faces of 1,000 pixels


@dataclass(frozen=True, eq=False)
class Window:
    """B windows on B pictures of one size."""

    centre: Tensor  # (B, 2), pixels of the picture
    roll: Tensor  # (B,), radians, positive turns counter-clockwise, as a camera's
    scale: Tensor  # (B,), pixels of the window for one of the picture
    height: int  # of the pictures, pixels
    width: int

    @classmethod
    def round_faces(
        cls, model: MorphableModel, landmarks: Tensor, height: int, width: int
    ) -> "Window":
        """The windows round faces with landmarks (B, 68, 2), pixels of pictures that large.

        Raises:
            FittingError: the landmarks do not span a face.
        """
        pose = pose_of_mean(model, landmarks, height, width)
        centre = pose.project(model.mean.new_tensor(CENTRE).expand(len(landmarks), 1, 3))
        return cls(centre[:, 0, :2], pose.angles[:, 2], SIDE / WIDTH / pose.scale, height, width)

    def __len__(self) -> int:
        """Windows."""
        return len(self.centre)

    def cut(self, images: Tensor) -> Tensor:
        """What the windows show of images (B, 3, H, W): (B, 3, 128, 128), antialiased.

        Outside of a picture its edge goes on.
        """
        samples = (1 / self.scale).ceil().clamp(2, _FINEST).int()
        found = images.new_empty(len(self), images.shape[1], SIDE, SIDE)
        for fine in samples.unique().tolist():
            some = samples == fine
            shape = [int(some.sum()), images.shape[1], SIDE * fine, SIDE * fine]
            grid = F.affine_grid(self._affine()[some].to(images), shape, align_corners=False)
            sampled = F.grid_sample(images[some], grid, align_corners=False, padding_mode="border")
            found[some] = F.avg_pool2d(sampled, fine)
        return found

    def _affine(self) -> Tensor:
        """(B, 2, 3), from halves of a window round its middle to halves of the picture."""
        half = SIDE / 2 / self.scale.square()[:, None, None] * self._turn().mT
        size = self.centre.new_tensor([self.width, self.height])
        middle = (2 * self.centre + 1) / size - 1
        return torch.cat([half * 2 / size[:, None], middle[..., None]], 2)

    def inside(self, points: Tensor) -> Tensor:
        """From pixels (B, N, 2) of the picture to pixels of the window."""
        return (points - self.centre[:, None]) @ self._turn().mT + (SIDE - 1) / 2

    def outside(self, points: Tensor) -> Tensor:
        """From pixels (B, N, 2) of the window to pixels of the picture."""
        turn = self._turn() / self.scale.square()[:, None, None]
        return (points - (SIDE - 1) / 2) @ turn + self.centre[:, None]

    def camera_inside(self, camera: WeakPerspective) -> WeakPerspective:
        """The camera that takes the windows as `camera` takes the pictures."""
        shift = _rolled(camera.translation, -self.roll) + self._away(camera.scale)
        return WeakPerspective(
            _with_roll(camera.angles, -self.roll),
            shift,
            SIDE,
            SIDE,
            scale=camera.scale * self.scale,
        )

    def camera_outside(self, camera: WeakPerspective) -> WeakPerspective:
        """Invert `camera_inside`."""
        scale = camera.scale / self.scale
        shift = _rolled(camera.translation - self._away(scale), self.roll)
        return replace(
            camera, angles=_with_roll(camera.angles, self.roll), translation=shift, scale=scale,
            height=self.height, width=self.width,
        )  # fmt: skip

    def moved(self, shift: Tensor, roll: Tensor, growth: Tensor) -> "Window":
        """Windows that are a little off.

        Args:
            shift: (B, 2), pixels of the window, to the right and down.
            roll: (B,), radians, added.
            growth: (B,), factor of what the window shows.
        """
        centre = self.outside(shift[:, None] + (SIDE - 1) / 2)[:, 0]
        return replace(self, centre=centre, roll=self.roll + roll, scale=self.scale / growth)

    def _turn(self) -> Tensor:
        """(B, 2, 2), from offsets in the picture to offsets in the window, y down in both."""
        cosine, sine = self.scale * self.roll.cos(), self.scale * self.roll.sin()
        return torch.stack([cosine, -sine, sine, cosine], 1).unflatten(1, (2, 2))

    def _away(self, scale: Tensor) -> Tensor:
        """(B, 2) mm, right and up in the window, from its middle to the picture's."""
        middle = self.centre.new_tensor([(self.width - 1) / 2, (self.height - 1) / 2])
        x, y = ((middle - self.centre) / scale[:, None]).unbind(1)
        return _rolled(torch.stack([x, -y], 1), -self.roll)


def _rolled(offsets: Tensor, roll: Tensor) -> Tensor:
    """Turn offsets (B, 2), right and up, counter-clockwise."""
    (x, y), cosine, sine = offsets.unbind(1), roll.cos(), roll.sin()
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y], 1)


def _with_roll(angles: Tensor, more: Tensor) -> Tensor:
    return torch.cat([angles[:, :2], angles[:, 2:] + more[:, None]], 1)
