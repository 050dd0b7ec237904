"""Find five points of a face in a rough square crop: small enough for a web page.

dlib's 5-point predictor (public domain) needs a detector that no browser has. This network learned
from it to work without one: from a crop that holds the face somewhere, at almost any size, it
predicts the corners of the eyes and the base of the nose, and how sure it is that there is a face.
`locate` applies it repeatedly: each prediction gives a better crop for the next.

Points are in dlib's order: outer and inner corner of the eye on the picture's right, outer and
inner corner of the eye on its left, base of the nose.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage import checkpoints
from visage.photos.alignment import (
    DLIB_CHIP_FIVE,
    Crop,
    apply_transform,
    crop_transform,
    invert_transform,
    warp_similarity,
)

SIZE = 96  # pixels; the outer corners of the eyes are 35 apart in a well-placed crop
BOX_MARGIN = 1.5  # a well-placed crop is as wide as 1.48 of dlib's boxes on LFW
MIRRORED = (2, 3, 0, 1, 4)  # which point each one becomes in a mirror


def _well_placed() -> tuple[tuple[float, float], ...]:
    """Mean face of dlib, with half its width of room on each side (the chip has a quarter)."""
    chip, padding = DLIB_CHIP_FIVE.size, 0.25
    width = chip / (1 + 2 * padding)
    return tuple(
        tuple(((v + 0.5) / width - padding + 0.5) * SIZE / 2 - 0.5 for v in point)
        for point in DLIB_CHIP_FIVE.template
    )


LOCATOR_CROP = Crop(
    name="locator_96",
    size=SIZE,
    channels=3,
    anchors=DLIB_CHIP_FIVE.anchors,
    template=_well_placed(),
    landmarks=5,
)
"""Where the network sees best: the face upright, as large as half of the crop."""

EYE_DISTANCE = LOCATOR_CROP.template[0][0] - LOCATOR_CROP.template[2][0]


class Located(NamedTuple):
    """Faces found by `locate`."""

    points: Tensor  # (B, 5, 2), (x, y) pixels of the photograph
    score: Tensor  # (B,), a logit: above 0 the network takes it for a face


class Locator(nn.Module):
    """(B, 3, 96, 96) in [0, 1] to points (B, 5, 2) in crop pixels and face logits (B,).

    Seven convolutions and two linear layers, 291 thousand parameters, 19 million multiplications
    a crop; nothing that ONNX's oldest operator sets lack.
    """

    def __init__(self):
        super().__init__()
        widths = [(3, 16, 5, 2), (16, 32, 3, 2), (32, 48, 3, 1), (48, 64, 3, 2), (64, 64, 3, 1)]
        widths += [(64, 96, 3, 2), (96, 96, 3, 1)]
        layers = []
        for inputs, outputs, kernel, stride in widths:
            layers += [
                nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        self.trunk = nn.Sequential(*layers, nn.Conv2d(96, 32, 1), nn.ReLU(), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(32 * 36, 56), nn.ReLU(), nn.Linear(56, 11))
        # Start from the mean face: the head then learns differences, in units of the eye distance.
        self.register_buffer("template", torch.tensor(LOCATOR_CROP.template), persistent=False)
        nn.init.zeros_(self.head[-1].weight)
        nn.init.zeros_(self.head[-1].bias)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Predict points and logits; see the class."""
        if crops.ndim != 4 or crops.shape[1:] != (3, SIZE, SIZE):
            raise ValueError(f"crops are {tuple(crops.shape)}; expected (B, 3, {SIZE}, {SIZE})")
        output = self.head(self.trunk(2 * crops - 1))
        points = output[:, :10].reshape(-1, 5, 2) * EYE_DISTANCE + self.template
        return points, output[:, 10]


def load_locator() -> Locator:
    """The shipped network, in evaluation mode on the CPU.

    Raises:
        visage.checkpoints.CheckpointError: its weights are missing or damaged.
    """
    network = Locator()
    checkpoints.load_into(network, "locator")
    return network.eval().requires_grad_(False)


