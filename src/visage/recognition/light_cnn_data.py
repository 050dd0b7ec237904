"""What the Light CNN learns from: chips of people, changed as photographs of one person change."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from visage.photos.alignment import pixel_to_grid, to_grey
from visage.photos.lfw import LFW, split
from visage.recognition.chips import Chips, lfw_chips, synthetic_chips, synthetic_name
from visage.recognition.light_cnn import SEEN, SIZE, standardised
from visage.recognition.portraits import Photo

Side = Literal["train", "development", "test"]

SYNTHETIC_PEOPLE, SYNTHETIC_SHOTS = 160, 8
"""People of the synthetic world to learn from, and pictures of each."""


@dataclass(frozen=True)
class Changes:
    """How a training face differs from the chip; uniform, to both sides, unless it says how."""

    photographed: float = 0.55  # share of draws from people with several photographs
    single: float = 0.2  # share from people with one; the rest is synthetic
    roll: float = math.radians(8)
    scale: float = 0.1  # of the logarithm
    shift: float = 5.0  # chip pixels
    gamma: float = 0.35  # of the logarithm: light and film
    ramp: float = 0.35  # of the grey range, from one edge to the opposite: light from a side
    noise: float = 0.02  # largest standard deviation, grey levels of 1
    blurred: float = 0.35  # share; a reconstructed face is smoother than a photograph
    blur: tuple[float, float] = (0.3, 0.7)  # size through which a blurred face goes
    covered: float = 0.5  # share with a rectangle cut out
    cover: tuple[float, float] = (0.15, 0.45)  # its sides, of the face's


def side_of(name: str) -> Side:
    """Which people of LFW are trained on, chosen by, and measured on.

    A tenth of `visage.photos.lfw.split`'s training side is kept for development: by the second 8
    hexadecimal digits of the name's sha256, modulo 10.

    >>> side_of("Aaron_Eckhart"), side_of("Zico")
    ('test', 'train')
    """
    if split(name) == "test":
        return "test"
    number = int(hashlib.sha256(name.encode()).hexdigest()[8:16], 16)
    return "development" if number % 10 == 0 else "train"


def photographs(lfw: LFW, side: Side, *, single: bool) -> list[Photo]:
    """Photographs of people on one side, those with one photograph or those with several.

    Args:
        lfw: the data set, opened.
        side: of `side_of`.
        single: whether people with one photograph are meant.
    """
    return [
        (name, number)
        for name, numbers in lfw.people().items()
        if side_of(name) == side and (len(numbers) == 1) == single
        for number in numbers
    ]


def training_chips(lfw: LFW) -> Chips:
    """All that is trained on: people with several photographs, with one, and synthetic ones."""
    several, single = (lfw_chips(lfw, photographs(lfw, "train", single=s)) for s in (False, True))
    return several + single + synthetic_chips(SYNTHETIC_PEOPLE, SYNTHETIC_SHOTS, "train")


def training_people(lfw: LFW) -> list[str]:
    """Names of everybody in `training_chips`, sorted."""
    real = [name for name in lfw.people() if side_of(name) == "train"]
    return sorted(real + [synthetic_name("train", i) for i in range(SYNTHETIC_PEOPLE)])


class TrainingFaces:
    """Changed faces and the numbers of their people, as a stream for `visage.training`.

    Of the people with several photographs, one with n is drawn in proportion to √n: nobody's 200
    photographs drown the others. A person with one photograph has only its changes to be
    recognised by, and serves as somebody else to all.

    Args:
        seed: item i depends on (seed, i) only.
        chips: to draw from.
        changes: how they are drawn and changed.
    """

    def __init__(self, seed: int, chips: Chips, changes: Changes = Changes()):
        self.seed, self.changes = seed, changes
        self.grey = torch.cat(
            [to_grey(some.float() / 255).mul(255).round().to(torch.uint8)
             for some in chips.chips.split(256)]
        )  # fmt: skip
        self.names, self.labels, counts = np.unique(
            chips.people, return_inverse=True, return_counts=True
        )
        self.rows = np.split(np.argsort(self.labels, kind="stable"), counts.cumsum()[:-1])
        synthetic = np.char.startswith(self.names.astype(str), "synthetic-")
        groups = (~synthetic & (counts > 1), ~synthetic & (counts == 1), synthetic)
        shares = (changes.photographed, changes.single)
        self.chances = np.zeros(len(self.names))
        for members, share in zip(groups, (*shares, 1 - sum(shares)), strict=True):
            if members.any():
                weights = np.sqrt(counts[members])
                self.chances[members] = share * weights / weights.sum()
        self.cumulated = np.cumsum(self.chances / self.chances.sum())

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """``faces`` (B, 1, 64, 64), standardised, and ``people`` (B,), int64."""
        draws = [np.random.default_rng([self.seed, i]) for i in indices]
        people = [int(np.searchsorted(self.cumulated, random.uniform())) for random in draws]
        people = [min(person, len(self.names) - 1) for person in people]
        rows = [int(random.choice(self.rows[p])) for random, p in zip(draws, people, strict=True)]
        grey = self.grey[torch.tensor(rows)].float() / 255
        faces = changed(grey, draws, self.changes)
        return {"faces": faces, "people": torch.tensor(people)}


def changed(grey: Tensor, draws: Sequence[np.random.Generator], changes: Changes) -> Tensor:
    """Change chips (B, 1, 150, 150) at random; returns standardised faces (B, 1, 64, 64)."""
    faces = _moved(grey, draws, changes)
    faces = torch.cat(
        [_relit(face, random, changes) for face, random in zip(faces.split(1), draws, strict=True)]
    )
    return _covered(standardised(faces), draws, changes)


def _moved(grey: Tensor, draws: Sequence[np.random.Generator], changes: Changes) -> Tensor:
    """Turn, scale, shift and mirror, at twice the size that is then averaged."""
    fine = 2 * SIZE
    linear, shift = [], []
    for random in draws:
        roll, scale = random.uniform(-1, 1, 2) * (changes.roll, changes.scale)
        size = SEEN / fine * math.exp(scale)
        mirror = -1 if random.uniform() < 0.5 else 1
        cosine, sine = size * math.cos(roll), size * math.sin(roll)
        linear.append([[mirror * cosine, -sine], [mirror * sine, cosine]])
        shift.append(random.uniform(-1, 1, 2) * changes.shift)
    steps = torch.arange(fine) - (fine - 1) / 2
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)  # (fine, fine, 2)
    middle = torch.tensor(np.array(shift), dtype=torch.float32) + (grey.shape[-1] - 1) / 2
    points = torch.einsum("bij,yxj->byxi", torch.tensor(linear), offsets) + middle[:, None, None]
    grid = pixel_to_grid(points, *grey.shape[-2:])
    return F.avg_pool2d(F.grid_sample(grey, grid, padding_mode="border", align_corners=False), 2)


def _relit(face: Tensor, random: np.random.Generator, changes: Changes) -> Tensor:
    """Gamma, a ramp of light, blur and noise on one face (1, 1, 64, 64)."""
    face = face.clamp(min=1e-3) ** math.exp(random.uniform(-1, 1) * changes.gamma)
    x, y = random.uniform(-0.5, 0.5, 2) * changes.ramp
    across = torch.linspace(-1, 1, SIZE)
    face = face * (1 + float(x) * across + float(y) * across[:, None])
    if random.uniform() < changes.blurred:
        side = round(SIZE * random.uniform(*changes.blur))
        face = F.interpolate(face, (side, side), mode="bilinear", antialias=True)
        face = F.interpolate(face, (SIZE, SIZE), mode="bicubic")
    noise = random.standard_normal((SIZE, SIZE), dtype=np.float32)
    return face + float(random.uniform(0, changes.noise)) * torch.from_numpy(noise)


def _covered(faces: Tensor, draws: Sequence[np.random.Generator], changes: Changes) -> Tensor:
    """Cut a rectangle out of some standardised faces: what is there is the mean, 0."""
    for face, random in zip(faces, draws, strict=True):
        if random.uniform() < changes.covered:
            height, width = (SIZE * random.uniform(*changes.cover, 2)).astype(int)
            top, left = random.integers(0, SIZE - height), random.integers(0, SIZE - width)
            face[:, top : top + height, left : left + width] = 0
    return faces
