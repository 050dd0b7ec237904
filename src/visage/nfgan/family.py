"""A family of generators in one network: it is told the five weights, and behaves accordingly.

Dosovitskiy and Djolonga, "You Only Train Once: Loss-Conditional Training of Deep Networks" (ICLR
2020): train with weights drawn at random, show the network the weights, and afterwards choose them.
The weights enter as a scale and an offset of each normalised map (FiLM, Perez et al. 2018), in the
encoder, the decoder and the discriminator; a weight may also be 0, a loss that was never there.

Only ratios of weights say which face is best, so all five are first scaled together (`balanced`);
else a face with large weights would teach a hundred times as much as one with small ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from visage.checkpoints import load_into
from visage.nfgan.errors import LossError
from visage.nfgan.losses import TERMS, LossWeights
from visage.nfgan.networks import Decoder, Discriminator, Encoder, NfganConfig

SHAPE = NfganConfig(width=0.5)
"""Of the shipped family: small enough for a page."""

_HIDDEN = 48  # of the perceptron that reads the weights


@dataclass(frozen=True)
class WeightRange:
    """From where to where each weight is drawn, evenly in its logarithm."""

    middle: LossWeights  # that of the single generator
    factor: float = 10.0  # how far each way
    off: float = 0.3  # how often a loss is left out; never all of them

    def __post_init__(self) -> None:
        if not self.factor > 1 or not 0 <= self.off < 1:
            raise LossError(
                f"a factor above 1 and a share below 1 are needed, not {self.factor}, {self.off}"
            )
        if min(self.centre()) <= 0:
            raise LossError("a range of weights needs a middle above 0 for each of the five")

    def centre(self) -> tuple[float, ...]:
        """The middles in the order of `TERMS`."""
        return tuple(getattr(self.middle, name) for name in TERMS)

    def draw(self, random: np.random.Generator) -> Tensor:
        """Five weights (5,), at least one above 0."""
        powers = random.uniform(-1, 1, len(TERMS))
        kept = random.random(len(TERMS)) >= self.off
        kept[random.integers(len(TERMS))] = True
        centre = torch.tensor(self.centre())
        drawn = torch.tensor(kept * self.factor**powers, dtype=torch.float32) * centre
        return balanced(drawn[None], centre)[0]


def balanced(weights: Tensor, centre: Tensor) -> Tensor:
    """Scale each face's weights so that those that are on are, on average, their middles.

    Args:
        weights: (B, 5), 0 or more.
        centre: (5,), the middle of each weight's range.

    Returns:
        (B, 5), in the same ratios; zeros stay zeros.

    >>> balanced(torch.tensor([[3.0, 0.0], [2.0, 60.0]]), torch.tensor([1.0, 10.0]))
    tensor([[ 1.0000,  0.0000],
            [ 0.5000, 15.0000]])
    """
    relative = weights / centre
    count = (weights > 0).sum(1, keepdim=True)
    return weights * count / relative.sum(1, keepdim=True).clamp(min=1e-12)


class Conditional(nn.Module):
    """One of the three networks, every normalised map scaled and moved by what the weights say.

    Args:
        network: that takes offsets and scales of its stages as a second argument.
        widths: maps of each of those stages.
        within: where the weights come from.
    """

    def __init__(self, network: nn.Module, widths: Sequence[int], within: WeightRange):
        super().__init__()
        self.network, self.widths = network, [2 * width for width in widths]
        self.register_buffer("centre", torch.tensor(within.centre()))
        self.register_buffer("factor", torch.tensor(float(within.factor)))
        self.read = nn.Sequential(
            nn.Linear(2 * len(TERMS), _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, sum(self.widths))
        )
        nn.init.normal_(self.read[-1].weight, std=0.1 * _HIDDEN**-0.5)
        nn.init.zeros_(self.read[-1].bias)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """The network's answer to a batch x under the weights (B, 5)."""
        return self.network(x, self.read(self.code(weights)).split(self.widths, 1))

    def code(self, weights: Tensor) -> Tensor:
        """Weights (B, 5), balanced: their logarithms, by that of the factor, and which are on."""
        on = (weights > 0).float()
        weights = balanced(weights, self.centre)
        relative = torch.where(weights > 0, weights, self.centre) / self.centre
        return torch.cat([relative.log() / self.factor.log(), on], 1)


class LossFamily(nn.Module):
    """Faces (B, 1, 64, 64) and weights (B, 5) to normalized faces.

    Args:
        within: where the weights come from; those of the checkpoint replace it.
        config: shape of the networks.
    """

    def __init__(self, within: WeightRange | None = None, config: NfganConfig = SHAPE):
        super().__init__()
        within = within or WeightRange(LossWeights())
        encoder, decoder = Encoder(config), Decoder(config)
        self.encoder = Conditional(encoder, encoder.widths, within)
        self.decoder = Conditional(decoder, decoder.widths, within)

    def forward(self, faces: Tensor, weights: Tensor) -> Tensor:
        """Generate.

        Args:
            faces: (B, 1, 64, 64) in [0, 1].
            weights: (B, 5), of `visage.nfgan.losses.TERMS` in their order; 0 is a loss left out.

        Returns:
            (B, 1, 64, 64) in [0, 1].

        Raises:
            LossError: the weights have another shape or are below 0.
        """
        if weights.shape != (len(faces), len(TERMS)) or (weights < 0).any():
            raise LossError(
                f"weights are {tuple(weights.shape)}; expected ({len(faces)}, {len(TERMS)}), "
                "none below 0"
            )
        return self.decoder(self.encoder(faces, weights), weights)

    def ranges(self) -> dict[str, tuple[float, float, float]]:
        """Of each of the five losses: smallest, middle and largest weight that it was drawn from.

        Multiplying all five by the same number changes nothing.
        """
        centre, factor = self.encoder.centre.tolist(), float(self.encoder.factor)
        return {
            name: (middle / factor, middle, middle * factor)
            for name, middle in zip(TERMS, centre, strict=True)
        }


class FamilyPlayers(nn.Module):
    """A family while it is trained: `LossFamily` and a discriminator for each of its members."""

    def __init__(self, within: WeightRange, config: NfganConfig = SHAPE):
        super().__init__()
        self.family = LossFamily(within, config)
        judge = Discriminator(config)
        self.discriminator = Conditional(judge, judge.widths, within)

    @property
    def encoder(self) -> nn.Module:
        """Of the family."""
        return self.family.encoder

    @property
    def decoder(self) -> nn.Module:
        """Of the family."""
        return self.family.decoder


def load_family() -> LossFamily:
    """The shipped family, in evaluation mode.

    Raises:
        visage.checkpoints.CheckpointError: it is missing or damaged.
    """
    family = LossFamily()
    load_into(family, "nfgan_family")
    return family.eval().requires_grad_(False)
