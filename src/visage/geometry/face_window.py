"""The upright square window round a face that CoarseNet is shown (Richardson et al. 2017, 3.4).

The paper feeds CoarseNet what a face detector finds, with no landmarks and no alignment. A detector
has its own idea of where a face ends: on training people, dlib's box is 155 mm wide at the mean
face's size (the logarithm varies by 0.10), and its middle lies 17 mm below the window's (10 mm up
or down, with the pitch); it follows the nose of a face that turns, by 0.6 mm a degree. `of_boxes`
takes out the means; the rest is CoarseNet's to find, and `recentred` is for a second look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.geometry.errors import WindowError
from visage.geometry.representation import CENTRE, SIZE, WIDTH, FaceNumbers
from visage.photos.landmarks import FaceBox

BOX_SIDE = 155.0
"""mm that dlib's box shows of a face of the mean's size."""

_BELOW = 17.0  # mm from the window's middle down to the box's
_FINEST = 8  # samples a window's pixel and direction: enough for faces of 1,600 pixels


@dataclass(frozen=True, eq=False)
class FaceWindow:
    """B windows on pictures.

    Raises:
        WindowError: a shape does not fit, or a window has no area.
    """

    centre: Tensor  # (B, 2), pixels of the picture, of the windows' middles
    side: Tensor  # (B,), pixels of the picture

    def __post_init__(self):
        count = len(self.side)
        if self.side.ndim != 1 or tuple(self.centre.shape) != (count, 2):
            raise WindowError(
                f"centre is {tuple(self.centre.shape)}, side {tuple(self.side.shape)}; expected "
                "(B, 2) and (B,)"
            )
        if not self.centre.isfinite().all() or not (self.side > 0).all():
            raise WindowError("a window has no area, or lies nowhere; check its box")

    @classmethod
    def of_box(cls, box: FaceBox) -> FaceWindow:
        """The window round one detected face."""
        return cls.of_boxes([box])

    @classmethod
    def of_boxes(cls, boxes: Sequence[FaceBox]) -> FaceWindow:
        """The windows round detected faces.

        >>> window = FaceWindow.of_box(FaceBox(50.0, 50.0, 205.0, 205.0, score=1.0))
        >>> window.centre, window.side
        (tensor([[127.5000, 110.5000]]), tensor([232.]))
        """
        edges = torch.tensor([[box.left, box.top, box.right, box.bottom] for box in boxes])
        low, high = edges.view(-1, 4).split(2, 1)
        side = (high - low).mean(1)  # dlib's are square but for rounding
        lift = torch.stack([0 * side, side * (_BELOW / BOX_SIDE)], 1)
        return cls((low + high) / 2 - lift, side * (WIDTH / BOX_SIDE))

    @classmethod
    def round_faces(cls, camera: WeakPerspective) -> FaceWindow:
        """The windows in whose middle faces stand that a camera sees, as large as the mean's."""
        points = camera.angles.new_tensor(CENTRE).expand(len(camera), 1, 3)
        return cls(camera.project(points)[:, 0, :2], WIDTH * camera.scale)

    def __len__(self) -> int:
        """Windows."""
        return len(self.side)

    def __getitem__(self, index: slice | Tensor) -> FaceWindow:
        """Some of the windows; a slice, or a tensor of indices."""
        return FaceWindow(self.centre[index], self.side[index])

    def box(self, size: int = SIZE) -> FaceBox:
        """Where the detector's box would be in any of the windows; its inverse is `of_box`.

        Args:
            size: pixels of the windows.
        """
        half, middle = size * BOX_SIDE / WIDTH / 2, (size - 1) / 2
        lower = middle + size * _BELOW / WIDTH
        return FaceBox(middle - half, lower - half, middle + half, lower + half, score=0.0)

    def cut(self, images: Tensor, size: int = SIZE) -> Tensor:
        """What the windows show.

        Args:
            images: (B, C, H, W), or (1, C, H, W) for all windows.
            size: pixels of the square windows.

        Returns:
            (B, C, size, size), antialiased; outside of a picture its edge goes on.

        Raises:
            WindowError: the images do not fit the windows.
        """
        if images.ndim != 4 or len(images) not in (1, len(self)) or 0 in images.shape:
            raise WindowError(
                f"images are {tuple(images.shape)} for {len(self)} windows; expected (B, C, H, W)"
            )
        images = images.expand(len(self), -1, -1, -1)
        found = images.new_empty(len(self), images.shape[1], size, size)
        samples = (self.side / size).ceil().clamp(2, _FINEST).int()
        for fine in samples.unique().tolist():
            some = samples == fine
            grid = self[some].grid(images, size * fine)
            sampled = F.grid_sample(images[some], grid, align_corners=False, padding_mode="border")
            found[some] = F.avg_pool2d(sampled, fine)
        return found

    def grid(self, images: Tensor, size: int) -> Tensor:
        """Where the windows' pixels are in pictures, as `torch.nn.functional.grid_sample` takes it.

        Args:
            images: (B, C, H, W).
            size: pixels of the windows.

        Returns:
            (B, size, size, 2), for `align_corners=False`.
        """
        extent = self.centre.new_tensor([images.shape[3], images.shape[2]])
        middle = (2 * self.centre + 1) / extent - 1
        half = self.side[:, None] / extent
        affine = torch.cat([torch.diag_embed(half), middle[..., None]], 2).to(images)
        shape = [len(self), images.shape[1], size, size]
        return F.affine_grid(affine, shape, align_corners=False)

    def inside(self, points: Tensor, size: int = SIZE) -> Tensor:
        """From pixels (B, N, 2) of the pictures to pixels of the windows."""
        enlarged = (size / self.side)[:, None, None]
        return (points - self.centre[:, None]) * enlarged + (size - 1) / 2

    def outside(self, points: Tensor, size: int = SIZE) -> Tensor:
        """From pixels (B, N, 2) of the windows to pixels of the pictures; inverts `inside`."""
        reduced = (self.side / size)[:, None, None]
        return (points - (size - 1) / 2) * reduced + self.centre[:, None]

    def camera_inside(self, camera: WeakPerspective, size: int = SIZE) -> WeakPerspective:
        """The camera that takes the windows as `camera` takes the pictures."""
        return replace(
            camera,
            translation=camera.translation + self._away(camera),
            scale=camera.scale * size / self.side,
            height=size,
            width=size,
        )

    def camera_outside(
        self, camera: WeakPerspective, size: tuple[int, int] | int
    ) -> WeakPerspective:
        """Invert `camera_inside`.

        Args:
            camera: of the windows.
            size: of the pictures, pixels; a number, or (height, width).
        """
        height, width = (size, size) if isinstance(size, int) else size
        scale = camera.scale * self.side / camera.width
        wider = replace(camera, scale=scale, height=height, width=width)
        return replace(wider, translation=camera.translation - self._away(wider))

    def _away(self, camera: WeakPerspective) -> Tensor:
        """(B, 2) mm, right and up, from the windows' middles to those of the pictures."""
        middle = self.centre.new_tensor([(camera.width - 1) / 2, (camera.height - 1) / 2])
        return (middle - self.centre) / camera.scale[:, None] * self.centre.new_tensor([1.0, -1.0])

    def scaled(self, factor: float) -> FaceWindow:
        """The same windows on pictures with `factor` times as many pixels each way."""
        return FaceWindow((self.centre + 0.5) * factor - 0.5, self.side * factor)

    def recentred(self, numbers: FaceNumbers) -> FaceWindow:
        """Windows in whose middle the faces stand that were found in these.

        Args:
            numbers: of B faces, in the frame of these windows.
        """
        found = FaceWindow.round_faces(numbers.camera(SIZE))
        centre = self.outside(found.centre[:, None])[:, 0]
        return FaceWindow(centre, found.side * (self.side / SIZE))
