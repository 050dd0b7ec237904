"""How good a decoder's faces are: as the recogniser sees them, and beside the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from visage.normalization.decoder import Decoded, decode
from visage.normalization.features import IdentityFeatures
from visage.normalization.losses import chips_of
from visage.photos.alignment import Crop, crop_transform


def own_chips(decoded: Decoded, crop: Crop) -> Tensor:
    """Chips (B, 3, S, S) of decoded faces, each cut by its own landmarks, as any photograph's."""
    faces, landmarks = decoded.image, decoded.landmarks
    return chips_of(faces, crop_transform(landmarks, crop), crop.size)


@dataclass(frozen=True, eq=False)
class Seen:
    """Decoded faces as the recogniser sees them.

    Attributes:
        decoded: the faces (B).
        embeddings: (B, d), of them.
        distances: (B,), to the embeddings of the pictures that were encoded.
        within: (B,), whether the recogniser takes both for one person.
    """

    decoded: Decoded
    embeddings: Tensor
    distances: Tensor
    within: Tensor


@torch.no_grad()
def seen(decoder: nn.Module, recogniser: IdentityFeatures, features: Tensor) -> Seen:
    """Decode features (B, F) and look at the faces."""
    decoded = decode(decoder, features)
    reached = recogniser.embedding(recogniser.of(own_chips(decoded, recogniser.encoder.crop)))
    distances = recogniser.encoder.distance(reached, recogniser.embedding(features))
    return Seen(decoded, reached, distances, distances < recogniser.encoder.threshold)


def within_over_between(faces: Tensor, people: Tensor) -> float:
    """Variance of a person's faces over that between people.

    Within: the mean over people of the mean squared distance to the person's mean. Between: the
    mean squared distance of people's means to their mean, less what the former adds to it.

    Args:
        faces: (N, ...), pictures or landmarks or embeddings.
        people: (N,), whole numbers; equal ones are one person, who has two faces at least.

    >>> faces = torch.tensor([[0.0], [0.2], [1.0], [1.2]])
    >>> round(within_over_between(faces, torch.tensor([0, 0, 1, 1])), 3)
    0.041
    """
    flat = faces.flatten(1).double()
    of_each = [flat[people == one] for one in people.unique()]
    centres = torch.stack([some.mean(0) for some in of_each])
    # Unbiased, so that few photographs of a person do not look alike by their number.
    within = torch.stack([some.var(0).sum() for some in of_each]).mean()
    by_chance = torch.stack([some.var(0).sum() / len(some) for some in of_each]).mean()
    return float(within / (centres.var(0).sum() - by_chance))


def similarity(made: Tensor, true: Tensor) -> Tensor:
    """SSIM (B,) of pictures (B, 3, S, S) in [0, 1], as scikit-image computes it."""
    pairs = zip(made.permute(0, 2, 3, 1).numpy(), true.permute(0, 2, 3, 1).numpy(), strict=True)
    found = [structural_similarity(a, b, channel_axis=2, data_range=1.0) for a, b in pairs]
    return torch.tensor(found)


def sharpness(faces: Tensor) -> Tensor:
    """Mean size of the gradient (B,) of the middle half of pictures (B, 3, S, S), per pixel."""
    quarter = faces.shape[-1] // 4
    inner = faces[..., quarter:-quarter, quarter:-quarter]
    across, down = inner.diff(dim=-1)[..., :-1, :], inner.diff(dim=-2)[..., :-1]
    return (across.square() + down.square()).sum(1).sqrt().mean((1, 2))
