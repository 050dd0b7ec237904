"""How far an image's embedding is from the one that it should have."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.inversion.errors import InversionError, check_positive, described

Distance = Literal["l2", "dot"]


def embedding_distance(
    embeddings: Tensor,
    targets: Tensor,
    distance: Distance = "l2",
    *,
    normalised: bool = False,
    target_scale: float = 1.0,
    centre: Tensor | None = None,
) -> Tensor:
    """The term d[F(p), e] of Zhmoginov and Sandler (2016), eq. 1 and the end of section 2.

    "l2" is ‖F(p) − s·e‖², "dot" is −F(p)·s·e. The paper calls an embedding before its last
    normalisation unnormalised and finds it the better target; it scales the target in fig. 8,
    where "l2" with a large s comes to look like "dot": ‖F − se‖²/2s = −F·e + ‖F‖²/2s + const.

    The paper says that a softmax normalises; FaceNet divides by the Euclidean norm, as is done
    here. The dot product has no lower bound unless embeddings are normalised.

    Args:
        embeddings: (B, D), of the images.
        targets: (B, D) or (1, D).
        distance: which of the two.
        normalised: divide both by their norms first, before the target is scaled.
        target_scale: s, positive.
        centre: (D,), subtracted from both before anything else. For an encoder whose embeddings
            all lie to one side of the origin, such as dlib's, dot product and norm say little
            about the person without it. None subtracts nothing, as in the paper.

    Returns:
        (B,), one value per image.

    Raises:
        InversionError: shapes do not fit, the scale is not positive, or the distance is unknown.

    >>> e = torch.tensor([[3.0, 4.0]])
    >>> embedding_distance(torch.zeros(1, 2), e), embedding_distance(e, e, "dot", normalised=True)
    (tensor([25.]), tensor([-1.]))
    """
    if embeddings.ndim != 2 or targets.ndim != 2 or targets.shape[1] != embeddings.shape[1]:
        raise InversionError(
            f"embeddings are {described(embeddings)} and targets {described(targets)}; "
            "expected (B, D) and (B, D) or (1, D)."
        )
    if targets.shape[0] not in {1, embeddings.shape[0]}:
        raise InversionError(f"{targets.shape[0]} targets for {embeddings.shape[0]} embeddings.")
    check_positive("target_scale", target_scale)
    if centre is not None:
        embeddings, targets = embeddings - centre, targets - centre
    if normalised:
        embeddings, targets = F.normalize(embeddings, dim=1), F.normalize(targets, dim=1)
    targets = target_scale * targets
    if distance == "l2":
        return (embeddings - targets).square().sum(1)
    if distance == "dot":
        return -(embeddings * targets).sum(1)
    raise InversionError(f"distance is 'l2' or 'dot', not {distance!r}.")


def normalised_dot(embeddings: Tensor, targets: Tensor, centre: Tensor | None = None) -> Tensor:
    """⟨ẽ₁·ẽ₂⟩ of table 1, before the mean: the cosine of two embeddings.

    Args:
        embeddings: (B, D).
        targets: (B, D) or (1, D).
        centre: (D,), as for `embedding_distance`.

    Returns:
        (B,), in [-1, 1].

    >>> normalised_dot(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    shift = torch.zeros_like(targets[0]) if centre is None else centre
    return F.cosine_similarity(embeddings - shift, targets - shift, dim=1)
