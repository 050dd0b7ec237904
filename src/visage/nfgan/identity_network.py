"""The Light CNN that the identity-preserving loss looks through.

Liu et al. (2018), section 4.4: "a compact network that has only 4 convolution layers with
Max-Feature-Map operations and 4 max-pooling layers", after Wu et al. (2015), model A. Theirs knows
tens of thousands of people; ours has learned to tell apart the synthetic people whom the generator
trains on, from the same pictures, and nobody else. Eq. 6 compares its last two layers: the maps
after the fourth pooling and the embedding.

Differences from Wu et al.: narrower, kernels of 3 after the first layer, batch normalisation, and a
large-margin softmax while it learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from visage.checkpoints import load_into
from visage.nfgan.frame import SIZE, check_faces
from visage.nfgan.pairs import Pairs
from visage.recognition.light_cnn import max_feature_map, standardised
from visage.recognition.margin_softmax import margin_softmax

WIDTHS = (24, 48, 80, 112)
"""Maps of each stage, after half of twice as many have lost against the others."""

EMBEDDING = 112

SCALE, MARGIN = 24.0, 0.25
"""Of the softmax; as for `visage.recognition.light_cnn`."""

_SHIFT = 3  # pixels: faces are never cut exactly alike


class LightCnn4(nn.Module):
    """Faces (B, 1, 64, 64) in [0, 1] to embeddings (B, 112), of any length.

    Exposure and contrast are taken off each face first, so that light of another strength is not
    another person.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, 2 * outputs, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(2 * outputs),
            )
            for (inputs, outputs), kernel in zip(pairwise((1, *WIDTHS)), (5, 3, 3, 3), strict=True)
        )
        self.fc = nn.Linear(WIDTHS[-1] * (SIZE // 16) ** 2, 2 * EMBEDDING, bias=False)
        self.norm = nn.BatchNorm1d(2 * EMBEDDING)
        self.to(memory_format=torch.channels_last)

    def forward(self, faces: Tensor) -> Tensor:
        """The embedding alone."""
        return self.layers(faces)[1]

    def layers(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """The last two layers: maps (B, 112, 4, 4) and embedding (B, 112).

        Raises:
            NfganError: the faces have another shape.
        """
        x = standardised(check_faces(faces))
        for stage in self.stages:
            x = F.max_pool2d(max_feature_map(stage(x)), 2)
        return x, max_feature_map(self.norm(self.fc(x.flatten(1))))


def load_identity_network() -> LightCnn4:
    """The shipped network, in evaluation mode, with weights that do not learn.

    Raises:
        visage.checkpoints.CheckpointError: it is missing or damaged.
    """
    network = LightCnn4()
    load_into(network, "nfgan_light_cnn")
    return network.eval().requires_grad_(False)


class IdentityTask(nn.Module):
    """The network with a prototype of each training person, which only its own loss needs.

    Args:
        people: how many.
    """

    def __init__(self, people: int):
        super().__init__()
        self.network = LightCnn4()
        self.prototypes = nn.Parameter(0.1 * torch.randn(people, EMBEDDING))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, 112) of faces (B, 1, 64, 64), and the prototypes (P, 112)."""
        return self.network(faces), self.prototypes


class IdentityStream:
    """Faces and whose they are, for `visage.training`: inputs and, one in nine, targets.

    Args:
        seed: item i depends on (seed, i) only.
        pairs: of the training people.
    """

    def __init__(self, seed: int, pairs: Pairs):
        self.seed, self.pairs = seed, pairs

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Draw faces (B, 1, 64, 64) in [0, 1], shifted and mirrored, and their people (B,)."""
        faces, people = zip(*(self._draw(i) for i in indices), strict=True)
        return {"faces": torch.stack(faces).float() / 255, "people": torch.tensor(people)}

    def _draw(self, index: int) -> tuple[Tensor, int]:
        random = np.random.default_rng([self.seed, index])
        row = int(random.integers(len(self.pairs.inputs) + len(self.pairs.targets)))
        if row < len(self.pairs.inputs):
            face, person = self.pairs.inputs[row], int(self.pairs.person[row])
        else:
            person = row - len(self.pairs.inputs)
            face = self.pairs.targets[person]
        face = face.flip(-1) if random.random() < 0.5 else face
        dx, dy = (int(d) for d in random.integers(0, 2 * _SHIFT + 1, 2))
        padded = F.pad(face[None].float(), (_SHIFT,) * 4, mode="replicate")[0]
        return padded[:, dy : dy + SIZE, dx : dx + SIZE], person


def recognition_loss(
    task: nn.Module, batch: dict[str, Tensor], generator: Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Large-margin cosine loss among all training people; how many are recognised is logged."""
    embeddings, prototypes = task(batch["faces"])
    with torch.autocast(embeddings.device.type, enabled=False):
        embeddings = embeddings.float()
        loss = margin_softmax(embeddings, prototypes, batch["people"], SCALE, MARGIN)
        nearest = (embeddings @ F.normalize(prototypes).mT).argmax(1)
    return loss, {"recognised": (nearest == batch["people"]).float().mean()}


@torch.no_grad()
def told_apart(network: LightCnn4, pairs: Pairs) -> float:
    """The chance that a face resembles its own person's target more than a random other's (AUC).

    Args:
        network: in evaluation mode.
        pairs: of people whom it has not seen.

    Returns:
        0.5 for a guess, 1 for certainty.
    """
    targets = F.normalize(network(pairs.targets.float() / 255))
    inputs = torch.cat(
        [
            F.normalize(network(torch.where(flip, some.flip(-1), some).float() / 255))
            for some, flip in zip(
                pairs.inputs.split(64), pairs.flipped[:, None, None, None].split(64), strict=True
            )
        ]
    )
    similar = inputs @ targets.mT
    own = similar.gather(1, pairs.person[:, None])
    beaten = (own > similar).float() + 0.5 * (own == similar).float()
    others = torch.ones_like(similar).scatter(1, pairs.person[:, None], 0.0)
    return float((beaten * others).sum() / others.sum())
