"""The face to expect of an embedding: a guide for every target (beyond the paper).

Section 3 of Zhmoginov and Sandler (2016) asks for a guide of the target's own sex and origin: from
a classifier, or by trial. A network that was shown pictures beside their embeddings goes further.
It answers with what pictures of such an embedding have in common: skin, hair, beard, glasses, the
width of the face; blurred where they differ. The iteration then has less to invent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor, nn

from visage.checkpoints import load_into
from visage.inversion.colour import ColourStatistics, colour_statistics
from visage.inversion.guides import mean_guide
from visage.inversion.laplacian_pyramid import pyramid_distance
from visage.inversion.networks import FaceNetwork, NetworkConfig
from visage.inversion.objective import References
from visage.inversion.pixels import FourierPixels, logit
from visage.inversion.spectrum import mean_band_energy
from visage.recognition.examples import Examples

NETWORK = NetworkConfig(filters=50, base=5)
_BANDS = 4


class PictureStream:
    """Embeddings with their pictures, for `visage.training`.

    Args:
        seed: item i depends on (seed, i) only.
        examples: people to learn from.
    """

    def __init__(self, seed: int, examples: Examples):
        self.seed, self.examples = seed, examples

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Embeddings (B, dim) and chips (B, 3, S, S), uint8, every other one mirrored.

        An embedding here is the mean of both sides, so that it belongs to both.
        """
        drawn = [np.random.default_rng([self.seed, i]) for i in indices]
        rows = torch.tensor([int(random.integers(len(self.examples.names))) for random in drawn])
        flips = torch.tensor([bool(random.integers(2)) for random in drawn])
        chips = self.examples.chips[rows]
        chips = torch.where(flips[:, None, None, None], chips.flip(-1), chips)
        return self.examples.embeddings[rows], chips


def expected_face_loss(
    network: nn.Module, batch: tuple[Tensor, Tensor], generator: Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """`pyramid_distance` of a network's pictures from those that the embeddings are of."""
    embeddings, chips = batch
    loss = pyramid_distance(network(embeddings).float(), chips.float() / 255).mean()
    return loss, {"pyramid": loss.detach()}


class ExpectedFace(FaceNetwork):
    """The network of section 4.1, with what else is known of pictures: all that guides a descent.

    Its buffers hold what `References` needs: the mean face, energies of bands, and colours.
    """

    def __init__(self, config: NetworkConfig = NETWORK):
        super().__init__(config)
        self.register_buffer("mean_face", torch.zeros(1, 3, config.size, config.size))
        # Flat: what has one dimension is stored in full precision, and bands span magnitudes.
        self.register_buffer("bands", torch.ones(3 * _BANDS))
        for name in ("colour", "logit"):
            self.register_buffer(f"{name}_mean", torch.zeros(3))
            self.register_buffer(f"{name}_covariance", torch.eye(3).flatten())

    @torch.no_grad()
    def remember(self, examples: Examples) -> None:
        """Measure examples: embeddings, mean face, bands and colours."""
        self.input.standardise(examples.embeddings)
        self.mean_face.copy_(mean_guide(examples.pictures()))
        self.bands.copy_(mean_band_energy(examples.pictures(), _BANDS, by_colour=True).flatten())
        for name, encode in (("colour", None), ("logit", logit)):
            pictures = examples.pictures()
            found = colour_statistics(pictures, encode) if encode else colour_statistics(pictures)
            getattr(self, f"{name}_mean").copy_(found.mean)
            getattr(self, f"{name}_covariance").copy_(found.covariance.flatten())

    def references(self, targets: Tensor | None = None) -> References:
        """What a reconstruction is compared with.

        Args:
            targets: (B, dim), for a guide of its own each; None is the mean face for all.
        """
        guide = self.mean_face if targets is None else self(targets).float()
        colours = ColourStatistics(self.colour_mean, self.colour_covariance.view(3, 3))
        return References(guide=guide, bands=self.bands.view(_BANDS, 3), colours=colours)

    def pixels(self) -> FourierPixels:
        """The parametrisation with the colours of photographs."""
        return FourierPixels(ColourStatistics(self.logit_mean, self.logit_covariance.view(3, 3)))


def build_expected_face(examples: Examples) -> ExpectedFace:
    """An untrained network that has measured some examples."""
    network = ExpectedFace()
    network.remember(examples)
    return network


@lru_cache(maxsize=1)
def load_expected_face() -> ExpectedFace:
    """The shipped network, on the CPU: embeddings of dlib's recogniser (B, 128) to guides.

    Raises:
        CheckpointError: the weights are missing or damaged.
    """
    network = ExpectedFace()
    load_into(network, "expected_face")
    return network.eval().requires_grad_(False)
