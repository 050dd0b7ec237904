"""The three terms of Cole et al. (2017), section 3.3, and how a recogniser is made to see a face.

Weights are the paper's: 1, 100 and 10 for landmarks, textures and identity. The paper does not say
in which units; here landmarks are in pixels of its 224-pixel crop whatever the size, textures in
[0, 1].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.normalization.errors import NormalizationError
from visage.photos.alignment import COLE_CROP, Crop, crop_transform, invert_transform, pixel_to_grid


def landmark_error(predicted: Tensor, true: Tensor, size: int) -> Tensor:
    """Mean squared error of the landmarks.

    Args:
        predicted: (B, 68, 2), pixels of a face ``size`` pixels a side.
        true: (B, 68, 2), likewise.
        size: pixels.

    Returns:
        (B,), squared pixels of the 224-pixel crop, mean over landmarks and coordinates.

    Raises:
        NormalizationError: the shapes differ.

    >>> landmark_error(torch.ones(1, 68, 2), torch.zeros(1, 68, 2), size=112)
    tensor([4.])
    """
    _check_alike(predicted, true, "landmarks")
    return ((predicted - true) * (COLE_CROP.size / size)).square().mean((1, 2))


def texture_error(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error of the textures.

    Args:
        predicted: (B, 3, S, S) in [0, 1].
        true: (B, 3, S, S) in [0, 1].

    Returns:
        (B,).

    Raises:
        NormalizationError: the shapes differ.

    >>> texture_error(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.25))
    tensor([0.2500])
    """
    _check_alike(predicted, true, "textures")
    return (predicted - true).abs().mean((1, 2, 3))


def identity_error(reached: Tensor, wanted: Tensor, centre: Tensor | float = 0.0) -> Tensor:
    """Negative cosine similarity of embeddings.

    Args:
        reached: (B, d), of the decoded faces.
        wanted: (B, d), of the faces that were encoded.
        centre: (d,), taken out of both. FaceNet's embeddings lie all round a sphere; dlib's lie in
            a narrow cone, where the plain cosine of any two people is 0.9.

    Returns:
        (B,), -1 to 1.

    Raises:
        NormalizationError: the shapes differ.

    >>> identity_error(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([-1.])
    >>> identity_error(torch.tensor([[2.0, 0.1]]), torch.tensor([[2.0, -0.1]]),
    ...                centre=torch.tensor([2.0, 0.0]))
    tensor([1.])
    """
    _check_alike(reached, wanted, "embeddings")
    return -F.cosine_similarity(reached - centre, wanted - centre)


def chip_similarity(mean: Tensor, crop: Crop) -> Tensor:
    """The one similarity (2, 3) that takes normal faces to a recogniser's chip.

    All normal faces look straight ahead and have their eyes in the same place, so that one
    similarity, that of the mean landmarks (68, 2), serves everybody.
    """
    return crop_transform(mean[None], crop)[0]


def chips_of(faces: Tensor, similarity: Tensor, size: int, moves: Tensor | None = None) -> Tensor:
    """Cut a recogniser's chips out of normal faces; one bilinear look, differentiable.

    Args:
        faces: (B, 3, S, S).
        similarity: (2, 3) or (B, 2, 3), pixels of a face to pixels of a chip.
        size: of the chip, pixels.
        moves: (B, 2, 3), of `visage.photos.jitter.Jitter`: similarities about the chip's centre
            that shift, scale, turn and mirror what the recogniser sees. None looks straight.

    Returns:
        (B, 3, size, size).
    """
    batch = len(faces)
    back = invert_transform(similarity.double()).to(faces.device)
    back = back.expand(batch, 2, 3) if back.ndim == 3 else back[None].expand(batch, 2, 3)
    axis = torch.arange(size, dtype=torch.float64, device=faces.device) - (size - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    places = torch.stack([x, y], -1).view(1, -1, 2).expand(batch, -1, -1)
    if moves is not None:
        moves = moves.to(places)
        places = places @ moves[..., :2].mT + moves[:, None, :, 2]
    points = (places + (size - 1) / 2) @ back[..., :2].mT + back[:, None, :, 2]
    grid = pixel_to_grid(points, *faces.shape[-2:]).view(batch, size, size, 2).to(faces)
    return F.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _check_alike(predicted: Tensor, true: Tensor, name: str) -> None:
    if predicted.shape != true.shape:
        raise NormalizationError(
            f"{name} are {tuple(predicted.shape)} and {tuple(true.shape)}; expected the same shape."
        )
