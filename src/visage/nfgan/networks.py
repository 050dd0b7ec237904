"""Encoder, decoder and discriminator of Liu et al. (2018), tables 1 to 3.

At the default width every layer has the kernel, stride, filters, normalisation and activation of
the tables. Where the tables leave something open, or cannot be meant to the letter:

- **Table 2 has no layer that turns z into maps.** Five strides of 2 reach 64 pixels from 2 × 2, so
  z is read as 64 maps of 2 × 2: the 256 numbers as they are, and no further layer is needed.
- **Table 3 ends in a map, not in a number.** Four strides of 2 leave 4 × 4 places and Conv5 has
  stride 1; with the padding of all other layers its output is 4 × 4 probabilities. Each place is
  judged by itself, and `Discriminator.probability` is their mean.
- **Sigmoid and tanh.** The discriminator returns logits, which its losses are exact on. The
  decoder's tanh is moved from [−1, 1] to [0, 1], and faces are moved the other way before the
  first layer of the other two.
- **Padding** is 1 everywhere, so that sides halve and double exactly.

Kernels of 3 with stride 2 overlap unevenly and draw chequerboards. The decoder's start as bilinear
interpolation, each with a random weight a pair of maps, which is even.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.checkpoints import load_into
from visage.nfgan.errors import NetworkError
from visage.nfgan.frame import check_faces

ENCODER_FILTERS = (32, 64, 128, 256)
"""Table 1, Conv1 to Conv4; all but the first with batch normalisation."""

ENCODER_HIDDEN = 512
"""Table 1, FC1."""

DECODER_FILTERS = (512, 256, 128, 64)
"""Table 2, FConv1 to FConv4, with batch normalisation; FConv5 has one filter and none."""

DISCRIMINATOR_FILTERS = (64, 128, 256, 512)
"""Table 3, Conv1 to Conv4; all but the first with batch normalisation. Conv5 has one filter."""

Films = Sequence[Tensor] | None
"""Of each stage, (B, 2 C): how much more than once its C normalised maps count, and what is added.

Only `visage.nfgan.family` has any."""

_START = 2  # pixels a side of the decoder's first maps: 64 / 2^5
_KERNEL, _STRIDE, _PADDING = 3, 2, 1


@dataclass(frozen=True)
class NfganConfig:
    """The shape of the three networks."""

    width: float = 1.0  # of all layers, as a fraction of the tables' filters
    latent: int = 256  # the length of z; section 3 found it sufficient
    alpha: float = 0.3  # slope of the leaky ReLU below zero (section 3)
    discriminator_width: float | None = None  # where the discriminator's differs; None: as width

    def __post_init__(self) -> None:
        for name in ("width", "discriminator_width"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 4:
                raise NetworkError(f"{name} is above 0 and at most 4, not {value}")
        if self.latent < 4 or self.latent % _START**2:
            raise NetworkError(f"latent is a positive multiple of 4, not {self.latent}")
        if not 0 <= self.alpha < 1:
            raise NetworkError(f"alpha is at least 0 and below 1, not {self.alpha}")

    def widths(self, filters: tuple[int, ...]) -> list[int]:
        """Filters of a table at this width.

        >>> NfganConfig(width=0.5).widths(ENCODER_FILTERS)
        [16, 32, 64, 128]
        """
        return [max(1, round(self.width * count)) for count in filters]

    def judging(self) -> NfganConfig:
        """The same settings, with the discriminator's width as the width."""
        width = self.width if self.discriminator_width is None else self.discriminator_width
        return NfganConfig(width, self.latent, self.alpha)


SHIPPED = NfganConfig(discriminator_width=0.5)
"""Of the checkpoint. Encoder and decoder are the tables'; the discriminator has half of table 3's
filters, which keeps the file below 5 MB and costs a third of the time."""


class Generated(NamedTuple):
    """What comes out for a batch of faces.

    Attributes:
        faces: (B, 1, 64, 64) in [0, 1]: frontal and at rest.
        latent: (B, 256), z.
    """

    faces: Tensor
    latent: Tensor


class Encoder(nn.Module):
    """Table 1: faces (B, 1, 64, 64) in [0, 1] to z (B, latent)."""

    def __init__(self, config: NfganConfig | None = None):
        super().__init__()
        config = config or NfganConfig()
        maps = [1, *config.widths(ENCODER_FILTERS)]
        hidden = config.widths((ENCODER_HIDDEN,))[0]
        self.widths = [*maps[1:], hidden]
        self.stages = nn.ModuleList(
            _convolution(a, b, normalised=number > 0)
            for number, (a, b) in enumerate(pairwise(maps))
        )
        self.fc1 = nn.Linear(maps[-1] * 4 * 4, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, config.latent)
        _initialise(self, slope=0.0)
        nn.init.normal_(self.fc2.weight, std=hidden**-0.5)
        self.to(memory_format=torch.channels_last)

    def forward(self, faces: Tensor, films: Films = None) -> Tensor:
        """Encode; a family of encoders is told how by `Films`.

        Raises:
            NfganError: the faces have another shape.
        """
        x = 2 * check_faces(faces) - 1
        for number, stage in enumerate(self.stages):
            x = F.relu(_modulated(stage(x), films, number))
        hidden = self.norm(self.fc1(x.flatten(1)))
        return self.fc2(F.relu(_modulated(hidden, films, len(self.stages))))


