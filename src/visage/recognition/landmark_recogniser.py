"""A recogniser without a network: what is round the landmarks, judged by joint Bayesian.

Local binary patterns and oriented gradients of 135 patches are compressed in two linear steps, each
patch by principal components of its own, and then all patches together; `joint_bayesian` compares
what is left. It shares neither architecture nor training with any convolutional network.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from visage.checkpoints import quantise
from visage.recognition.chips import Chips, chip_landmarks
from visage.recognition.high_dimensional_lbp import BINS, describe_patterns
from visage.recognition.joint_bayesian import JointBayesian, fit_joint_bayesian
from visage.recognition.landmark_patches import CELLS, PATCHES
from visage.recognition.oriented_gradients import DIRECTIONS, describe_gradients

PATTERNS, GRADIENTS = CELLS**2 * BINS, CELLS**2 * DIRECTIONS
KEPT = {"patterns": 16, "gradients": 24}
"""Components a patch: more of the patterns help a little and make a much larger file."""

COMPONENTS = 300  # of all patches together, before joint Bayesian
DIM = 200  # coordinates with the largest ratios of variance between to within people
SAMPLED = 4000  # chips that the components of a patch are computed from, about

Describe = Callable[[Tensor, Tensor], Tensor]


class LandmarkRecogniser(nn.Module):
    """Chips to coordinates (B, 200) that `score` compares.

    Its buffers are two linear maps, one after the other, and the ratios λ of `JointBayesian`.
    """

    name = "landmark_recogniser"

    def __init__(self):
        super().__init__()
        kept = PATCHES * KEPT["patterns"], PATCHES * KEPT["gradients"]
        self.register_buffer("pattern_bases", torch.zeros(kept[0], PATTERNS))
        self.register_buffer("gradient_bases", torch.zeros(kept[1], GRADIENTS))
        self.register_buffer("projection", torch.zeros(DIM, sum(kept)))
        self.register_buffer("offset", torch.zeros(DIM))
        self.register_buffer("ratio", torch.zeros(DIM))

    @torch.no_grad()
    def embed(self, chips: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """Coordinates (B, 200) of chips.

        Args:
            chips: (B, 3, 150, 150), in [0, 1].
            landmarks: (B, 68, 2), pixels of the chips; None finds them with `chip_landmarks`.
        """
        if landmarks is None:
            landmarks = chip_landmarks(chips)
        compressed = [
            compress(describe(chips, landmarks).flatten(1, 2), bases)
            for describe, bases in (
                (describe_patterns, self.pattern_bases),
                (describe_gradients, self.gradient_bases),
            )
        ]
        return torch.cat(compressed, 1) @ self.projection.mT - self.offset

    def score(self, a: Tensor, b: Tensor) -> Tensor:
        """Log likelihood ratio of coordinates (A, 200) and (B, 200), each with each: (A, B)."""
        zero = torch.zeros(DIM, device=self.ratio.device)
        return JointBayesian(zero, torch.eye(DIM, device=zero.device), self.ratio).score_all(a, b)


def compress(described: Tensor, bases: Tensor) -> Tensor:
    """Coefficients (B, P * K) of patches (B, P, D), by each patch's own K rows of (P * K, D)."""
    own = bases.view(described.shape[1], -1, bases.shape[1])
    return torch.einsum("bpi,pki->bpk", described, own).flatten(1)


def fit_landmark_recogniser(chips: Chips, people: Tensor) -> LandmarkRecogniser:
    """Fit both compressions and joint Bayesian to people's chips.

    Patterns and gradients are scaled to the same total variance.

    Args:
        chips: N of them, more than `COMPONENTS`; some people have several.
        people: (N,), integers; equal ones are one person.
    """
    found = LandmarkRecogniser()
    blocks = []
    for name, describe, bases in (
        ("patterns", describe_patterns, found.pattern_bases),
        ("gradients", describe_gradients, found.gradient_bases),
    ):
        block = _fit_patches(_described(chips, describe, name), bases, KEPT[name])
        spread = block.var(0).sum().sqrt()
        bases /= spread
        blocks.append(block / spread)
    features = torch.cat(blocks, 1)
    mean = features.mean(0)
    main = principal_components(features - mean, COMPONENTS)
    model = fit_joint_bayesian(features @ main.mT, people, dim=DIM)
    found.projection.copy_(as_shipped(model.projection.mT @ main))
    # Of the rounded maps, so that rounding moves nobody away from the mean.
    found.offset.copy_(found.projection @ mean)
    found.ratio.copy_(model.ratio)
    return found.eval()


def principal_components(centred: Tensor, count: int) -> Tensor:
    """The ``count`` directions of largest variance of centred values (N, D), as rows (count, D)."""
    if count > min(centred.shape):
        raise ValueError(
            f"{count} components are asked for of {tuple(centred.shape)} values; give more chips"
        )
    _, vectors = torch.linalg.eigh(centred.mT @ centred)
    return vectors[:, -count:].mT.flip(0)


def as_shipped(weights: Tensor) -> Tensor:
    """Weights (O, I) as they come back from an int8 checkpoint."""
    steps, scales = quantise(weights)
    return steps.float() * scales


def _described(chips: Chips, describe: Describe, name: str) -> Tensor:
    """(N, 135, D), float16: a gigabyte and a half for 6,000 chips."""
    found = []
    for start in tqdm(range(0, len(chips), 32), desc=name, unit="batch", disable=None):
        some = slice(start, start + 32)
        values = describe(chips.chips[some].float() / 255, chips.landmarks[some])
        found.append(values.flatten(1, 2).half())
    return torch.cat(found)


def _fit_patches(described: Tensor, bases: Tensor, kept: int) -> Tensor:
    """Fill in bases (135 * kept, D) by principal components; returns (N, 135 * kept)."""
    every = -(-len(described) // SAMPLED)
    coefficients = []
    for patch in tqdm(range(PATCHES), desc="compressing", unit="patch", disable=None):
        values = described[:, patch].float()
        sample = values[::every]
        own = as_shipped(principal_components(sample - sample.mean(0), kept))
        bases[patch * kept : (patch + 1) * kept] = own
        coefficients.append(values @ own.mT)
    return torch.cat(coefficients, 1)
