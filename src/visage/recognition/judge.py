"""The foreign judge: whether two faces show one person, by recognisers that took no part.

A face that was made to suit one recogniser proves nothing by suiting it. The judge is two others:
the Light CNN that was trained here, and the `LandmarkRecogniser`, no network; neither has seen
anything of dlib's network, nor of the other. Each can be asked alone, and both together.

Faces are dlib's 150-pixel chips, photographs and reconstructions alike. Scores grow with likeness.
A threshold is the score that a given share of pairs of different people reach (`threshold_at`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from torch import Tensor

from visage import checkpoints
from visage.recognition.chips import chip_landmarks
from visage.recognition.encoder import embed_mirrored
from visage.recognition.landmark_recogniser import LandmarkRecogniser
from visage.recognition.light_cnn import LightCNNEncoder

By = Literal["light_cnn", "patches", "both"]
JUDGES: tuple[By, ...] = ("light_cnn", "patches", "both")


class JudgeInputError(ValueError):
    """Faces, scores or rates that the judge cannot use."""


@dataclass(frozen=True)
class Looks:
    """What the judge has seen of N faces.

    Attributes:
        light_cnn: (N, 256), unit length, mean of the face's and its mirror image's embedding.
        patches: (N, 200), coordinates of `LandmarkRecogniser`.
    """

    light_cnn: Tensor
    patches: Tensor

    def __len__(self) -> int:
        return len(self.light_cnn)

    def __getitem__(self, rows: slice | Tensor) -> Looks:
        """Some of the faces."""
        return Looks(self.light_cnn[rows], self.patches[rows])


@dataclass(frozen=True)
class Judge:
    """Two recognisers; see the module, and `load_judge`."""

    light_cnn: LightCNNEncoder
    patches: LandmarkRecogniser
    weights: tuple[float, float] = (1.0, 0.0)
    """Of the cosine and of the log likelihood ratio in "both"; see `fit_weights`."""

    @torch.no_grad()
    def look(self, chips: Tensor, landmarks: Tensor | None = None, *, batch: int = 64) -> Looks:
        """See faces.

        Args:
            chips: (N, 3, 150, 150): in [0, 1], or uint8.
            landmarks: (N, 68, 2), of `chip_landmarks`; found (20 ms a face) if None.
            batch: faces at once.
        """
        if len(chips) == 0 or (landmarks is not None and len(landmarks) != len(chips)):
            given = "none" if landmarks is None else len(landmarks)
            raise JudgeInputError(
                f"{len(chips)} chips and {given} sets of landmarks are given; expected one at "
                "least, and as many of both."
            )
        embeddings, coordinates = [], []
        for start in range(0, len(chips), batch):
            some = chips[start : start + batch]
            some = some.float() / 255 if some.dtype == torch.uint8 else some
            points = chip_landmarks(some) if landmarks is None else landmarks[start : start + batch]
            embeddings.append(F.normalize(embed_mirrored(self.light_cnn, some)))
            coordinates.append(self.patches.embed(some, points))
        return Looks(torch.cat(embeddings), torch.cat(coordinates))

    def scores(self, a: Looks, b: Looks, by: By = "both") -> Tensor:
        """Likeness of each of A with each of B faces: (A, B).

        The cosine of the Light CNN, the log likelihood ratio of the patches, or their weighted
        sum, a logit whose weights were fitted on people whom neither recogniser was trained on.

        Raises:
            JudgeInputError: ``by`` is not one of `JUDGES`.
        """
        if by not in JUDGES:
            raise JudgeInputError(f"by={by!r}; choose one of {', '.join(JUDGES)}.")
        cosines = a.light_cnn @ b.light_cnn.mT
        if by == "light_cnn":
            return cosines
        ratios = self.patches.score(a.patches, b.patches)
        if by == "patches":
            return ratios
        return self.weights[0] * cosines + self.weights[1] * ratios


@dataclass(frozen=True)
class OneJudge:
    """One of the judge's two recognisers, alone, for `visage.recognition.acceptance.Bench`."""

    judge: Judge
    by: By

    def look(self, chips: Tensor) -> Looks:
        """As both see them."""
        return self.judge.look(chips)

    def scores(self, a: Looks, b: Looks) -> Tensor:
        """By this one."""
        return self.judge.scores(a, b, self.by)


