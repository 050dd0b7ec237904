"""Algorithm 1 of Liu et al. (2018): which network learns from which loss.

    Enc  ← L_feat + λ1 L_id + λ2 L_pixel
    Dec  ← L_feat + λ1 L_id + λ2 L_pixel + λ3 L_sym + η L_GAN-Dec
    Dis  ← L_GAN-Dis

Section 4.6: "The error signal from adversarial loss and symmetry loss will not back-propagate to
Enc", and the discriminator minimises its own loss only. Here one scalar carries all three lines,
so that one optimiser and one backward pass do: the decoder runs twice, once on z and once on z cut
off from its past, and what the decoder is told by the discriminator is computed with a copy of the
discriminator that does not learn.

Two misprints of the algorithm are read as the text has it: L_GAN-Dec is -log Dis(x̃), not of x_i,
and L_feat is eq. 2, without a factor of 1/2. The printed line for Dec stops before λ3 L_sym, which
section 4.7 puts there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from visage.nfgan.adversarial import (
    discriminator_accuracy,
    discriminator_loss,
    generator_loss,
)
from visage.nfgan.identity_network import LightCnn4, load_identity_network
from visage.nfgan.losses import (
    TERMS,
    LossWeights,
    identity_loss,
    perceptual_loss,
    pixel_loss,
)
from visage.nfgan.perceptual import PerceptualNetwork, load_perceptual
from visage.nfgan.symmetry import symmetry_error

_DECODER_ONLY = {"symmetry", "adversarial"}


@dataclass(frozen=True, eq=False)
class Auxiliaries:
    """The two pretrained networks of figure 2, which do not learn here."""

    perceptual: PerceptualNetwork
    identity: LightCnn4


def load_auxiliaries() -> Auxiliaries:
    """Load dlib's convolutions and the shipped Light CNN.

    Raises:
        visage.checkpoints.CheckpointError: the Light CNN is missing: `visage train
            nfgan_light_cnn --ship` makes it.
    """
    return Auxiliaries(load_perceptual(), load_identity_network())


class Players(Protocol):
    """What Algorithm 1 trains: `visage.nfgan.networks.Nfgan`, or a family of such networks.

    Each is called with a batch and, in a family, with the weights (B, 5) it is to be like.
    """

    encoder: nn.Module
    decoder: nn.Module
    discriminator: nn.Module


def terms(
    generated: Tensor,
    inputs: Tensor,
    targets: Tensor,
    judge: Callable[[Tensor], Tensor],
    auxiliaries: Auxiliaries,
    space: str = "pixel",
) -> dict[str, Tensor]:
    """All five losses of generated faces, each (B,), by name in the order of `TERMS`.

    Args:
        generated: (B, 1, 64, 64) in [0, 1].
        inputs: (B, 1, 64, 64), of which they were generated.
        targets: (B, 1, 64, 64), what they should be.
        judge: faces to logits: a discriminator.
        auxiliaries: the networks to compare with.
        space: of the symmetry loss, "pixel" or "laplacian".
    """
    perceptual, identity = auxiliaries.perceptual, auxiliaries.identity
    return {
        "perceptual": perceptual_loss(perceptual(generated), perceptual(targets)),
        "symmetry": symmetry_error(generated, space),
        "adversarial": generator_loss(judge(generated)),
        "identity": identity_loss(identity.layers(generated), identity.layers(inputs)),
        "pixel": pixel_loss(generated, targets),
    }


class Algorithm1(nn.Module):
    """A module whose forward pass is one step of Algorithm 1, for `visage.training`.

    Args:
        players: the networks that learn.
        auxiliaries: makes those that do not, once they are needed.
        weights: of the losses. A loss of weight 0 is not computed.
    """

    def __init__(
        self, players: Players, auxiliaries: Callable[[], Auxiliaries], weights: LossWeights
    ):
        super().__init__()
        self.players, self.weights = players, weights
        self._auxiliaries = auxiliaries  # a function: their weights are no part of this module's

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor,
        guiding: Tensor,
        strengths: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What to minimise, and its terms for the log.

        Args:
            inputs: (B, 1, 64, 64) in [0, 1], faces x.
            targets: (B, 1, 64, 64), the normalized faces y of the same people.
            guiding: (B, 1, 64, 64), normalized faces g of anybody.
            strengths: (B, 5), of a family: the weight of each of `TERMS` for each face, in place
                of the module's; the networks are given them too.

        Returns:
            A scalar, the mean over faces, and each term's mean, unweighted. Its gradient reaches
            the three networks as the module's text has it.
        """
        condition = () if strengths is None else (strengths,)
        weight = self._weight_of(strengths)
        wanted = {name for name, value in weight.items() if torch.is_tensor(value) or value > 0}
        latent = self.players.encoder(inputs, *condition)
        found: dict[str, Tensor] = {}
        if wanted - _DECODER_ONLY:
            faces = self.players.decoder(latent, *condition)
            found |= self._for_both(faces, inputs, targets, wanted)
        if wanted & _DECODER_ONLY:
            faces = self.players.decoder(latent.detach(), *condition)
            found |= self._for_the_decoder(faces, wanted, condition)
        loss = sum((weight[name] * found[name]).mean() for name in TERMS if name in found)
        logged = {name: value.mean() for name, value in found.items()}
        if "adversarial" in wanted:
            error, logged["accuracy"] = self._game(guiding, faces.detach(), condition)
            logged["discriminator"] = error
            loss = loss + error
        return loss, logged

    def _weight_of(self, strengths: Tensor | None) -> dict[str, float | Tensor]:
        if strengths is None:
            return {name: getattr(self.weights, name) for name in TERMS}
        return dict(zip(TERMS, strengths.unbind(1), strict=True))

    def _for_both(
        self, faces: Tensor, inputs: Tensor, targets: Tensor, wanted: set[str]
    ) -> dict[str, Tensor]:
        """What encoder and decoder learn from: comparisons."""
        found, device = {}, faces.device
        if "perceptual" in wanted:
            network = self._auxiliaries().perceptual.to(device)
            with torch.no_grad():
                there = network(targets).float()
            found["perceptual"] = perceptual_loss(network(faces).float(), there)
        if "identity" in wanted:
            network = self._auxiliaries().identity.to(device)
            with torch.no_grad():
                there = [layer.float() for layer in network.layers(inputs)]
            found["identity"] = identity_loss(
                [layer.float() for layer in network.layers(faces)], there
            )
        if "pixel" in wanted:
            found["pixel"] = pixel_loss(faces, targets)
        return found

    def _for_the_decoder(
        self, faces: Tensor, wanted: set[str], condition: tuple[Tensor, ...]
    ) -> dict[str, Tensor]:
        """What the decoder alone learns from; its faces are of codes cut off from their past."""
        found = {}
        if "symmetry" in wanted:
            found["symmetry"] = symmetry_error(faces, self.weights.symmetry_space)
        if "adversarial" in wanted:
            with _judging(self.players.discriminator) as judge:
                found["adversarial"] = generator_loss(judge(faces, *condition))
        return found

    def _game(
        self, real: Tensor, fake: Tensor, condition: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """Eq. 4, which reaches the discriminator alone, and how often it is right."""
        both = tuple(torch.cat([some, some]) for some in condition)
        logits = self.players.discriminator(torch.cat([real, fake]), *both)
        real, fake = logits.chunk(2)
        return discriminator_loss(real, fake).mean(), discriminator_accuracy(real, fake)


def step_loss(
    algorithm: nn.Module, batch: dict[str, Tensor], generator: Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """`Algorithm1` as the loss of a `visage.training.Recipe`."""
    return algorithm(**batch)


@contextmanager
def _judging(discriminator: nn.Module) -> Iterator[Callable[..., Tensor]]:
    """The discriminator as it stands: neither its weights nor its statistics learn from a call.

    It normalises with its running statistics, as it will once it is trained: those of a batch of
    generated faces alone would be other ones than those of the mixed batches that it learns from.
    """
    fixed = {
        name: tensor.detach()
        for name, tensor in (*discriminator.named_parameters(), *discriminator.named_buffers())
    }
    training = discriminator.training
    discriminator.eval()
    try:
        yield lambda faces, *condition: functional_call(discriminator, fixed, (faces, *condition))
    finally:
        discriminator.train(training)
