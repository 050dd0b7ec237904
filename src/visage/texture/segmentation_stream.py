"""What the segmentation network learns from, item by item.

A kept picture is cut as landmarks with errors would cut it, mirrored or not; things are laid over
it; and it is spoilt as photographs are. The skin that is still seen is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from visage.photos.alignment import crop_transform, invert_transform
from visage.texture.occluders import HAND, KINDS, OBJECT, draw_occluder
from visage.texture.segmentation import CHIP
from visage.texture.segmentation_data import KeptPeople, SegmentationDataError

_GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class SegmentationData:
    """How items are made from pictures. Spreads are standard deviations."""

    shift: float = 5.0  # pixels of the chip, to the right and down: landmarks are off
    growth: float = 0.09  # of the logarithm of its size
    turn: float = 0.12  # radians
    occluders: tuple[float, ...] = (0.45, 0.45, 0.10)  # how often none, one and two are laid over
    hands: float = 0.45  # of them are hands
    balance: float = 0.12  # of the logarithm of each channel: white balance
    gain: float = 0.2  # of the logarithm of the brightness
    gamma: float = 0.2  # of the logarithm of the exponent: cameras' tone curves
    grey: float = 0.1  # of the pictures have no colours
    blurred: float = 0.35  # of the pictures are, by at most 1.6 pixels
    noise: float = 0.04  # sRGB, at most; each picture has its own level


DATA = SegmentationData()
PLAIN = SegmentationData(
    shift=2.0, growth=0.03, turn=0.03, occluders=(1.0,), balance=0.0, gain=0.0, gamma=0.0,
    grey=0.0, blurred=0.0, noise=0.01,
)  # fmt: skip
"""For measurements: chips as a landmark detector's errors of about 2 pixels place them."""
LAID_OVER = replace(PLAIN, occluders=(0.0, 1.0))
"""The same with something in the way, always."""


class SegmentationStream:
    """Endless items; item i depends on (seed, i) only.

    Args:
        seed: of what chance decides.
        kept: the pictures.
        data: how items are made from them.
        kind: of all occluders; hands and objects as `data` mixes them if None.
        in_order: item i shows picture i, for measurements; otherwise chance decides.

    Raises:
        SegmentationDataError: there is no such occluder.
    """

    def __init__(
        self,
        seed: int,
        kept: KeptPeople,
        data: SegmentationData = DATA,
        *,
        kind: str | None = None,
        in_order: bool = False,
    ):
        if kind not in (None, *KINDS):
            raise SegmentationDataError(f"no occluder {kind!r}; choose among {', '.join(KINDS)}")
        self.seed, self.kept, self.data = seed, kept, data
        self.kind, self.in_order = kind, in_order

    @torch.no_grad()
    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Chips (B, 3, 128, 128), sRGB in [0, 1], and their `skin` (B, 1, 128, 128)."""
        randoms = [np.random.default_rng([self.seed, index]) for index in indices]
        rows = [int(random.integers(len(self.kept))) for random in randoms]
        if self.in_order:
            rows = [index % len(self.kept) for index in indices]
        chips = self._cut(rows, randoms).permute(0, 2, 3, 1).numpy()
        items = [self._item(chip, random) for chip, random in zip(chips, randoms, strict=True)]
        made = torch.from_numpy(np.stack(items)).permute(0, 3, 1, 2).float()
        return {"chips": made[:, :3].contiguous(), "skin": made[:, 3:].contiguous()}

    def _cut(self, rows: list[int], randoms: list[np.random.Generator]) -> Tensor:
        """Chips with skin as fourth channel (B, 4, S, S), placed as landmarks with errors would."""
        pictures, landmarks = self.kept.rows(rows)
        data, side, kept = self.data, CHIP.size, pictures.shape[-1]
        drawn = np.stack([random.standard_normal(4).clip(-2.5, 2.5) for random in randoms])
        drawn = torch.from_numpy(drawn).float() * torch.tensor(
            [data.shift, data.shift, data.growth, data.turn]
        )
        scale, turn = drawn[:, 2].exp(), drawn[:, 3]
        linear = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1)
        linear = scale[:, None, None] * linear.unflatten(1, (2, 2))
        middle = (side - 1) / 2
        # From pixels of the jittered chip to those of the chip, and on to those of the picture.
        shift = middle - linear @ torch.full((2, 1), middle) + drawn[:, :2, None]
        to_picture = invert_transform(crop_transform(landmarks, CHIP))
        total = to_picture[..., :2] @ torch.cat([linear, shift], -1)
        total[..., 2] += to_picture[..., 2]
        mirrored = torch.tensor([bool(random.random() < 0.5) for random in randoms])
        theta = _normalised(total, side, kept)
        grid = affine_grid(theta, [len(rows), 4, side, side], align_corners=False)
        chips = grid_sample(pictures, grid, padding_mode="border", align_corners=False)
        return torch.where(mirrored[:, None, None, None], chips.flip(-1), chips)

    def _item(self, chip: np.ndarray, random: np.random.Generator) -> np.ndarray:
        picture, skin = chip[..., :3], chip[..., 3]
        for _ in range(random.choice(len(self.data.occluders), p=self.data.occluders)):
            picture, skin = self._covered(picture, skin, random)
        return np.concatenate([self._spoilt(picture, random), skin[..., None]], -1)

    def _covered(self, picture: np.ndarray, skin: np.ndarray, random: np.random.Generator):
        kind = self.kind or (HAND if random.random() < self.data.hands else OBJECT)
        seen = skin > 0.5
        tone = picture[seen].mean(0) if seen.any() else random.uniform(0.2, 0.8, 3)
        other = self.kept.pictures[int(random.integers(len(self.kept))), :3]
        side, margin = CHIP.size, (other.shape[-1] - CHIP.size) // 2
        other = other[:, margin : margin + side, margin : margin + side]
        texture = other.transpose(1, 2, 0).astype(np.float32) / 255
        layer = draw_occluder(random, kind, tone, texture)
        shade, offset = 0.5 * random.random(), tuple(random.normal(0, 3, 2))
        return layer.over(picture, shade, offset), skin * (1 - layer.alpha)

    def _spoilt(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        data = self.data
        gain = np.exp(data.gain * random.standard_normal() + data.balance * random.normal(0, 1, 3))
        gamma = np.exp(data.gamma * random.standard_normal())
        picture = gain * picture.clip(0, 1) ** gamma
        if random.random() < data.grey:
            picture = (picture @ np.array(_GREY))[..., None].repeat(3, -1)
        if random.random() < data.blurred:
            wide = random.uniform(0.3, 1.6)
            picture = gaussian_filter(picture, (wide, wide, 0))
        level = random.uniform(0, data.noise)
        return (picture + level * random.standard_normal(picture.shape, np.float32)).clip(0, 1)


def _normalised(transform: Tensor, side: int, kept: int) -> Tensor:
    """A map between pixels (B, 2, 3) as `affine_grid` counts: both pictures are [-1, 1] wide."""
    linear = transform[..., :2] * (side / kept)
    middle = transform[..., :2] @ torch.full((2, 1), (side - 1) / 2) + transform[..., 2:]
    return torch.cat([linear, (2 * middle + 1) / kept - 1], -1)
