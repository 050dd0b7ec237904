"""dlib's face recogniser as a describer of texture.

It has seen nothing but faces, comes with the installed packages and is public domain; but its stem
steps over every other texel and was trained to look past the detail that is wanted here. See
`visage.recognition.dlib_resnet`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from visage.recognition.dlib_format import DlibFormatError
from visage.recognition.dlib_resnet import BLOCKS, DlibResNet
from visage.texture.backbones import Pooling, check_luminance, collect, pool
from visage.texture.errors import BackboneError


class FaceBackbone(nn.Module):
    """The convolutions of dlib's recogniser on luminance of any size. Use `from_file`.

    Args:
        network: the recogniser.
        pooling: after the stem, windows of 3 in steps of 2; blocks that halve always average.
        dense: whether the stem looks at every texel; as trained it steps over every other.
    """

    name = "recogniser"
    layers = ("conv1", *(f"block_{number}" for number in range(1, len(BLOCKS) + 1)))
    gram_layers = ("conv1", "block_1", "block_4", "block_8", "block_11")
    feature_layers = ("block_9",)

    def __init__(self, network: DlibResNet, pooling: Pooling, *, dense: bool = True):
        super().__init__()
        self.network, self.pooling, self.stride = network, pooling, 1 if dense else 2
        self.key = f"recogniser_{'dense' if dense else 'strided'}_{pooling}"

    @classmethod
    def from_file(
        cls, path: str | Path | None = None, pooling: Pooling = "average", *, dense: bool = True
    ) -> FaceBackbone:
        """Read dlib's file; without a path, the installed one.

        Raises:
            BackboneError: the file is missing or holds another network.
        """
        try:
            return cls(DlibResNet.from_file(path), pooling, dense=dense)
        except (DlibFormatError, FileNotFoundError) as error:
            raise BackboneError(f"the recogniser cannot be read: {error}") from error

    def features(self, luminance: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """As `visage.texture.backbones.Backbone.features`."""
        check_luminance(luminance)
        return collect(self, self.stages(luminance), layers)

    def stages(self, luminance: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The layers of luminance (B, 1, H, W), one after the other."""
        stem = self.network.stem
        # The network pads nothing before its stem; half a window keeps maps over their texels.
        x = F.pad((255 * luminance - self.network.mean) / 256, (3, 3, 3, 3))
        x = F.relu(F.conv2d(x, stem.weight, stem.bias, stride=self.stride))
        yield "conv1", x
        x = pool(x, self.pooling, 3, 2)
        for number, block in enumerate(self.network.blocks, 1):
            x = block(x)
            yield f"block_{number}", x