def load_judge() -> Judge:
    """The shipped judge, on the CPU.

    Raises:
        visage.checkpoints.CheckpointError: a recogniser's weights are missing or damaged.
    """
    patches = LandmarkRecogniser()
    metrics = checkpoints.load_into(patches, patches.name).metrics
    weights = (metrics["weight_light_cnn"], metrics["weight_patches"])
    return Judge(LightCNNEncoder.from_checkpoint(), patches.eval(), weights)


def pair_scores(judge: Judge, looks: Looks, people: np.ndarray, by: By) -> tuple[Tensor, Tensor]:
    """Scores of all pairs of N faces: those of one person, and those of two.

    Args:
        judge: whose scores.
        looks: of the faces.
        people: (N,), equal ones are one person.
        by: see `Judge.scores`.

    Returns:
        Two vectors, N (N - 1) / 2 numbers together.
    """
    if len(people) != len(looks):
        raise JudgeInputError(
            f"{len(looks)} faces and {len(people)} names are given; expected as many."
        )
    number = torch.from_numpy(np.unique(people, return_inverse=True)[1])
    first, second = torch.triu_indices(len(people), len(people), 1)
    scores = judge.scores(looks, looks, by)[first, second]
    same = number[first] == number[second]
    return scores[same], scores[~same]


def threshold_at(impostors: Tensor, far: float) -> float:
    """The lowest threshold that at most a share ``far`` of the scores of different people reach.

    Args:
        impostors: (M,), scores of pairs of different people.
        far: false-accept rate; M times it should be 10 at least for a steady threshold.

    Raises:
        JudgeInputError: the rate is not in (0, 1), or there are too few scores for it.

    >>> threshold_at(torch.arange(100.0), 0.05)
    94.5
    """
    if not 0 < far < 1:
        raise JudgeInputError(f"a false-accept rate of {far!r} is given; expected in (0, 1).")
    allowed = int(far * len(impostors) + 1e-9)
    if allowed < 1:
        raise JudgeInputError(
            f"{len(impostors)} pairs of different people cannot show a false-accept rate of "
            f"{far:g}; give {int(np.ceil(1 / far))} at least."
        )
    top = impostors.topk(allowed + 1).values
    # In the scores' own precision, or rounding could let in a score that ties with the threshold.
    above = torch.nextafter(top[-1], torch.full_like(top[-1], torch.inf))
    return float(torch.maximum((top[-1] + top[-2]) / 2, above))


def fit_weights(
    same: tuple[Tensor, Tensor], different: tuple[Tensor, Tensor]
) -> tuple[float, float]:
    """Weights of the two recognisers' scores in "both", by logistic regression.

    Pairs of one person and of two weigh as much as a whole.

    Args:
        same: scores of pairs of one person, by the Light CNN and by the patches, (S,) each.
        different: the same of pairs of different people, (M,) each.
    """
    positive, negative = (torch.stack(scores, 1).double().numpy() for scores in (same, different))
    scale = negative.std(0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = 0.0, np.zeros(3)
        for scores, sign in ((positive, 1.0), (negative, -1.0)):
            inputs = np.column_stack([scores / scale, np.ones(len(scores))])
            margin = sign * inputs @ weights
            value += np.logaddexp(0, -margin).mean()
            gradient -= sign * (inputs / (1 + np.exp(margin))[:, None]).mean(0)
        return value, gradient

    found = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, method="BFGS").x[:2] / scale
    return found[0].item(), found[1].item()
