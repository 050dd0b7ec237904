"""A recogniser without a network: local binary patterns, compressed, judged by joint Bayesian.

The descriptor of `visage.recognition.high_dimensional_lbp` is compressed in two linear steps, each
patch by principal components of its own, and then all patches together; `joint_bayesian` compares
what is left. It shares neither architecture nor training with any convolutional network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from visage.recognition.chips import Chips, chip_landmarks
from visage.recognition.high_dimensional_lbp import BINS, CELLS, POINTS, SIZES, describe
from visage.recognition.joint_bayesian import JointBayesian, fit_joint_bayesian

PATCHES, PATCH = len(SIZES) * len(POINTS), CELLS**2 * BINS
KEPT = 24  # components a patch; 16 separate people a little worse, 32 make a larger file
COMPONENTS = 300  # of all patches together, before joint Bayesian
DIM = 200  # coordinates with the largest ratios of variance between to within people
SAMPLED = 4000  # chips that the components of a patch are computed from, about


class LBPRecogniser(nn.Module):
    """Chips to coordinates (B, 200) that `score` compares.

    Its buffers are two linear maps and the ratios λ of `JointBayesian`.
    """

    name = "high_dimensional_lbp"

    def __init__(self):
        super().__init__()
        self.register_buffer("patch_means", torch.zeros(PATCHES * PATCH))
        self.register_buffer("patch_bases", torch.zeros(PATCHES * KEPT, PATCH))
        self.register_buffer("offset", torch.zeros(DIM))
        self.register_buffer("projection", torch.zeros(DIM, PATCHES * KEPT))
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
        compressed = self._compress(describe(chips, landmarks))
        return compressed @ self.projection.mT - self.offset

    def score(self, a: Tensor, b: Tensor) -> Tensor:
        """Log likelihood ratio of coordinates (A, 200) and (B, 200), each with each: (A, B)."""
        zero = torch.zeros(DIM, device=self.ratio.device)
        return JointBayesian(zero, torch.eye(DIM, device=zero.device), self.ratio).score_all(a, b)

    def _compress(self, described: Tensor) -> Tensor:
        """(B, 5, 27, 944) to (B, 135 * 24)."""
        centred = described.flatten(1, 2) - self.patch_means.view(PATCHES, PATCH)
        bases = self.patch_bases.view(PATCHES, KEPT, PATCH)
        return torch.einsum("bpi,pki->bpk", centred, bases).flatten(1)


def fit_lbp_recogniser(chips: Chips, people: Tensor) -> LBPRecogniser:
    """Fit both compressions and joint Bayesian to people's chips.

    Args:
        chips: N of them; some people have several.
        people: (N,), integers; equal ones are one person.
    """
    found = LBPRecogniser()
    described = torch.empty(len(chips), PATCHES, PATCH, dtype=torch.float16)
    for start in tqdm(range(0, len(chips), 32), desc="patterns", unit="batch", disable=None):
        some = slice(start, start + 32)
        patterns = describe(chips.chips[some].float() / 255, chips.landmarks[some])
        described[some] = patterns.flatten(1, 2).half()
    means = found.patch_means.view(PATCHES, PATCH)
    bases = found.patch_bases.view(PATCHES, KEPT, PATCH)
    every = -(-len(chips) // SAMPLED)
    compressed = []
    for patch in tqdm(range(PATCHES), desc="compressing", unit="patch", disable=None):
        values = described[:, patch].float()
        means[patch] = values.mean(0)
        values -= means[patch]
        bases[patch] = principal_components(values[::every], KEPT)
        compressed.append(values @ bases[patch].mT)
    features = torch.cat(compressed, 1)
    main = principal_components(features, COMPONENTS)
    model = fit_joint_bayesian(features @ main.mT, people, dim=DIM)
    found.projection.copy_(model.projection.mT @ main)
    found.offset.copy_(model.mean @ model.projection)
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
