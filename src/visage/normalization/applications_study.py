"""What the experiments on applications have in common: pictures to correct, and who normalizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visage.checkpoints import CheckpointError
from visage.faces.light import LIGHT_KINDS, blackbody
from visage.faces.population import people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.faces.scene import render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, shots
from visage.normalization.decoder import Decoded, Decoder, decode, load_decoder
from visage.normalization.features import load_features
from visage.normalization.texture_fitting import hull_mask
from visage.photos.alignment import align

__all__ = [
    "Photographs",
    "cast",
    "draw_casts",
    "draw_photographs",
    "normalized",
    "shipped_decoder",
]

SPLIT = "test"
WELL_LIT = replace(
    EVERYDAY,
    yaw=25.0,
    lights=tuple(kind for kind in LIGHT_KINDS if kind.name in ("overcast", "studio")),
)
"""Shots that need no correction: white light, well exposed."""

_STOPS = 1.5  # a cast's exposure, to both sides
_MIREDS = (80.0, 400.0)  # 12,500 to 2,500 kelvin: shade in the mountains to an old lamp
_NEUTRAL = 6500.0  # kelvin
_GREEN = 0.12  # standard deviation of the logarithm of green against magenta


@dataclass(frozen=True, eq=False)
class Photographs:
    """N photographs, and where their faces are."""

    image: Tensor  # (N, 3, S, S), sRGB
    landmarks: Tensor  # (N, 68, 2), pixels, the model's
    face: Tensor  # (N, S, S) bool: skin inside the landmarks, not hair, glasses or cloth
    person: Tensor  # (N,) int64, place among the people that were asked for

    def __len__(self) -> int:
        """N."""
        return len(self.image)


@torch.no_grad()
def draw_photographs(
    model: MorphableModel,
    seed: int,
    indices: Sequence[int],
    shots_each: int,
    size: int = 256,
    detail: Detail | None = None,
) -> Photographs:
    """Take several well-lit everyday pictures of each person of the test split.

    Args:
        model: to draw.
        seed: of the world.
        indices: of the people.
        shots_each: how many pictures of each.
        size: of the pictures, pixels.
        detail: how finely; what does for the size if None.
    """
    drawn = []
    for place, index in enumerate(indices):
        persons = people(model, seed, [index] * shots_each, split=SPLIT)
        seeds = torch.tensor([seed_of(seed, 14, index, shot) for shot in range(shots_each)])
        taken = shots(model, persons, seeds, size, WELL_LIT)
        detail = detail or Detail.of(size)
        picture = render(model, portray(model, persons, taken, detail),
                         supersample=detail.supersample)  # fmt: skip
        inside = _inside(picture.landmarks, size) & (picture.seen[:, 0] > 0.5)
        person = torch.full((shots_each,), place)
        drawn.append(Photographs(picture.image, picture.landmarks, inside, person))
    parts = ("image", "landmarks", "face", "person")
    return Photographs(*(torch.cat([getattr(one, part) for one in drawn]) for part in parts))


def _inside(landmarks: Tensor, size: int) -> Tensor:
    """(B, S, S) bool: pixels in the landmarks' convex hull."""
    axis = torch.arange(float(size))
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([x, y], -1).flatten(0, 1).expand(len(landmarks), -1, -1)
    return (hull_mask(points, landmarks, 0.05) == 1).unflatten(1, (size, size))


def draw_casts(count: int, generator: torch.Generator) -> Tensor:
    """Gains (count, 3) on linear light: a wrong exposure, and the white balance of other lamps.

    Within 1.5 stops, and from 2,500 to 12,500 kelvin taken for 6,500, uniform in mireds, with some
    green or magenta.
    """
    stops = _STOPS * (2 * torch.rand(count, generator=generator) - 1)
    low, high = _MIREDS
    mireds = low + (high - low) * torch.rand(count, generator=generator)
    white = blackbody(torch.tensor([_NEUTRAL]))
    gains = blackbody(1e6 / mireds) / white * 2 ** stops[:, None]
    green = (_GREEN * torch.randn(count, generator=generator)).exp()
    return gains * torch.stack([torch.ones(count), green, torch.ones(count)], 1)


def cast(images: Tensor, gains: Tensor) -> Tensor:
    """Pictures (B, 3, H, W), sRGB, under gains (B, 3) on their linear light, clipped at white.

    >>> grey = torch.full((1, 3, 1, 1), 0.5)
    >>> cast(grey, torch.ones(1, 3)).flatten()
    tensor([0.5000, 0.5000, 0.5000])
    """
    return encode_srgb((decode_srgb(images) * gains[..., None, None]).clamp(0, 1))


def shipped_decoder(name: str = "synthetic") -> Decoder | None:
    """A shipped decoder, None where it has not been trained yet."""
    try:
        return load_decoder(name)
    except CheckpointError:
        return None


@torch.no_grad()
def normalized(decoder: Decoder, images: Tensor, landmarks: Tensor) -> Decoded:
    """Normalized faces of photographs (B, 3, H, W) with landmarks (B, 68, 2)."""
    features = load_features()
    chips = [align(image[None], points[None], features.encoder.crop) for image, points in
             zip(images, landmarks, strict=True)]  # fmt: skip
    found = torch.cat([features(some) for some in torch.cat(chips).clamp(0, 1).split(32)])
    return decode(decoder, found)
