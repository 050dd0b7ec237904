"""Supervised descent: from the window round a face to the head's shape and pose, by regression.

Xiong and De la Torre (2013): a few linear regressions, each from what the picture looks like at the
places where the guess before puts the face, to the change of the guess. What it looks like is told
by histograms of gradients (Dalal and Triggs 2005) and colours. The first regression has no guess
yet and looks at a grid. A picture whose face looks to the left is mirrored first, so that all look
to the right, and one regression has to know but one side.

The numbers that are guessed are the model's own, 80 of identity, 52 of expression and 6 of pose:
sex, age and the back of the head come with what is seen, as far as they hang together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.checkpoints import load_checkpoint
from visage.faces.fitting.compiled_gradients import gradient_histograms
from visage.faces.fitting.mirror import Mirror
from visage.faces.fitting.window import SIDE
from visage.faces.fitting.window_pose import TrackedPoints
from visage.faces.shape import MorphableModel

NAME = "face_cascade"
"""Of the checkpoint."""

SIZE = 138
"""Numbers that are guessed: identity, expression, pose of the window (`window_pose`)."""

YAW = 133  # which of them tells the side that a face looks to

_BINS = 8  # of directions of gradients, over half a turn
_CELL = 8  # pixels between the grid's places
_AT_ONCE = 32


class CascadeError(ValueError):
    """Windows that the cascade cannot look at, or numbers that are none."""


@dataclass(frozen=True, eq=False)
class Regression:
    """Numbers that depend linearly on what is seen: offset + (features - mean) · weights."""

    mean: Tensor  # (F,), of the features
    weights: Tensor  # (F, 138)
    offset: Tensor  # (138,)

    def __call__(self, features: Tensor) -> Tensor:
        """(B, 138) of features (B, F)."""
        return self.offset + (features - self.mean) @ self.weights


@dataclass(frozen=True, eq=False)
class Cascade:
    """The regressions, first to last."""

    stages: tuple[Regression, ...]

    @classmethod
    def load(cls) -> "Cascade":
        """The shipped one.

        Raises:
            visage.checkpoints.CheckpointError: its file is missing or damaged.
        """
        return cls.of_tensors(load_checkpoint(NAME)[0])

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds; `of_tensors` inverts it but for the last digits of float16."""
        parts = ("mean", "weights", "offset")
        return {f"{place}.{part}": getattr(stage, part)
                for place, stage in enumerate(self.stages) for part in parts}  # fmt: skip

    @classmethod
    def of_tensors(cls, kept: Mapping[str, Tensor]) -> "Cascade":
        """Invert `tensors`."""
        count = len(kept) // 3
        parts = ("mean", "weights", "offset")
        return cls(tuple(Regression(*(kept[f"{i}.{part}"] for part in parts))
                         for i in range(count)))  # fmt: skip

    @torch.no_grad()
    def guess(
        self, model: MorphableModel, windows: Tensor, stages: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Guess heads and their poses.

        Args:
            model: the morphable model.
            windows: (B, 3, 128, 128), sRGB, see `Window.cut`.
            stages: how many to apply, all if None.

        Returns:
            guess: (B, 138): identity, expression (not kept in [0, 1]) and pose of the window.
            mirrored: (B,) bool, whether the face looks to the left and was mirrored to be seen.

        Raises:
            CascadeError: the windows have another shape.
        """
        check_windows(windows)
        first, *later = self.stages[:stages]
        mirror, points = Mirror.of(model), TrackedPoints(model)
        found = [self._guess(some.float(), first, later, mirror, points)
                 for some in windows.split(_AT_ONCE)]  # fmt: skip
        guess, mirrored = (torch.cat(parts) for parts in zip(*found, strict=True))
        return guess, mirrored

    @staticmethod
    def _guess(windows, first, later, mirror, points) -> tuple[Tensor, Tensor]:
        guess = first(grid_features(windows))
        mirrored = guess[:, YAW] < 0
        guess = mirror.where(mirrored, guess)
        windows = flipped(windows, mirrored)
        for regression in later:
            guess = guess + regression(point_features(windows, points(guess)))
        return mirror.where(mirrored, guess), mirrored


def check_windows(windows: Tensor) -> None:
    """Refuse what is no batch of windows."""
    if windows.ndim != 4 or windows.shape[1:] != (3, SIDE, SIDE):
        raise CascadeError(f"windows are {tuple(windows.shape)}; expected (B, 3, {SIDE}, {SIDE})")


def flipped(windows: Tensor, which: Tensor) -> Tensor:
    """Windows (B, 3, 128, 128), mirrored where `which` (B,)."""
    return torch.where(which.view(-1, 1, 1, 1), windows.flip(3), windows)


def gradients(windows: Tensor) -> tuple[Tensor, Tensor]:
    """How strong the gradient is in each of eight directions, and the colours it is taken of.

    Of the square roots of the colours, where shadows count no more than light; see
    `gradient_histograms`. Both are means over 2 × 2 pixels.

    Args:
        windows: (B, 3, H, W), not negative; H and W even.

    Returns:
        strength: (B, 8, H / 2, W / 2).
        colours: (B, 3, H / 2, W / 2), the square roots.
    """
    colours = windows.clamp(min=0).sqrt()
    strength = gradient_histograms(colours.cpu().contiguous().numpy(), _BINS)
    return torch.from_numpy(strength).to(windows.device), F.avg_pool2d(colours, 2)


def _boxed(maps: Tensor, side: int) -> Tensor:
    """Means of squares of an odd side, in which what is outside of the window does not count."""
    rows = F.avg_pool2d(maps, (side, 1), 1, (side // 2, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, side), 1, (0, side // 2), count_include_pad=False)


def grid_features(windows: Tensor) -> Tensor:
    """(B, 2816): gradients and colours on a grid of 16 × 16 places."""
    strength, colours = gradients(windows)
    cells = F.avg_pool2d(strength, _CELL, _CELL // 2, _CELL // 4, count_include_pad=False)
    around = F.avg_pool2d(cells.square().sum(1, keepdim=True), 3, 1, 1).sqrt()
    cells = cells / (around + 0.01)
    return torch.cat([cells.flatten(1), F.avg_pool2d(colours, _CELL // 2).flatten(1)], 1)


def point_features(windows: Tensor, points: Tensor) -> Tensor:
    """(B, 19 N): gradients within 6 and within 10 pixels of points (B, N, 2), and colours.

    Relative to what is around: gradients to their strength within 30 pixels, colours to the mean of
    all points.
    """
    strength, colours = gradients(windows)
    total = strength.sum(1, keepdim=True)
    around = _boxed(total, 15) + 0.01
    near = _boxed(strength, 3)
    wide = _boxed(near, 3)
    maps = torch.cat([near / around, wide / around, _boxed(colours, 3)], 1)
    grid = ((2 * points + 1) / SIDE - 1)[:, None]
    found = F.grid_sample(maps, grid, align_corners=False, padding_mode="border")[:, :, 0]
    gradient, colour = found.split([2 * _BINS, 3], 1)
    colour = colour - colour.mean(2, keepdim=True)
    return torch.cat([gradient, colour], 1).flatten(1)
