"""What CoarseNet learns from, item by item (Richardson et al. 2017, section 3.2.2, eq. 3).

A kept picture is cut as a detector's box would cut it, mirrored or not, and spoilt as photographs
are; beside it stand the numbers of its face, and numbers that the network shall correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from visage.faces.camera import WeakPerspective
from visage.faces.fitting.mirror import Mirror
from visage.faces.shape import MorphableModel
from visage.geometry.representation import SHIFT, WIDTH, pose_numbers
from visage.geometry.training_faces import KeptFaces


@dataclass(frozen=True)
class CoarseData:
    """How items are made from pictures. Spreads are standard deviations."""

    size: int = 100  # pixels of an item; half the paper's, for a quarter of the time
    # A window is off as dlib's boxes put it off, measured on 600 of the pictures and a little more.
    right: float = 7.0  # mm, of the face in its window
    up: float = 11.0
    follow: float = 34.0  # mm a radian of yaw, at most: boxes follow the nose
    growth: float = 0.10  # of the logarithm of its size
    roll: float = 0.06  # radians, added to the head's
    start: float = 0.35  # share of items whose numbers to correct are zero, as at a test's start
    gain: float = 0.15  # of the logarithm of the brightness
    gamma: float = 0.15  # of the logarithm of the exponent: cameras' tone curves
    noise: float = 0.03  # sRGB, at most; each picture has its own level
    feedback: bool = True  # False: all items start from zero, for a network of a single pass


DATA = CoarseData()
_FOLLOWED = 0.9  # radians of yaw, beyond which the box follows the nose no farther


class CoarseStream:
    """Endless items; item i depends on (seed, i) only.

    Args:
        seed: of what chance decides.
        kept: the pictures.
        data: how items are made from them.
    """

    def __init__(self, seed: int, kept: KeptFaces, data: CoarseData = DATA):
        self.seed, self.kept, self.data = seed, kept, data
        self.mirror = Mirror.of(MorphableModel.load())

    @torch.no_grad()
    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Faces (B, 1, H, W), their numbers `truth` (B, 138), and `current` (B, 138)."""
        draws = [_Draw.of(self.seed, index, len(self.kept), self.data) for index in indices]
        images, shape, camera = self.kept.rows([draw.row for draw in draws])
        window = self._window(camera, [draw.window for draw in draws], [d.follow for d in draws])
        placed, faces = cut(images, camera, *window, self.data.size)
        truth = torch.cat([shape, pose_numbers(placed)], 1)
        # The random face of eq. 3 is another picture's: a likely face in a likely pose.
        _, shape, camera = self.kept.rows([draw.other for draw in draws])
        window = self._window(
            camera, [draw.other_window for draw in draws], [draw.other_follow for draw in draws]
        )
        other = torch.cat([shape, pose_numbers(moved(camera, *window, self.data.size))], 1)
        mirrored = torch.tensor([draw.mirrored for draw in draws])
        faces = torch.where(mirrored[:, None, None, None], faces.flip(-1), faces)
        truth = self.mirror.where(mirrored, truth)
        beta = torch.tensor([draw.beta for draw in draws])[:, None]
        current = mixed(truth, other, beta)
        start = torch.tensor([draw.start for draw in draws])[:, None]
        return {
            "faces": self._spoilt(faces, draws),
            "truth": truth,
            "current": current.masked_fill(start, 0),
        }

    def _window(
        self, camera: WeakPerspective, windows: list[np.ndarray], follow: list[float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Shift (B, 2), growth (B,) and roll (B,) of faces in windows that are a bit off."""
        shift, growth, roll = torch.from_numpy(np.stack(windows)).float().split([2, 1, 1], 1)
        yaw = camera.angles[:, 1].clamp(-_FOLLOWED, _FOLLOWED)
        shift = shift - torch.stack([torch.tensor(follow).float() * yaw, 0 * yaw], 1)
        return shift, growth[:, 0], roll[:, 0]

    def _spoilt(self, faces: Tensor, draws: list[_Draw]) -> Tensor:
        gain, gamma, level = (
            torch.tensor([getattr(draw, name) for draw in draws]).float()[:, None, None, None]
            for name in ("gain", "gamma", "level")
        )
        noise = np.stack([draw.noise(self.data.size) for draw in draws])
        return (gain * faces**gamma + level * torch.from_numpy(noise)).clamp(0, 1)


def mixed(truth: Tensor, random: Tensor, beta: Tensor) -> Tensor:
    """r_t = β r_gt + (1 - β) r_rnd (Richardson et al. 2017, eq. 3).

    Args:
        truth: (B, 138), r_gt.
        random: (B, 138), r_rnd.
        beta: (B, 1) in [0, 1].

    >>> mixed(torch.ones(1, 138), torch.zeros(1, 138), torch.tensor([[0.25]]))[0, 0]
    tensor(0.2500)
    """
    return beta * truth + (1 - beta) * random


def cut(
    images: Tensor,
    camera: WeakPerspective,
    shift: Tensor,
    growth: Tensor,
    roll: Tensor,
    size: int,
) -> tuple[WeakPerspective, Tensor]:
    """Cut windows from pictures so that the faces stand in them where they are told to.

    Args:
        images: (B, 1, H, H), square pictures.
        camera: that took them.
        shift: (B, 2) mm, right and up, of the face's centre from the window's.
        growth: (B,), logarithm of the faces' enlargement.
        roll: (B,) radians, added to the heads'.
        size: pixels of the windows.

    Returns:
        The cameras that take the windows, and the windows (B, 1, size, size); what lies outside of
        a picture continues its edge.
    """
    placed = moved(camera, shift, growth, roll, size)
    turn = _turn(roll)
    offset = placed.translation - (turn @ camera.translation[..., None])[..., 0]
    # q = s' (R p / s + e) takes a picture's pixel p to a window's q, from the middles, y up.
    pixel = torch.arange(size, device=images.device) - (size - 1) / 2
    q = torch.stack(torch.meshgrid(pixel, -pixel, indexing="xy"), -1)  # (size, size, 2)
    back = q / placed.scale[:, None, None, None] - offset[:, None, None]
    p = (back @ turn[:, None]) * camera.scale[:, None, None, None]  # row vectors: R^T from the left
    grid = p * p.new_tensor([2.0, -2.0]) / images.shape[-1]
    windows = grid_sample(images, grid, padding_mode="border", align_corners=False)
    return placed, windows


def moved(
    camera: WeakPerspective, shift: Tensor, growth: Tensor, roll: Tensor, size: int
) -> WeakPerspective:
    """The cameras of `cut`, without its pictures."""
    angles = camera.angles + torch.stack([0 * roll, 0 * roll, roll], 1)
    scale = growth.exp() * (size / WIDTH)
    turned = (_turn(roll) @ camera.translation[..., None])[..., 0]
    unmoved = WeakPerspective(angles, turned, size, size, scale=scale)
    # Where the face's centre would be, by the one definition of a pose's shift.
    offset = shift - pose_numbers(unmoved)[:, 3:5] * SHIFT
    return WeakPerspective(angles, turned + offset, size, size, scale=scale)


def _turn(roll: Tensor) -> Tensor:
    """Rotations (B, 2, 2) in the picture's plane."""
    cosine, sine = roll.cos(), roll.sin()
    return torch.stack([cosine, -sine, sine, cosine], 1).unflatten(1, (2, 2))


@dataclass(frozen=True, eq=False)
class _Draw:
    """What chance decides about one item."""

    row: int
    other: int
    window: np.ndarray  # (4,): shift in mm, growth, roll
    other_window: np.ndarray
    follow: float  # mm a radian
    other_follow: float
    mirrored: bool
    beta: float
    start: bool
    gain: float
    gamma: float
    level: float
    seed: int

    @classmethod
    def of(cls, seed: int, index: int, count: int, data: CoarseData) -> _Draw:
        random = np.random.default_rng([seed, index])
        spread = np.array([data.right, data.up, data.growth, data.roll])
        row, other = (int(value) for value in random.integers(count, size=2))
        windows = [spread * random.standard_normal(4).clip(-2.5, 2.5) for _ in range(2)]
        follow, other_follow = (float(value) for value in random.uniform(0, data.follow, size=2))
        mirrored, beta = bool(random.random() < 0.5), float(np.float32(random.random()))
        start = bool(random.random() < data.start) or not data.feedback
        gain = float(np.exp(data.gain * random.standard_normal()))
        gamma = float(np.exp(data.gamma * random.standard_normal()))
        level = float(random.uniform(0, data.noise))
        noise = int(random.integers(2**31))
        return cls(
            *(row, other, *windows, follow, other_follow),
            *(mirrored, beta, start, gain, gamma, level, noise),
        )

    def noise(self, size: int) -> np.ndarray:
        return np.random.default_rng(self.seed).standard_normal((1, size, size), np.float32)
