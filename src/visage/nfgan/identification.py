"""Is the generated face the same person? Thresholds, and rank-1 identification.

A threshold that was set on photographs (0.6 for dlib's recogniser) is too generous for grey faces
of 64 pixels in a small world: half of all pairs of different synthetic people may lie within it.
So a second threshold is set where false accepts and false rejects are equally frequent among
pictures of people on whom nothing else is measured; and since any threshold can be met by a face
that is like everybody, the nearest of all people is looked for as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from visage.nfgan.errors import IdentificationError
from visage.recognition.verification import roc


@dataclass(frozen=True)
class Threshold:
    """A distance below which two faces are taken for one person.

    Attributes:
        distance: the threshold.
        accepted: how many pairs of one person are within it.
        falsely: how many pairs of different people are.
    """

    distance: float
    accepted: float
    falsely: float


def pair_distances(embeddings: Tensor, people: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Distances of all pairs of pictures (M,), and whether both are of one person (M,).

    Args:
        embeddings: (N, D).
        people: (N,) int64.

    Raises:
        IdentificationError: all pictures are of one person, or no two are.
    """
    first, second = torch.triu_indices(len(people), len(people), 1)
    same = people[first] == people[second]
    if not same.any() or same.all():
        raise IdentificationError(
            "a threshold needs pairs of one person and of different people; give two pictures "
            "of two people at least"
        )
    distances = torch.cdist(embeddings, embeddings)[first, second]
    return distances.numpy(), same.numpy()


def equal_error_threshold(embeddings: Tensor, people: Tensor) -> Threshold:
    """Where false accepts are as frequent as false rejects, among all pairs of pictures.

    Args:
        embeddings: (N, D).
        people: (N,) int64.

    Raises:
        IdentificationError: as `pair_distances`.

    >>> apart = equal_error_threshold(torch.tensor([[0.0], [0.1], [1.0], [1.1]]),
    ...                               torch.tensor([0, 0, 1, 1]))
    >>> apart.accepted, apart.falsely
    (1.0, 0.0)
    """
    distances, same = pair_distances(embeddings, people)
    curve = roc(distances, same)
    # The first operating point at which as many are falsely accepted as are rejected.
    place = int(np.argmax(curve.far >= 1 - curve.tar))
    following = curve.thresholds[min(place + 1, len(curve.thresholds) - 1)]
    between = (curve.thresholds[place] + following) / 2
    return threshold_at(between, distances, same)


def threshold_at(distance: float, distances: np.ndarray, same: np.ndarray) -> Threshold:
    """A threshold with its rates, on pairs as `pair_distances` gives them."""
    within = distances < distance
    return Threshold(float(distance), float(within[same].mean()), float(within[~same].mean()))


def rank_one(probes: Tensor, people: Tensor, gallery: Tensor, owners: Tensor) -> Tensor:
    """Whether the nearest face of a gallery is of the probe's own person, (N,) bool.

    Args:
        probes: (N, D), embeddings.
        people: (N,) int64, of the probes.
        gallery: (G, D), embeddings.
        owners: (G,) int64.

    Raises:
        IdentificationError: the gallery is empty, or does not have everybody.
    """
    if len(gallery) == 0 or not torch.isin(people, owners).all():
        raise IdentificationError("the gallery lacks people who are to be found in it")
    return owners[torch.cdist(probes, gallery).argmin(1)] == people
