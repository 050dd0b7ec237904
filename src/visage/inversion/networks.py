"""The feed-forward networks of section 4: faces from embeddings in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.inversion.errors import InversionError, check_embeddings, check_pictures
from visage.inversion.pixels import logit

KERNEL = 5  # section 4.1
_CONTRAST = 2.0
"""Of the last deconvolution against Xavier's: an untrained picture stays within 0.2 of grey."""
_HINT = 0.25
"""Of the last convolution's weights beside the guide's, likewise."""


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network."""

    dim: int = 128  # of an embedding
    size: int = 150  # of the picture, cropped from the middle; the paper's FaceNet sees 224
    filters: int = 16  # L, the same in all layers; the paper tries several (table 1, fig. 9)
    guide_filters: int = 16  # L̄, of the guide's branch (4.2); the paper gives none
    base: int = 8  # pixels a side after the fully connected layer; 5 spares a third of a 150 crop
    doublings: int = 5  # 8 · 2⁵ = 256

    def __post_init__(self) -> None:
        for name in ("dim", "size", "filters", "guide_filters", "base", "doublings"):
            if getattr(self, name) < 1:
                raise InversionError(f"{name} is at least 1, not {getattr(self, name)}.")
        if self.canvas < self.size:
            raise InversionError(
                f"{self.base} pixels doubled {self.doublings} times are {self.canvas}, fewer than "
                f"the picture's {self.size}; give a larger base or more doublings."
            )

    @property
    def canvas(self) -> int:
        """Pixels a side of what is cropped."""
        return self.base * 2**self.doublings


class EmbeddingInput(nn.Module):
    """The embedding, standardised, through a fully connected layer and a ReLU: (B, L, 8, 8).

    The text feeds embeddings as they are. Those of some encoders differ little beside what they
    have in common; `standardise` takes that out. Without it the layer changes nothing.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        self.register_buffer("centre", torch.zeros(config.dim))
        self.register_buffer("spread", torch.ones(()))
        self.fc = nn.Linear(config.dim, config.base**2 * config.filters)
        nn.init.xavier_normal_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def standardise(self, embeddings: Tensor) -> None:
        """Remember the mean of embeddings (N, dim) and one spread for all their components."""
        check_embeddings(embeddings, self.config.dim)
        centre = embeddings.mean(0)
        self.centre.copy_(centre)
        # One number, so that directions keep their meaning.
        self.spread.copy_((embeddings - centre).square().mean().sqrt().clamp(min=1e-6))

    def forward(self, embeddings: Tensor) -> Tensor:
        """(B, dim) to (B, L, base, base)."""
        base = self.config.base
        hidden = F.relu(self.fc((embeddings - self.centre) / self.spread))
        return hidden.view(-1, self.config.filters, base, base)


