"""Large-margin cosine loss: a person must be recognised with something to spare."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def margin_softmax(
    embeddings: Tensor, prototypes: Tensor, people: Tensor, scale: float, margin: float
) -> Tensor:
    """Large-margin cosine loss of Wang et al., "CosFace" (CVPR 2018), eq. 4.

    -log e^{s(cos θ_y - m)} / (e^{s(cos θ_y - m)} + Σ_{j≠y} e^{s cos θ_j}), θ_j the angle between
    an embedding and the prototype of person j; the mean over the batch.

    Args:
        embeddings: (B, D), of any length.
        prototypes: (P, D), of any length, one a person.
        people: (B,), int64, 0 to P - 1.
        scale: s, positive.
        margin: m, 0 or more.

    Returns:
        A scalar, in nats.

    Raises:
        ValueError: the scale is not positive, or the margin is negative.

    >>> import torch
    >>> one = torch.eye(2)
    >>> margin_softmax(one, one, torch.tensor([0, 1]), scale=1.0, margin=1.0)
    tensor(0.6931)
    """
    if not (scale > 0 and margin >= 0):
        raise ValueError(f"scale {scale} and margin {margin} are given; expected > 0 and >= 0")
    cosines = F.normalize(embeddings) @ F.normalize(prototypes).mT
    target = F.one_hot(people, len(prototypes)).to(cosines)
    return F.cross_entropy(scale * (cosines - margin * target), people)
