"""The decoder of Cole et al. (2017), section 3.2: features to landmarks and texture, then a warp.

Landmarks L come from a shallow perceptron, the texture T, whose landmarks always lie at the mean
ones L̄, from transposed convolutions; the warp moves T's landmarks from L̄ to L. The paper works at
224 pixels and begins with 14 × 14 maps; here the first maps are a sixteenth of the picture, so that
the same network serves 112 pixels from 7 × 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.checkpoints import load_into
from visage.inversion.networks import interpolate_smoothly
from visage.normalization.errors import NormalizationError
from visage.normalization.warp import warp

LANDMARKS = 68
"""dlib's, where the paper has 65."""
_DOUBLINGS = 4
_KERNEL = 5


class DecoderError(NormalizationError):
    """Settings that describe no decoder, or features that are none of its recogniser's."""


@dataclass(frozen=True)
class DecoderConfig:
    """The shape of a decoder."""

    features: int = 256  # of the recogniser: dlib's; 1024 and 4096 in the paper
    code: int = 128  # f; the paper names none, and dlib's identity has no more than 128 numbers
    size: int = 112  # pixels a side; 224 in the paper
    channels: int = 256  # of the first maps
    least_channels: int = 32  # of any: max(256 / 2^i, 32) after the ith doubling
    hidden: int = 256  # of the landmarks' perceptron, which the paper calls shallow
    texture: Literal["cnn", "fully_connected"] = "cnn"  # fig. 9 compares both

    def __post_init__(self) -> None:
        for name in ("features", "code", "size", "channels", "least_channels", "hidden"):
            if getattr(self, name) < 1:
                raise DecoderError(f"{name} is at least 1, not {getattr(self, name)}.")
        if self.size % 2**_DOUBLINGS:
            raise DecoderError(f"size is a multiple of {2**_DOUBLINGS} pixels, not {self.size}.")

    @property
    def base(self) -> int:
        """Pixels a side of the first maps."""
        return self.size // 2**_DOUBLINGS

    def widths(self) -> list[int]:
        """Channels of the first maps and after each doubling.

        >>> DecoderConfig().widths()
        [256, 128, 64, 32, 32]
        """
        return [self.channels] + [
            max(self.channels // 2**i, self.least_channels) for i in range(1, _DOUBLINGS + 1)
        ]


@dataclass(frozen=True, eq=False)
class Normal:
    """What all normal faces have in common: a decoder says only how one differs.

    Attributes:
        landmarks: (68, 2), pixels; where every texture's landmarks lie.
        texture: (3, S, S) in [0, 1].
        features: (N, F), of the faces that will be trained on.
        steady: (F, F), see `Code.steady`; None leaves features as they are.
    """

    landmarks: Tensor
    texture: Tensor
    features: Tensor
    steady: Tensor | None = None


class Decoded(NamedTuple):
    """Normalized faces.

    Attributes:
        image: (B, 3, S, S) in [0, 1]: the textures, warped to the landmarks.
        texture: (B, 3, S, S) in [0, 1], with all landmarks at the mean ones.
        landmarks: (B, 68, 2), pixels of the image.
    """

    image: Tensor
    texture: Tensor
    landmarks: Tensor


class Code(nn.Module):
    """Section 3.1's trained layer: features, standardised, fully connected to f, ReLU.

    Before it, features are `expected` ones: what differs from photograph to photograph of one
    person is shrunk. The paper relies on FaceNet for that.
    """

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.register_buffer("centre", torch.zeros(config.features))
        self.register_buffer("spread", torch.ones(config.features))
        self.register_buffer("steady", torch.eye(config.features))
        self.fc = nn.Linear(config.features, config.code)
        nn.init.kaiming_normal_(self.fc.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    def standardise(self, features: Tensor, steady: Tensor | None = None) -> None:
        """Remember mean and spread of each of the features (N, F), and what is `steady` (F, F)."""
        self.centre.copy_(features.mean(0))
        if steady is not None:
            self.steady.copy_(steady)
        self.spread.copy_(self.expected(features).std(0).clamp(min=1e-6))

    def expected(self, features: Tensor) -> Tensor:
        """Features (B, F) to expect of a person whose photograph gave these (B, F)."""
        return self.centre + (features - self.centre) @ self.steady.mT

    def forward(self, features: Tensor) -> Tensor:
        """(B, F) to (B, f)."""
        if features.ndim != 2 or features.shape[1] != len(self.centre):
            raise DecoderError(
                f"features are {tuple(features.shape)}, expected (B, {len(self.centre)}) of the "
                "recogniser that this decoder was trained with."
            )
        return F.relu(self.fc((self.expected(features) - self.centre) / self.spread))


class TextureCNN(nn.Module):
    """Section 3.2: fully connected to 256 maps, four doublings by 5 × 5 kernels, 1 × 1 to RGB.

    Its answer is an offset from the mean picture, in logits, so that pixels stay in [0, 1] and the
    untrained network draws the mean. Kernels begin as smooth interpolation (Zhmoginov and Sandler
    2016, section 5.2): a stride of 2 under a kernel of 5 draws chequerboards otherwise.
    """

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.base, self.channels = config.base, config.channels
        self.fc = nn.Linear(config.code, config.channels * config.base**2)
        nn.init.kaiming_normal_(self.fc.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)
        self.doublings = nn.ModuleList(
            nn.ConvTranspose2d(a, b, _KERNEL, stride=2, padding=2, output_padding=1)
            for a, b in pairwise(config.widths())
        )
        for doubling in self.doublings:
            interpolate_smoothly(doubling)
        self.rgb = nn.Conv2d(config.widths()[-1], 3, 1)
        nn.init.normal_(self.rgb.weight, std=0.02)
        nn.init.zeros_(self.rgb.bias)

    def forward(self, code: Tensor) -> Tensor:
        """(B, f) to logits (B, 3, S, S) beside the mean's."""
        x = F.relu(self.fc(code)).view(-1, self.channels, self.base, self.base)
        x = x.contiguous(memory_format=torch.channels_last)
        for doubling in self.doublings:
            x = F.relu(doubling(x))
        return self.rgb(x)


class Picture(nn.Module):
    """A network's offsets, added to a mean picture as logits: (B, f) to (B, 3, S, S) in [0, 1]."""

    def __init__(self, network: nn.Module, size: int):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.full((3, size, size), 0.5))

    def forward(self, code: Tensor) -> Tensor:
        """The pictures of codes."""
        mean = self.mean.clamp(0.004, 0.996)
        return torch.sigmoid(self.network(code).float() + torch.logit(mean))


class Decoder(nn.Module):
    """Features (B, F) to normalized faces.

    Args:
        config: its shape.
        normal: what faces have in common; None where weights are loaded afterwards.
    """

    def __init__(self, config: DecoderConfig | None = None, normal: Normal | None = None):
        super().__init__()
        from visage.normalization.baselines import FullyConnectedTexture  # it needs our config

        self.config = config = config or DecoderConfig()
        self.code = Code(config)
        convolutional = config.texture == "cnn"
        texture = (TextureCNN if convolutional else FullyConnectedTexture)(config)
        self.texture = Picture(texture, config.size)
        self.landmarks = nn.Sequential(
            nn.Linear(config.code, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, 2 * LANDMARKS),
        )
        nn.init.normal_(self.landmarks[-1].weight, std=0.1 / config.hidden**0.5)
        nn.init.zeros_(self.landmarks[-1].bias)
        self.register_buffer("mean", torch.zeros(LANDMARKS, 2))
        if normal is not None:
            self.code.standardise(normal.features, normal.steady)
            self.mean.copy_(normal.landmarks)
            self.texture.mean.copy_(normal.texture)

    def forward(self, features: Tensor, rendered: int | None = None) -> Decoded:
        """Decode.

        Args:
            features: (B, F).
            rendered: warp only the first so many, where the rest is not looked at; None is all.

        Raises:
            DecoderError: the features have another length.
        """
        texture, landmarks = self.parts(features)
        image = self.rendered(texture[:rendered], landmarks[:rendered])
        return Decoded(image, texture, landmarks)

    def parts(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Textures (B, 3, S, S) and landmarks (B, 68, 2) of features (B, F), before the warp."""
        code = self.code(features)
        # In units of a sixteenth of the picture, so that outputs near 1 are what is asked for.
        offsets = self.landmarks(code).float().view(-1, LANDMARKS, 2) * (self.config.size / 16)
        return self.texture(code), self.mean + offsets

    def rendered(self, texture: Tensor, landmarks: Tensor) -> Tensor:
        """Section 4: textures (B, 3, S, S) with their landmarks moved to (B, 68, 2)."""
        if len(texture) == 0:
            return texture
        with torch.autocast(texture.device.type, enabled=False):  # a linear system is solved
            return warp(texture.float(), self.mean[None], landmarks)


def load_decoder(name: str = "synthetic") -> Decoder:
    """A shipped decoder of dlib's features: trained on people who do not exist, or on LFW's.

    Args:
        name: "synthetic" or "lfw".

    Raises:
        visage.checkpoints.CheckpointError: there is none of that name.
    """
    decoder = Decoder()
    load_into(decoder, f"normalization_{name}")
    return decoder.eval().requires_grad_(False)


@torch.no_grad()
def decode(decoder: nn.Module, features: Tensor, together: int = 64) -> Decoded:
    """Decode many features (N, F), some at a time."""
    return Decoded(
        *(torch.cat(parts) for parts in zip(*map(decoder, features.split(together)), strict=True))
    )
