"""Averaging all pictures of a person by morphing (Cole et al. 2017, section 6.2).

One photograph has the light, the colours and the moment that it was taken in. The mean of several,
each first warped to their mean landmarks, keeps what is the person's and looks evenly lit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from visage.normalization.errors import NormalizationError
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.warp import warp


class Average(NamedTuple):
    """The average of some pictures of one person."""

    image: Tensor  # (3, S, S), in [0, 1]
    landmarks: Tensor  # (68, 2), pixels


def average_face(images: Tensor, landmarks: Tensor, weights: Tensor | None = None) -> Average:
    """Average pictures of one person.

    Lμ = Σ wⱼ Lⱼ and Iμ = Σ wⱼ warp(Iⱼ; Lⱼ → Lμ), with weights that sum to one.

    Args:
        images: (B, 3, S, S), aligned, in [0, 1].
        landmarks: (B, 68, 2), pixels.
        weights: (B,), not negative; None weighs all alike, as the paper does.

    Returns:
        Average. One picture comes back as it is.

    Raises:
        NormalizationError: there is no picture, shapes do not fit, or weights are negative or zero.
    """
    count = len(images)
    if count == 0 or images.ndim != 4 or tuple(landmarks.shape) != (count, 68, 2):
        raise NormalizationError(
            f"images are {tuple(images.shape)}, landmarks {tuple(landmarks.shape)}; expected "
            "(B, 3, S, S) and (B, 68, 2), one picture at least"
        )
    weights = images.new_ones(count) if weights is None else weights.to(images)
    if tuple(weights.shape) != (count,) or (weights < 0).any() or not weights.sum() > 0:
        raise NormalizationError(f"weights are {weights.tolist()}; give {count} that sum above 0")
    weights = weights / weights.sum()
    mean = torch.einsum("b,bnc->nc", weights, landmarks)
    if count == 1:
        return Average(images[0], mean)
    warped = warp(images, landmarks, mean[None])
    return Average(torch.einsum("b,bchw->chw", weights, warped), mean)


def average_people(
    people: Sequence[str], images: Tensor, landmarks: Tensor, weights: Tensor | None = None
) -> NormalFaces:
    """One averaged face for each person.

    Args:
        people: (N,), whose pictures they are.
        images: (N, 3, S, S), uint8.
        landmarks: (N, 68, 2), pixels.
        weights: (N,), as `average_face` takes them.

    Returns:
        As many faces as there are names, in the order in which the names first appear.
    """
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(people):
        rows.setdefault(name, []).append(row)
    found = [
        average_face(
            images[some].float() / 255, landmarks[some], None if weights is None else weights[some]
        )
        for some in rows.values()
    ]
    return NormalFaces(
        tuple(rows),
        torch.stack([stored(one.image) for one in found]),
        torch.stack([one.landmarks for one in found]).float(),
    )
