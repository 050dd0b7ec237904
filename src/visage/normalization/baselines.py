"""What the decoder is compared with: figs. 9 and 10 of Cole et al. (2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visage.normalization.decoder import (
    LANDMARKS,
    Code,
    Decoded,
    DecoderConfig,
    Normal,
    Picture,
    TextureCNN,
)


class FullyConnectedTexture(nn.Module):
    """Fig. 9: the texture as a linear map of the code, with as many weights as the CNN.

    The paper maps F to all pixels directly and finds about as many parameters as in its CNN; with
    our f a full matrix would have almost twice as many, so that it is a product of two.
    """

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.size = config.size
        outputs = 3 * config.size**2
        wanted = parameter_count(TextureCNN(config)) - outputs
        self.rank = max(1, min(config.code, wanted // (config.code + outputs)))
        self.down = nn.Linear(config.code, self.rank, bias=False)
        self.up = nn.Linear(self.rank, outputs)
        nn.init.orthogonal_(self.down.weight)
        nn.init.normal_(self.up.weight, std=0.02 / self.rank**0.5)
        nn.init.zeros_(self.up.bias)

    def forward(self, code: Tensor) -> Tensor:
        """(B, f) to logits (B, 3, S, S) beside the mean's."""
        return self.up(self.down(code)).view(-1, 3, self.size, self.size)


class PlainDecoder(nn.Module):
    """Fig. 10: the same CNN draws the picture itself; there are no landmarks and no warp.

    Its `Decoded` has the picture as texture and everybody's mean landmarks. ``normal.texture`` is
    the mean picture here.
    """

    def __init__(self, config: DecoderConfig | None = None, normal: Normal | None = None):
        super().__init__()
        self.config = config = config or DecoderConfig()
        self.code = Code(config)
        self.texture = Picture(TextureCNN(config), config.size)
        self.register_buffer("mean", torch.zeros(LANDMARKS, 2))
        if normal is not None:
            self.code.standardise(normal.features, normal.steady)
            self.mean.copy_(normal.landmarks)
            self.texture.mean.copy_(normal.texture)

    def forward(self, features: Tensor, rendered: int | None = None) -> Decoded:
        """(B, F) to pictures; ``rendered`` as in `Decoder.forward`."""
        picture = self.texture(self.code(features))
        return Decoded(picture[:rendered], picture, self.mean.expand(len(picture), -1, -1))


def parameter_count(network: nn.Module) -> int:
    """How many numbers a network learns.

    >>> parameter_count(torch.nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
