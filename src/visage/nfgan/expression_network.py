"""A compact network with two fully connected branches: one says what, the other how far.

The branches are those of 2B(N+M)Softmax (Liu et al. 2017; `visage.nfgan.tuplet`). Their trunk is an
Inception network of millions of weights, pre-trained on other photographs; ours is four
convolutions, trained from nothing on a few hundred faces in seconds, on a processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from visage.nfgan.errors import ExpressionError
from visage.nfgan.tuplet import AdaptiveThreshold

CROP = 60
"""Pixels a side of what the network sees (section 5.1)."""

_GROUPS = 4


@dataclass(frozen=True)
class ExpressionNetworkConfig:
    """The shape of an `ExpressionNetwork`."""

    classes: int = 7  # expressions, without rest
    inputs: int = 1  # 2 where a neutral face lies beside the query
    channels: tuple[int, ...] = (16, 32, 48, 64)  # of the convolutions, each of stride 2
    features: int = 32  # of the metric branch: quadratic in the adaptive threshold
    dropout: float = 0.2  # before both branches; a few hundred faces are soon learned by heart

    def __post_init__(self):
        if self.classes < 2 or self.features < 1 or len(self.channels) != 4:
            raise ExpressionError(
                f"{self.classes} classes, {self.features} features, {len(self.channels)} "
                "convolutions; give at least 2 classes, 1 feature, and 4 convolutions"
            )
        if not 0 <= self.dropout < 1:
            raise ExpressionError(f"dropout is {self.dropout}; give 0 or more, below 1")


class Branches(NamedTuple):
    """What the two branches say of B faces."""

    logits: Tensor  # (B, classes + 1), of the softmax branch; the last is for a face at rest
    features: Tensor  # (B, features), of the metric branch


class ExpressionNetwork(nn.Module):
    """Standardised grey crops (B, inputs, 60, 60) to expression logits and metric features.

    Group normalisation, not batch normalisation: what a face is taken for must not depend on
    whether generated faces were in the batches of the training. The softmax branch always has an
    output for faces at rest, so that networks that learn with them and without have one shape.

    >>> import torch
    >>> network = ExpressionNetwork(ExpressionNetworkConfig(classes=6))
    >>> [tuple(part.shape) for part in network(torch.zeros(2, 1, 60, 60))]
    [(2, 7), (2, 32)]
    """

    def __init__(self, config: ExpressionNetworkConfig | None = None):
        super().__init__()
        self.config = config = config or ExpressionNetworkConfig()
        self._takes = (config.inputs, CROP, CROP)
        a, b, c, d = config.channels
        self.trunk = nn.Sequential(
            _convolution(config.inputs, a, 5),  # 30
            _convolution(a, b, 3),  # 15
            _convolution(b, c, 3),  # 8
            _convolution(c, d, 3),  # 4
            nn.Flatten(),
            nn.Dropout(config.dropout),
        )
        self.classify = nn.Linear(16 * d, config.classes + 1)
        self.measure = nn.Linear(16 * d, config.features)
        self.threshold = AdaptiveThreshold(config.features)

    def forward(self, crops: Tensor) -> Branches:
        """What both branches say."""
        if crops.ndim != 4 or tuple(crops.shape[1:]) != self._takes:
            raise ExpressionError(
                f"crops are {tuple(crops.shape)}; expected {('B', *self._takes)}, as "
                "visage.nfgan.preprocessing makes them"
            )
        seen = self.trunk(crops)
        return Branches(self.classify(seen), self.measure(seen))


def _convolution(before: int, after: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2, bias=False),
        nn.GroupNorm(_GROUPS, after),
        nn.ReLU(),
    )
