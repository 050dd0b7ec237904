import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

SIZE = 16


class TinyEncoder(nn.Module):
    """A smooth recogniser of 16-pixel pictures, in float64, that answers in microseconds."""

    name = "tiny"
    crop = SimpleNamespace(size=SIZE)
    dim = 6
    threshold = 0.6
    feature_names = ("low", "high", "embedding")

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.calls = 0

        def weights(*shape):
            drawn = torch.randn(*shape, generator=generator, dtype=torch.float64)
            return nn.Parameter(drawn / math.prod(shape[1:]) ** 0.5, requires_grad=False)

        self.first = weights(5, 3, 3, 3)
        self.second = weights(8, 5, 3, 3)
        self.last = weights(self.dim, 8 * 9)

    def features(self, chips, names):
        self.calls += 1
        low = torch.tanh(torch.conv2d(2 * chips - 1, self.first, stride=2))
        high = torch.tanh(torch.conv2d(low, self.second, stride=2))
        found = {"low": low, "high": high, "embedding": high.flatten(1) @ self.last.T}
        return {name: found[name] for name in self.feature_names if name in set(names)}

    def embed(self, chips):
        return self.features(chips, ["embedding"])["embedding"]

    def distance(self, a, b):
        return torch.linalg.vector_norm(a - b, dim=-1)


@pytest.fixture
def tiny():
    return TinyEncoder()


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def pictures(generator):
    """Ten smooth pictures of 16 pixels in [0, 1], float64."""
    coarse = torch.rand(10, 3, 4, 4, generator=generator, dtype=torch.float64)
    return nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bilinear")
