"""How far a reconstruction can be trusted, told from how it came about.

CoarseNet corrects itself until it has nothing left to correct. Where it does not settle, or where
looks through other windows and in a mirror differ, the answer is less likely to be right; a face
that is turned shows more of its depth. How much that says was measured: a linear regression of the
logarithm of the depth error on these three, over validation people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.geometry.errors import GeometryError
from visage.geometry.pipeline import Looks

GOOD = 3.0
"""mm of mean depth error up to which a reconstruction counts as good."""

FEATURES = ("settled", "apart", "yaw")


@dataclass(frozen=True)
class Confidence:
    """The logarithm of the error is Gaussian: weights · features + offset, with a spread."""

    weights: tuple[float, ...]  # of `FEATURES`
    offset: float
    spread: float

    def expected_error(self, looks: Looks) -> Tensor:
        """(B,) mm: the median of what the depth error may be."""
        weights = looks.settled.new_tensor(self.weights)
        return (features(looks) @ weights + self.offset).exp()

    def __call__(self, looks: Looks) -> Tensor:
        """(B,) probability that the mean depth error is below `GOOD`."""
        away = (math.log(GOOD) - self.expected_error(looks).log()) / self.spread
        return torch.special.ndtr(away)


CONFIDENCE = Confidence((-0.015, 0.239, -0.219), 0.962, 0.359)
"""As `learn_confidence` finds it for the shipped CoarseNet on validation people."""


def features(looks: Looks) -> Tensor:
    """(B, 3): logarithms of mm settled and apart, and how far the face is turned, radians."""
    return torch.stack(
        [
            looks.settled.clamp(min=1e-3).log(),
            looks.apart.clamp(min=1e-3).log(),
            looks.last.camera().angles[:, 1].abs(),
        ],
        1,
    )


def learn_confidence(seen: Tensor, errors: Tensor) -> Confidence:
    """Regress the logarithm of errors on features.

    Args:
        seen: (N, 3), `features` of faces whose truth is known.
        errors: (N,) mm, mean depth errors, positive.

    Raises:
        GeometryError: there are fewer than 20 faces, or an error is not positive.
    """
    if len(errors) < 20 or len(seen) != len(errors) or not (errors > 0).all():
        raise GeometryError(
            f"{len(seen)} faces and {len(errors)} errors; give at least 20 of both, all above 0"
        )
    seen = seen.double()
    columns = torch.cat([seen, torch.ones(len(seen), 1).double()], 1)
    wanted = errors.double().log()
    # A little shrinkage: the first two say nearly the same.
    middle = columns[:, :-1].mean(0)
    centred = columns[:, :-1] - middle
    gram = centred.T @ centred + 0.02 * len(seen) * torch.eye(len(FEATURES)).double()
    weights = torch.linalg.solve(gram, centred.T @ (wanted - wanted.mean()))
    offset = wanted.mean() - middle @ weights
    spread = (wanted - columns[:, :-1] @ weights - offset).std()
    return Confidence(tuple(weights.tolist()), float(offset), float(spread))
