"""A compact network with two fully connected branches: one says what, the other how far.

The branches are those of 2B(N+M)Softmax (Liu et al. 2017; `visage.nfgan.tuplet`). Their trunk is an
Inception network of millions of weights, pre-trained on other photographs; ours is three
convolutions, trained from nothing on a few hundred faces in seconds, on a processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
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

    classes: int = 7
    inputs: int = 1  # 2 where a neutral face lies beside the query
    channels: tuple[int, ...] = (16, 32, 64)  # of the convolutions; from the second on, stride 2
    stem: int = 3  # stride of the first convolution
    features: int = 32  # of the metric branch: quadratic in the adaptive threshold
    dropout: float = 0.2  # before both branches; a few hundred faces are soon learned by heart

    def __post_init__(self):
        if self.classes < 2 or self.features < 1 or len(self.channels) < 2:
            raise ExpressionError(
                f"{self.classes} classes, {self.features} features, {len(self.channels)} "
                "convolutions; give at least 2 classes, 1 feature, and 2 convolutions"
            )
        if not 0 <= self.dropout < 1:
            raise ExpressionError(f"dropout is {self.dropout}; give 0 or more, below 1")


class Branches(NamedTuple):
    """What the two branches say of B faces."""

    logits: Tensor  # (B, classes), of the softmax branch
    features: Tensor  # (B, features), of the metric branch


class ExpressionNetwork(nn.Module):
    """Standardised grey crops (B, inputs, 60, 60) to expression logits and metric features.

    Group normalisation, not batch normalisation: what a face is taken for must not depend on
    whether generated faces were in the batches of the training.

    >>> import torch
    >>> network = ExpressionNetwork(ExpressionNetworkConfig(classes=6))
    >>> [tuple(part.shape) for part in network(torch.zeros(2, 1, 60, 60))]
    [(2, 6), (2, 32)]
    """

    def __init__(self, config: ExpressionNetworkConfig | None = None):
        super().__init__()
        self.config = config = config or ExpressionNetworkConfig()
        self._takes = (config.inputs, CROP, CROP)
        layers = [_convolution(config.inputs, config.channels[0], 7, config.stem)]
        side = -(-CROP // config.stem)  # pixels; a stride rounds up
        for before, after in pairwise(config.channels):
            layers.append(_convolution(before, after, 3, 2))
            side = -(-side // 2)
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(config.dropout))
        seen = side**2 * config.channels[-1]
        self.classify = nn.Linear(seen, config.classes)
        self.measure = nn.Linear(seen, config.features)
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


def _convolution(before: int, after: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False),
        nn.GroupNorm(_GROUPS, after),
        nn.ReLU(),
    )
