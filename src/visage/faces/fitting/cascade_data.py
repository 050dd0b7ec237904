"""What the cascade learns from: training people, one picture each, and the numbers behind it.

Pictures are drawn once and kept on disk, 77 kB each: drawing takes longer than learning. The
windows are off by as much as dlib's landmarks put them off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.faces.fitting.study import WEAK, draw_portraits
from visage.faces.fitting.window import SIDE, Window
from visage.faces.fitting.window_pose import Subset, window_pose
from visage.faces.portraits import Detail
from visage.faces.shape import MorphableModel
from visage.files import opened_array

FIRST = 1000
"""The first training person that the cascade sees; those before are for statistics."""

SIZE = 160
"""Pixels of a kept picture, which shows a little more than a window."""

# Windows are cut from these pictures at about their own resolution.
_RANGES = replace(WEAK, width=(258.0, 268.0), shift=0.015)
_DETAIL = Detail(texture=256, strands=1200, supersample=1)
_TOGETHER = 16
_ANSWERS = (132, 3, 2, 1)  # identity and expression, angles, translation, scale


@dataclass(frozen=True)
class Spoiling:
    """How training windows differ from perfect ones, standard deviations.

    The first five are a tenth more than what dlib's landmarks do to validation people.
    """

    right: float = 2.4  # pixels of a window
    down: float = 3.6
    lower: float = 0.7  # pixels, mean: dlib's faces are lower than the model's
    roll: float = 0.025  # radians
    growth: float = 0.054  # of the window's width, logarithm
    tail: float = 0.5  # a window's errors are all larger or smaller by up to this share
    gain: float = 0.1  # of the brightness
    tint: float = 0.03  # of a channel's
    noise: float = 0.015  # sRGB, of a pixel, at most


SPOILING = Spoiling()


class KeptPortraits:
    """Pictures of training people in a folder, drawn when they are first asked for.

    Args:
        folder: where they are kept; made if it is not there.
        seed: of the world.
        count: people.
    """

    def __init__(self, folder: Path, seed: int, count: int):
        self.seed, self.model = seed, MorphableModel.load()
        folder.mkdir(parents=True, exist_ok=True)
        self.images = opened_array(folder / "images.npy", np.uint8, (count, 3, SIZE, SIZE))
        self.answers = opened_array(folder / "answers.npy", np.float32, (count, sum(_ANSWERS)))
        self.drawn = opened_array(folder / "drawn.npy", np.bool_, (count,))

    def __len__(self) -> int:
        """People."""
        return len(self.drawn)

    def rows(self, indices: Sequence[int]) -> tuple[Tensor, Tensor, WeakPerspective]:
        """Pictures (B, 3, 160, 160) in [0, 1], identity and expression (B, 132), and cameras."""
        # Whole groups, so that a picture does not depend on which others were asked for.
        for group in sorted({index // _TOGETHER for index in indices}):
            if not self.drawn[group * _TOGETHER : (group + 1) * _TOGETHER].all():
                self._draw(group * _TOGETHER)
        chosen = np.asarray(indices)
        images = torch.from_numpy(self.images[chosen]).float() / 255
        answers = torch.from_numpy(self.answers[chosen])
        shape, angles, translation, scale = answers.split(_ANSWERS, 1)
        camera = WeakPerspective(angles, translation, SIZE, SIZE, scale=scale[:, 0])
        return images, shape, camera

    def _draw(self, start: int) -> None:
        stop = min(start + _TOGETHER, len(self))
        people = range(FIRST + start, FIRST + stop)
        portraits = draw_portraits(
            self.model, self.seed, people, split="train", size=SIZE, ranges=_RANGES, detail=_DETAIL
        )
        camera = portraits.camera
        found = [portraits.identity, portraits.expression, camera.angles, camera.translation]
        images = (portraits.image.clamp(0, 1) * 255).round().to(torch.uint8)
        self.images[start:stop] = images.numpy()
        self.answers[start:stop] = torch.cat([*found, camera.scale[:, None]], 1).numpy()
        self.drawn[start:stop] = True


class FaceWindows:
    """Windows round training people's faces, and their numbers; item i depends on (seed, i) only.

    Args:
        kept: the pictures.
        seed: of how windows are spoilt.
        spoiling: how much.
    """

    def __init__(self, kept: KeptPortraits, seed: int, spoiling: Spoiling = SPOILING):
        self.kept, self.seed, self.spoiling, self.model = kept, seed, spoiling, kept.model
        # A contour is looked up at the nearest of these angles.
        self.yaws = torch.deg2rad(torch.arange(-30.0, 31.0, 10.0))
        self.corners = Subset.of(self.model, self.model.landmark_vertices(self.yaws).flatten())

    def __len__(self) -> int:
        """People."""
        return len(self.kept)

    @torch.no_grad()
    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Windows (B, 3, 128, 128), and identity, expression and pose of the window (B, 138)."""
        drawn = [_Draw.of(np.random.default_rng([self.seed, i]), self.spoiling) for i in indices]
        images, shape, camera = self.kept.rows(indices)
        window = Window.round_faces(self.model, self._landmarks(camera, shape), SIZE, SIZE)
        shift, roll, growth = (
            torch.tensor([getattr(draw, name) for draw in drawn], dtype=torch.float32)
            for name in ("shift", "roll", "growth")
        )
        window = window.moved(shift, roll, growth)
        colour = torch.from_numpy(np.stack([draw.colour for draw in drawn]))[..., None, None]
        noise = torch.from_numpy(np.stack([draw.noise for draw in drawn]))
        windows = (window.cut(images) * colour + noise).clamp(0, 1)
        return windows, torch.cat([shape, window_pose(window.camera_inside(camera))], 1)

    def _landmarks(self, camera: WeakPerspective, shape: Tensor) -> Tensor:
        vertices = self.corners(shape).unflatten(1, (len(self.yaws), 68))
        nearest = (camera.angles[:, 1, None] - self.yaws).abs().argmin(1)
        return camera.project(vertices[torch.arange(len(nearest)), nearest])[..., :2]


@dataclass(frozen=True, eq=False)
class _Draw:
    """What chance decides about one item."""

    shift: tuple[float, float]
    roll: float
    growth: float
    colour: np.ndarray  # (3,), factors
    noise: np.ndarray  # (3, 128, 128)

    @classmethod
    def of(cls, random: np.random.Generator, by: Spoiling) -> "_Draw":
        right, down, roll, growth = random.normal(size=4) * random.uniform(1 - by.tail, 1 + by.tail)
        colour = (1 + by.gain * random.normal()) * (1 + by.tint * random.normal(size=3))
        noise = random.standard_normal((3, SIDE, SIDE), dtype=np.float32)
        return cls(
            (by.right * right, by.down * down + by.lower),
            by.roll * roll,
            float(np.exp(by.growth * growth)),
            colour.astype(np.float32),
            noise * np.float32(random.uniform(0, by.noise)),
        )
