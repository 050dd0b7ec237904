"""Light CNN: a small recogniser whose activation is a competition between feature maps.

Wu, He, Sun and Tan, "A Light CNN for Deep Face Representation with Noisy Labels" (IEEE TIFS 2018).
Instead of a rectifier, max-feature-map keeps the larger of two maps at each place. This network
follows the paper's 9 layers at a fraction of their cost, on 64-pixel grey faces, with a stride
instead of the first pooling and with batch normalisation. It has seen no answer of any other
recogniser.

It is the foreign judge of part I and learns from `visage.recognition.light_cnn_data`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage import checkpoints
from visage.photos.alignment import DLIB_CHIP, Crop, to_grey
from visage.recognition.encoder import check_chips, collect_features

SIZE = 64
"""Pixels a side of what the network sees."""

SEEN = 140.0
"""Chip pixels a side that they cover: all but a margin of 5."""

DIM = 256


def max_feature_map(maps: Tensor) -> Tensor:
    """Max-feature-map 2/1 of Wu et al. (2018), eq. 1: max(x_k, x_{k+n}) of 2n maps.

    Args:
        maps: (B, 2n, ...).

    Returns:
        (B, n, ...).

    Raises:
        ValueError: the number of maps is odd.

    >>> max_feature_map(torch.tensor([[1.0, -4.0, -2.0, 3.0]]))
    tensor([[1., 3.]])
    """
    if maps.shape[1] % 2:
        raise ValueError(f"{maps.shape[1]} maps are given; their maxima take an even number")
    first, second = maps.chunk(2, dim=1)
    return torch.maximum(first, second)


class _Conv(nn.Sequential):
    """Convolution to 2n maps, normalisation; `max_feature_map` halves them."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(
            nn.Conv2d(inputs, 2 * outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(2 * outputs),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return max_feature_map(super().forward(maps))


class LightCNN(nn.Module):
    """Grey faces (B, 1, 64, 64) to embeddings (B, 256), not normalised.

    `standardised` faces are expected. Each of the four stages halves the side.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 48, 96, 128), dropout: float = 0.4):
        super().__init__()
        one, two, three, four = widths
        self.stages = nn.ModuleDict(
            {
                "stage1": _Conv(1, one, 5, stride=2),
                "stage2": nn.Sequential(_Conv(one, one, 1), _Conv(one, two, 3)),
                "stage3": nn.Sequential(_Conv(two, two, 1), _Conv(two, three, 3)),
                "stage4": nn.Sequential(
                    _Conv(three, three, 1),
                    _Conv(three, four, 3),
                    _Conv(four, four, 1),
                    _Conv(four, four, 3),
                ),
            }
        )
        self.dropout = nn.Dropout(dropout)
        self.embedding = nn.Linear(four * (SIZE // 16) ** 2, DIM, bias=False)
        self.norm = nn.BatchNorm1d(DIM, affine=False)

    def forward(self, faces: Tensor) -> Tensor:
        """Embed; see the class."""
        for _, value in self.stages_of(faces):
            embedding = value
        return embedding

    def stages_of(self, faces: Tensor) -> Iterator[tuple[str, Tensor]]:
        """(name, value) of each stage, each computed when it is asked for."""
        maps = faces
        for name, stage in self.stages.items():
            maps = stage(maps) if name == "stage1" else F.max_pool2d(stage(maps), 2)
            yield name, maps
        yield "embedding", self.norm(self.embedding(self.dropout(maps.flatten(1))))


def standardised(grey: Tensor) -> Tensor:
    """Subtract each face's mean and divide by its spread: (B, 1, H, W), exposure and contrast off.

    The spread has a floor of 0.02, so that a flat grey picture stays finite.
    """
    centred = grey - grey.mean((1, 2, 3), keepdim=True)
    return centred / (centred.square().mean((1, 2, 3), keepdim=True) + 4e-4).sqrt()


def seen_faces(chips: Tensor) -> Tensor:
    """What the network sees of chips: (B, 3, 150, 150) to standardised (B, 1, 64, 64)."""
    margin = round((DLIB_CHIP.size - SEEN) / 2)
    inner = to_grey(chips)[..., margin:-margin, margin:-margin]
    return standardised(
        F.interpolate(inner, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
    )


class LightCNNEncoder(nn.Module):
    """The trained network as an `Encoder`; embeddings have unit length."""

    name = "light_cnn"
    crop: Crop = DLIB_CHIP
    dim = DIM
    threshold = 1.03  # one in a hundred pairs of different test people is nearer
    feature_names = ("stage1", "stage2", "stage3", "stage4", "embedding")

    def __init__(self, network: LightCNN):
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    @classmethod
    def from_checkpoint(cls) -> LightCNNEncoder:
        """The shipped network.

        Raises:
            visage.checkpoints.CheckpointError: its weights are missing or damaged.
        """
        network = LightCNN()
        checkpoints.load_into(network, cls.name)
        return cls(network)

    def embed(self, chips: Tensor) -> Tensor:
        """Embed chips (B, 3, 150, 150) in [0, 1]; returns (B, 256) of unit length."""
        return self.features(chips, ["embedding"])["embedding"]

    def features(self, chips: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Maps after each stage's pooling, and the embedding; see `Encoder.features`."""
        check_chips(chips, self.crop.size)
        found = collect_features(
            self.network.stages_of(seen_faces(chips)), names, self.feature_names
        )
        if "embedding" in found:
            found["embedding"] = F.normalize(found["embedding"])
        return found

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Euclidean distance of the directions of a and b (..., 256): 0 to 2."""
        return (F.normalize(a, dim=-1) - F.normalize(b, dim=-1)).norm(dim=-1)