@torch.no_grad()
def locate(network: Locator, images: Tensor, boxes: Tensor, *, refinements: int = 3) -> Located:
    """Find five points of the face that a rough box holds.

    The first crop is the square around the box; each next one is the similarity that puts the
    predicted points where the network sees best. Stops early when no point moves by more than a
    hundredth of the distance between the eyes.

    Args:
        network: from `load_locator`.
        images: (B, 3, H, W) in [0, 1].
        boxes: (B, 4), left, top, right, bottom in pixels; any face detector's, or a guess.
        refinements: how often the network is applied, at least 1.

    Raises:
        ValueError: the shapes do not fit, a box has no area, or refinements is not positive.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images are {tuple(images.shape)}; expected (B, 3, H, W)")
    if boxes.shape != (len(images), 4):
        raise ValueError(f"boxes are {tuple(boxes.shape)}; expected {(len(images), 4)}")
    if not bool((boxes[:, 2:] > boxes[:, :2]).all()):
        raise ValueError("a box has no area; give left, top, right, bottom with left < right")
    if refinements < 1:
        raise ValueError(f"refinements is {refinements}; the network is applied once at least")
    to_crop = box_transform(boxes.to(images))
    before = None
    for _ in range(refinements):
        crops = warp_similarity(images, to_crop, SIZE)
        in_crop, score = network(crops)
        points = apply_transform(invert_transform(to_crop), in_crop)
        moved = torch.inf if before is None else (points - before).norm(dim=-1).amax(1)
        apart = (points[:, 0] - points[:, 2]).norm(dim=-1)
        if bool((torch.as_tensor(moved) <= 0.01 * apart).all()):
            break
        before, to_crop = points, crop_transform(points, LOCATOR_CROP)
    return Located(points, score)


def box_transform(boxes: Tensor) -> Tensor:
    """Similarity (B, 2, 3) from a photograph to the square crop around boxes (B, 4).

    >>> to_crop = box_transform(torch.tensor([[0.0, 0, 64, 64]]))
    >>> apply_transform(to_crop, torch.tensor([[[32.0, 0]]]))
    tensor([[[47.5000, 15.5000]]])
    """
    sides = BOX_MARGIN * (boxes[:, 2:] - boxes[:, :2]).amax(1)
    return square_transform((boxes[:, :2] + boxes[:, 2:]) / 2, sides, torch.zeros_like(sides))


def square_transform(centres: Tensor, sides: Tensor, rolls: Tensor) -> Tensor:
    """Similarity (B, 2, 3) from a photograph to the crop of a turned square.

    Args:
        centres: (B, 2), (x, y) pixels.
        sides: (B,), pixels.
        rolls: (B,), radians, positive from x towards y: a head so turned is upright in the crop.
    """
    scale = SIZE / sides
    cosine, sine = scale * rolls.cos(), scale * rolls.sin()
    linear = torch.stack([cosine, sine, -sine, cosine], -1).view(-1, 2, 2)
    middle = (SIZE - 1) / 2
    return torch.cat([linear, middle - linear @ centres[:, :, None]], -1)


def points_loss(points: Tensor, target: Tensor, is_face: Tensor, beta: float = 0.03) -> Tensor:
    """Smooth L1 distance of points in units of the eye distance, over the crops with a face.

    Quadratic within beta (about one pixel), where the teacher's own noise lies.

    Args:
        points: (B, 5, 2), crop pixels.
        target: (B, 5, 2), crop pixels; ignored where there is no face.
        is_face: (B,), 1 or 0.
        beta: in units of the eye distance of a well-placed crop.

    Returns:
        A scalar; 0 if no crop has a face.

    >>> target = torch.zeros(2, 5, 2)
    >>> points_loss(target + EYE_DISTANCE, target, torch.tensor([1.0, 0.0]), beta=0.5)
    tensor(0.7500)
    """
    error = F.smooth_l1_loss(
        points / EYE_DISTANCE, target / EYE_DISTANCE, beta=beta, reduction="none"
    )
    return (error.mean((1, 2)) * is_face).sum() / is_face.sum().clamp(min=1)


def face_loss(logits: Tensor, is_face: Tensor) -> Tensor:
    """Binary cross-entropy of logits (B,) against 1 or 0; a scalar in nats.

    >>> face_loss(torch.zeros(4), torch.tensor([1.0, 0.0, 1.0, 1.0]))
    tensor(0.6931)
    """
    return F.binary_cross_entropy_with_logits(logits, is_face)