class Decoder(nn.Module):
    """Table 2: z (B, latent) to faces (B, 1, 64, 64) in [0, 1]."""

    def __init__(self, config: NfganConfig | None = None):
        super().__init__()
        self.config = config = config or NfganConfig()
        maps = [config.latent // _START**2, *config.widths(DECODER_FILTERS)]
        self.widths = maps[1:]
        self.stages = nn.ModuleList(_doubling(a, b) for a, b in pairwise(maps))
        self.last = nn.ConvTranspose2d(maps[-1], 1, _KERNEL, _STRIDE, _PADDING, output_padding=1)
        for stage in self.stages:
            _begin_bilinear(stage[0], gain=2**0.5)
        _begin_bilinear(self.last, gain=0.3)  # tanh is not to be saturated from the start
        self.to(memory_format=torch.channels_last)

    def forward(self, latent: Tensor, films: Films = None) -> Tensor:
        """Decode; `Films` as for the encoder.

        Raises:
            NetworkError: the codes have another length.
        """
        if latent.ndim != 2 or latent.shape[1] != self.config.latent:
            raise NetworkError(
                f"codes are {tuple(latent.shape)}; expected (B, {self.config.latent})"
            )
        x = latent.unflatten(1, (-1, _START, _START)).contiguous(memory_format=torch.channels_last)
        for number, stage in enumerate(self.stages):
            x = F.relu(_modulated(stage(x), films, number))
        return 0.5 + 0.5 * torch.tanh(self.last(x).float())


class Discriminator(nn.Module):
    """Table 3: faces (B, 1, 64, 64) in [0, 1] to logits (B, 1, 4, 4), above 0 where they look real.

    Its normalisation, in training, is over all faces that it is given at once: give real and
    generated ones together, or it will tell them by their statistics.
    """

    def __init__(self, config: NfganConfig | None = None):
        super().__init__()
        self.config = config = config or NfganConfig()
        maps = [1, *config.judging().widths(DISCRIMINATOR_FILTERS)]
        self.widths = maps[1:]
        self.stages = nn.ModuleList(
            _convolution(a, b, normalised=number > 0)
            for number, (a, b) in enumerate(pairwise(maps))
        )
        self.last = nn.Conv2d(maps[-1], 1, _KERNEL, 1, _PADDING)
        _initialise(self, slope=config.alpha)
        self.to(memory_format=torch.channels_last)

    def forward(self, faces: Tensor, films: Films = None) -> Tensor:
        """Logits, a map of places; `Films` as for the encoder.

        Raises:
            NfganError: the faces have another shape.
        """
        x = 2 * check_faces(faces) - 1
        for number, stage in enumerate(self.stages):
            x = F.leaky_relu(_modulated(stage(x), films, number), self.config.alpha)
        return self.last(x).float()

    def probability(self, faces: Tensor) -> Tensor:
        """Dis(x) (B,), the chance that a face is of the guiding set: the mean over places."""
        return torch.sigmoid(self(faces)).mean((1, 2, 3))


class Nfgan(nn.Module):
    """The three networks: faces (B, 1, 64, 64) to normalized ones.

    Args:
        config: their shape; the tables' if None.
    """

    def __init__(self, config: NfganConfig | None = None):
        super().__init__()
        self.config = config = config or NfganConfig()
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.discriminator = Discriminator(config)

    def forward(self, faces: Tensor) -> Generated:
        """Generate the frontal face at rest of each face; see `Generated`."""
        latent = self.encoder(faces)
        return Generated(self.decoder(latent), latent)


def load_nfgan(name: str = "nfgan") -> Nfgan:
    """A shipped generator with its discriminator, in evaluation mode.

    Raises:
        visage.checkpoints.CheckpointError: it is missing or damaged.
    """
    network = Nfgan(SHIPPED)
    load_into(network, name)
    return network.eval().requires_grad_(False)


@torch.no_grad()
def normalized(network: nn.Module, faces: Tensor, together: int = 64) -> Tensor:
    """Generate many faces (N, 1, 64, 64), in [0, 1] or uint8, some at a time; (N, 1, 64, 64)."""
    found = [
        network(some.float() / 255 if some.dtype == torch.uint8 else some).faces
        for some in faces.split(together)
    ]
    return torch.cat(found) if found else faces.float()


def _modulated(maps: Tensor, films: Films, number: int) -> Tensor:
    if films is None:
        return maps
    scale, offset = films[number].unflatten(1, (2, -1)).unbind(1)
    shape = (*scale.shape, *[1] * (maps.ndim - 2))
    return maps * (1 + scale.view(shape)) + offset.view(shape)


def _convolution(inputs: int, outputs: int, *, normalised: bool) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, _KERNEL, _STRIDE, _PADDING, bias=not normalised)
    return nn.Sequential(convolution, *[nn.BatchNorm2d(outputs)] * normalised)


def _doubling(inputs: int, outputs: int) -> nn.Sequential:
    fractional = nn.ConvTranspose2d(
        inputs, outputs, _KERNEL, _STRIDE, _PADDING, output_padding=1, bias=False
    )
    return nn.Sequential(fractional, nn.BatchNorm2d(outputs))


def _initialise(module: nn.Module, slope: float) -> None:
    """Weights that keep the spread of what passes (He et al. 2015); the paper states none."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, slope)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _begin_bilinear(layer: nn.ConvTranspose2d, gain: float) -> None:
    """A random weight a pair of maps, times the kernel that doubles bilinearly."""
    tent = torch.tensor([0.5, 1.0, 0.5])
    weights = torch.randn(layer.in_channels, layer.out_channels, 1, 1)
    with torch.no_grad():
        layer.weight.copy_(gain * layer.in_channels**-0.5 * weights * torch.outer(tent, tent))
        if layer.bias is not None:
            layer.bias.zero_()
