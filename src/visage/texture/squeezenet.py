"""SqueezeNet's convolutions, with ImageNet weights from the reader's own file.

Iandola et al., "SqueezeNet" (2016), version 1.0: a 7 × 7 convolution, then eight fire modules (a
1 × 1 convolution that squeezes, then 1 × 1 and 3 × 3 ones side by side). Layers are ``conv1`` and
``fire2`` to ``fire9``. An npz of Caffe's weights has arrays ``conv1_w`` (out, in, rows, columns),
``conv1_b``, ``fire2_squeeze1x1_w`` and so on, and expects blue, green, red on 0..255.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.texture.backbones import Pooling, check_luminance, collect, pool
from visage.texture.errors import BackboneError

FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Maps that fire2 to fire9 squeeze to, and those of each of the two that expand."""

MEAN = (104.0, 117.0, 123.0)
"""Of blue, green and red on 0..255, as Caffe's weights expect them taken out."""


class SqueezeNet(nn.Module):
    """SqueezeNet 1.0's convolutions on luminance. Use `from_file`.

    Args:
        state: arrays as the npz names them.
        pooling: after conv1, fire4 and fire8, windows of 3 in steps of 2.
        dense: whether conv1 looks at every texel; as trained it steps over every other.
    """

    name = "squeezenet"
    layers = ("conv1", *(f"fire{number}" for number in range(2, 10)))
    gram_layers = ("conv1", "fire2", "fire4", "fire5", "fire8")
    feature_layers = ("fire8",)

    def __init__(self, state: dict[str, Tensor], pooling: Pooling, *, dense: bool = True):
        super().__init__()
        self.pooling, self.stride = pooling, 1 if dense else 2
        self.key = f"squeezenet_{'dense' if dense else 'strided'}_{pooling}"
        for name, values in state.items():
            self.register_buffer(name, values)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))

    @classmethod
    def from_file(
        cls, path: str | Path | None, pooling: Pooling = "average", *, dense: bool = True
    ) -> SqueezeNet:
        """Read the npz.

        Raises:
            BackboneError: no file is named, or it does not hold SqueezeNet 1.0.
        """
        if path is None:
            raise BackboneError(
                "squeezenet needs weights: give the path of an npz of SqueezeNet 1.0, with arrays "
                "such as 'fire2_squeeze1x1_w'"
            )
        try:
            with np.load(path) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, BadZipFile, TypeError) as error:
            raise BackboneError(f"{path} cannot be read as an npz") from error
        state = {}
        for name, shape in _shapes().items():
            if getattr(arrays.get(name), "shape", None) != shape:
                raise BackboneError(
                    f"{path} does not hold SqueezeNet 1.0: {name!r} is missing or not {shape}"
                )
            state[name] = torch.tensor(arrays[name], dtype=torch.float32)
        return cls(state, pooling, dense=dense)

    def features(self, luminance: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """As `visage.texture.backbones.Backbone.features`."""
        check_luminance(luminance)
        return collect(self, self.stages(luminance), layers)

    def stages(self, luminance: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The layers of luminance (B, 1, H, W), one after the other."""
        # The network pads nothing before conv1; half a window keeps maps over their texels.
        x = F.pad(255 * luminance - self.mean, (3, 3, 3, 3))
        x = F.relu(F.conv2d(x, self.conv1_w, self.conv1_b, stride=self.stride))
        yield "conv1", x
        for number in range(2, 10):
            if number in (2, 5, 9):
                x = pool(x, self.pooling, 3, 2)
            x = self._fire(x, f"fire{number}")
            yield f"fire{number}", x

    def _fire(self, x: Tensor, name: str) -> Tensor:
        def convolve(y: Tensor, part: str, padding: int = 0) -> Tensor:
            weight = getattr(self, f"{name}_{part}_w")
            return F.relu(F.conv2d(y, weight, getattr(self, f"{name}_{part}_b"), padding=padding))

        x = convolve(x, "squeeze1x1")
        return torch.cat((convolve(x, "expand1x1"), convolve(x, "expand3x3", 1)), 1)


def _shapes() -> dict[str, tuple[int, ...]]:
    """Arrays of the npz that are read, and their shapes."""
    shapes, inputs = {"conv1_w": (96, 3, 7, 7), "conv1_b": (96,)}, 96
    for number, (squeeze, expand) in enumerate(FIRES, 2):
        parts = (("squeeze1x1", squeeze, inputs, 1), ("expand1x1", expand, squeeze, 1),
                 ("expand3x3", expand, squeeze, 3))  # fmt: skip
        for part, maps, channels, window in parts:
            shapes[f"fire{number}_{part}_w"] = (maps, channels, window, window)
            shapes[f"fire{number}_{part}_b"] = (maps,)
        inputs = 2 * expand
    return shapes