class FaceNetwork(nn.Module):
    """Section 4.1: an embedding to a picture.

    Fully connected to 8 × 8 × L, ReLU; 5 × 5 deconvolutions of stride 2 with L filters and a ReLU
    each, the last with 3, to 256 × 256; cropped in the middle to the recogniser's input.

    Left open by the text, and chosen here: a bias everywhere; no ReLU after the last deconvolution
    but a sigmoid, which keeps pixels in [0, 1]; no normalisation layer; what is cropped.
    """

    def __init__(self, config: NetworkConfig | None = None):
        super().__init__()
        self.config = config or NetworkConfig()
        self.input = EmbeddingInput(self.config)
        widths = [self.config.filters] * self.config.doublings + [3]
        self.deconvolutions = nn.ModuleList(_deconvolution(a, b) for a, b in pairwise(widths))
        interpolate_smoothly(self.deconvolutions[-1], grey=True)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(B, dim) to (B, 3, size, size) in [0, 1]."""
        x = self.input(embeddings)
        for deconvolution in self.deconvolutions[:-1]:
            x = F.relu(deconvolution(x))
        return torch.sigmoid(_cropped(self.deconvolutions[-1](x), self.config.size))


class GuidedFaceNetwork(nn.Module):
    """Section 4.2: an embedding and a guiding image to a picture.

    The guide, padded to 256 × 256, goes through convolutions of stride 2 down to 8 × 8. At every
    size from 8 to 128 its L̄ channels are joined to the L of the embedding's branch before the
    next deconvolution; at 256 the guide itself is, and a convolution makes the picture of L + 3.

    Left open by the text, and chosen here: kernels of 5 × 5 in all convolutions and a ReLU after
    each but the last; the same L̄ everywhere; padding by the guide's own edge; and pixels as logits
    at both ends, so that the picture is in [0, 1] and the untrained network returns the guide,
    almost: the start that is best for the iteration too (figs. 1e and 1f).
    """

    def __init__(self, config: NetworkConfig | None = None):
        super().__init__()
        self.config = config or NetworkConfig()
        filters, of_guide = self.config.filters, self.config.guide_filters
        steps = range(self.config.doublings)
        self.input = EmbeddingInput(self.config)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(of_guide if n else 3, of_guide, KERNEL, stride=2, padding=2) for n in steps
        )
        for convolution in self.convolutions:
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)
        self.deconvolutions = nn.ModuleList(
            _deconvolution(filters + of_guide, filters) for _ in steps
        )
        self.output = nn.Conv2d(filters + 3, 3, KERNEL, padding=2)
        self._show_the_guide()

    @torch.no_grad()
    def _show_the_guide(self) -> None:
        """Weights of the last convolution: the guide's three channels, and a little of the rest."""
        middle = KERNEL // 2
        nn.init.xavier_normal_(self.output.weight, gain=_HINT)
        self.output.weight[:, -3:] = 0
        self.output.weight[range(3), range(-3, 0), middle, middle] = 1
        nn.init.zeros_(self.output.bias)

    def forward(self, embeddings: Tensor, guides: Tensor) -> Tensor:
        """(B, dim) and (1 or B, 3, size, size) in [0, 1] to (B, 3, size, size) in [0, 1].

        Raises:
            InversionError: the guides have another size.
        """
        check_pictures(guides, self.config.size, len(embeddings), "guide")
        joined = [_padded(logit(guides), self.config.canvas)]
        for convolution in self.convolutions:
            joined.append(F.relu(convolution(joined[-1])))
        x = self.input(embeddings)
        for deconvolution in self.deconvolutions:
            x = F.relu(deconvolution(_with(x, joined.pop())))
        return torch.sigmoid(_cropped(self.output(_with(x, joined.pop())), self.config.size))


@torch.no_grad()
def interpolate_smoothly(deconvolution: nn.ConvTranspose2d, *, grey: bool = False) -> None:
    """The initialisation of section 5.2.

    "Deconvolution weights were chosen to produce smooth spatial interpolation with random Xavier
    filter-to-filter connections and the final deconvolution was tuned to produce grayscale output."
    Every 5 × 5 kernel is (1, 4, 6, 4, 1)/8 both ways, which interpolates cubic B-splines and keeps
    constants, times a random number from Xavier's normal distribution over filters.

    Args:
        deconvolution: 5 × 5, stride 2; changed.
        grey: the same weights for all output channels.
    """
    inputs, outputs, *_ = deconvolution.weight.shape
    taps = deconvolution.weight.new_tensor([1, 4, 6, 4, 1]) / 8
    between = torch.randn(inputs, 1 if grey else outputs) * math.sqrt(2 / (inputs + outputs))
    between = (_CONTRAST if grey else 1) * between.to(taps).expand(inputs, outputs)
    deconvolution.weight.copy_(between[:, :, None, None] * taps[:, None] * taps)
    deconvolution.bias.zero_()


def parameter_count(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def _deconvolution(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """5 × 5, from n to 2n pixels a side."""
    layer = nn.ConvTranspose2d(inputs, outputs, KERNEL, stride=2, padding=2, output_padding=1)
    interpolate_smoothly(layer)
    return layer


def _with(x: Tensor, of_guide: Tensor) -> Tensor:
    """Joined in depth; one guide may serve all."""
    return torch.cat([x, of_guide.expand(len(x), -1, -1, -1)], 1)


def _cropped(x: Tensor, size: int) -> Tensor:
    before = (x.shape[-1] - size) // 2
    return x[..., before : before + size, before : before + size]


def _padded(x: Tensor, canvas: int) -> Tensor:
    """The inverse of `_cropped`, with the edge repeated."""
    missing = canvas - x.shape[-1]
    before, after = missing // 2, missing - missing // 2
    return F.pad(x, (before, after, before, after), mode="replicate")
