"""What the experiments of this part have in common: people, and a descent on many of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.inversion.embedding_distance import normalised_dot
from visage.inversion.expected_face import ExpectedFace, load_expected_face
from visage.inversion.objective import References
from visage.inversion.pixels import Pixels
from visage.inversion.reconstruct import Reconstruction, reconstruct
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.ledger import Row
from visage.measured import mean_row
from visage.photos.landmarks import detect_faces
from visage.recognition.encoder import Encoder, load_encoder

_TOGETHER = 16


@dataclass(frozen=True, eq=False)
class Study:
    """An encoder, and what is known of pictures beforehand."""

    encoder: Encoder
    known: ExpectedFace

    @staticmethod
    @lru_cache(maxsize=1)
    def standard() -> Study:
        """Dlib's recogniser and the shipped guides."""
        return Study(load_encoder(), load_expected_face())

    def centre(self) -> Tensor:
        """The mean embedding (dim,) of the training people."""
        return self.known.input.centre

    def descend(
        self,
        targets: Tensor,
        config: ReconstructionConfig,
        references: References | None = None,
        *,
        pixels: Pixels | None = None,
        seed: int = 0,
        name: str = "descending",
    ) -> Reconstruction:
        """Reconstruct targets (B, dim), some at a time, by the mean face if no guide is given.

        A guide of its own for each target goes with it.
        """
        references, found = references or self.known.references(), []
        config = replace(config, seed=seed)
        rows = torch.arange(len(targets)).split(_TOGETHER)
        for some in tqdm(rows, desc=name, unit="batch", disable=None, leave=False):
            own = references
            if references.guide is not None and len(references.guide) > 1:
                own = replace(references, guide=references.guide[some])
            found.append(reconstruct(self.encoder, targets[some], config, own, pixels=pixels))
        return Reconstruction(
            torch.cat([one.images for one in found]),
            {term: torch.cat([one.losses[term] for one in found], 1) for term in found[0].losses},
            torch.cat([one.best_step for one in found]),
            torch.cat([one.diverged for one in found]),
        )

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """Embeddings (B, dim) of images where they are, one side only, as a camera would."""
        return torch.cat([self.encoder.embed(some) for some in images.split(32)])

    def closeness(self, images: Tensor, targets: Tensor, suffix: str = "") -> tuple[Row, ...]:
        """Rows on how near images (B, 3, S, S) come to their targets (B, dim)."""
        reached = self.embed(images)
        apart = self.encoder.distance(reached, targets)
        cosine = normalised_dot(reached, targets)
        centred = normalised_dot(reached, targets, self.centre())
        within = (apart < self.encoder.threshold).float()
        return (
            mean_row(f"distance{suffix}", apart, "", "lower"),
            mean_row(f"within_threshold{suffix}", within, "fraction", "higher"),
            mean_row(f"normalized_dot{suffix}", cosine, "", "higher"),
            mean_row(f"normalized_dot_centred{suffix}", centred, "", "higher"),
        )


def faces_found(images: Tensor) -> Tensor:
    """Whether dlib's detector sees a face (B,) in chips, as it would be run on a photograph."""
    return torch.tensor([bool(detect_faces(_framed(image[None]))) for image in images])


def _framed(image: Tensor) -> Tensor:
    """A chip with grey round it: the detector wants to see some of what is around a face."""
    return torch.nn.functional.pad(image, (40, 40, 40, 40), mode="replicate")
