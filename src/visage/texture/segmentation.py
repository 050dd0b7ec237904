"""Which pixels of a photograph show the skin of the face: a small U-Net.

It stands in for the two-stream deconvolution network of Saito, Li and Li (2016), with which the
paper masks the model fit and the partial albedo (Saito et al. 2017, section 3): both need to know
where hair, glasses, hands and other things hide the face. Ours sees a chip of 128 pixels that
landmarks place, and answers for the whole photograph.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, relu

from visage.checkpoints import load_checkpoint
from visage.photos.alignment import (
    SQUARE_CROP,
    Crop,
    crop_transform,
    invert_transform,
    warp_similarity,
)
from visage.texture.errors import TextureError

CHECKPOINT = "face_segmentation"

_SIDE = 128

CHIP = Crop(
    name="segmentation_128",
    size=_SIDE,
    channels=3,
    anchors=SQUARE_CROP.anchors,
    template=tuple(
        tuple((place + 0.5) * _SIDE / SQUARE_CROP.size - 0.5 for place in point)
        for point in SQUARE_CROP.template
    ),
)
"""The head from above the hairline to below the chin, upright."""


class SegmentationError(TextureError):
    """Pictures or landmarks that cannot be segmented."""


class _Double(nn.Module):
    """Two 3×3 convolutions; the first may halve the size."""

    def __init__(self, before: int, after: int, stride: int = 1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return self.layers(maps)


class SegmentationNet(nn.Module):
    """A U-Net (Ronneberger et al. 2015) whose skips are added, not appended: half the work.

    Its finest maps have half the chip's size; each of their pixels answers for four (Shi et al.
    2016, "sub-pixel" convolution).

    Args:
        widths: channels at 64, 32, 16 and 8 pixels.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 32, 64, 96)):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        steps = list(pairwise(widths))
        self.down = nn.ModuleList(_Double(fine, coarse, 2) for fine, coarse in steps)
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in steps)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(fine, fine, 3, 1, 1, bias=False), nn.BatchNorm2d(fine))
            for fine, _ in steps
        )
        self.head = nn.Conv2d(widths[0], 4, 3, 1, 1)
        # Twice as fast on a processor.
        self.to(memory_format=torch.channels_last)

    def forward(self, chips: Tensor) -> Tensor:
        """Chips (B, 3, 128, 128), sRGB in [0, 1], to log-odds of skin (B, 1, 128, 128).

        Raises:
            SegmentationError: the shape is another.
        """
        if chips.shape[1:] != (3, CHIP.size, CHIP.size):
            raise SegmentationError(
                f"chips are {tuple(chips.shape)}; expected (B, 3, {CHIP.size}, {CHIP.size})"
            )
        given = (2 * chips - 1).contiguous(memory_format=torch.channels_last)
        maps = [self.stem(given)]
        for down in self.down:
            maps.append(down(maps[-1]))
        found = maps.pop()
        for narrow, up in zip(reversed(self.narrow), reversed(self.up), strict=True):
            wider = interpolate(narrow(found), scale_factor=2, mode="bilinear", align_corners=False)
            found = relu(up(relu(wider + maps.pop())))
        return pixel_shuffle(self.head(found), 2).contiguous()


@lru_cache(maxsize=1)
def load_segmentation_net() -> SegmentationNet:
    """The shipped network, in evaluation mode.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    network = SegmentationNet()
    network.load_state_dict(load_checkpoint(CHECKPOINT)[0])
    return network.eval().requires_grad_(False)


@torch.no_grad()
def segment(images: Tensor, landmarks: Tensor, network: SegmentationNet | None = None) -> Tensor:
    """How surely each pixel shows the skin of the face.

    Brows, stubble and lips count as skin; hair, beards, glasses (with what is seen through them),
    hands, eyes and the inside of the mouth do not.

    Args:
        images: (B, 3, H, W), sRGB in [0, 1].
        landmarks: (B, 68, 2), pixels.
        network: the shipped one if None.

    Returns:
        (B, 1, H, W), probabilities; 0 outside of the face's chip. The network sees 128 pixels, so
        that borders are as sharp as that.

    Raises:
        SegmentationError: a shape does not fit.
        DegeneratePointsError: the landmarks coincide or are not finite.
        CheckpointError: there is no shipped network.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise SegmentationError(f"images are {tuple(images.shape)}; expected (B, 3, H, W)")
    if landmarks.shape != (len(images), 68, 2):
        raise SegmentationError(
            f"landmarks are {tuple(landmarks.shape)}; expected ({len(images)}, 68, 2)"
        )
    network = network or load_segmentation_net().to(images.device)
    to_chip = crop_transform(landmarks.to(images), CHIP)
    chips = warp_similarity(images, to_chip, CHIP.size, padding="border")
    found = network(chips).sigmoid()
    return warp_similarity(found, invert_transform(to_chip), tuple(images.shape[2:]))
