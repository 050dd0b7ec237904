"""VGG-Face, the second recogniser of Cole et al. (2017), with weights from the reader's own file.

Parkhi, Vedaldi and Zisserman, "Deep Face Recognition" (BMVC 2015), table 3, network A: sixteen
layers, trained on 2.6 million photographs of 2,622 people. Weights are published for research and
are not shipped; conversions to torch name the layers as the paper does (``conv1_1`` to ``fc7``).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.normalization.errors import NormalizationError
from visage.photos.alignment import Crop
from visage.recognition.encoder import check_chips, collect_features

SIZE = 224
DIM = 4096
WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Maps of each 3 × 3 convolution; a 2 × 2 maximum ends each group."""

MEAN = (129.186, 104.762, 93.594)
"""Of red, green and blue over the training photographs, as published with the network."""

VGG_CROP = Crop(
    name="vgg_face_224",
    size=SIZE,
    channels=3,
    anchors=(tuple(range(36, 42)), tuple(range(42, 48))),
    template=((77.0, 90.0), (146.0, 90.0)),
)
"""About the detector's box, 10 % wider, that the network was tested on: eyes 69 pixels apart."""


class VGGFaceError(NormalizationError):
    """A file that does not hold VGG-Face's weights."""


class VGGFace(nn.Module):
    """Chips (B, 3, 224, 224) to the 4096 numbers of fc7, after its rectifier.

    Args:
        blue_first: whether the weights of conv1_1 expect blue, green, red, as Caffe's do.
    """

    name = "vgg_face"
    crop = VGG_CROP
    dim = DIM
    threshold = 1.0  # of unit descriptors: about; not calibrated here
    feature_names = ("pool5", "fc6", "fc7")

    def __init__(self, *, blue_first: bool = False):
        super().__init__()
        self.blue_first = blue_first
        self.groups, inputs = [], 3
        for group, widths in enumerate(WIDTHS, 1):
            self.groups.append([f"conv{group}_{number}" for number in range(1, len(widths) + 1)])
            for layer, width in zip(self.groups[-1], widths, strict=True):
                self.add_module(layer, nn.Conv2d(inputs, width, 3, padding=1))
                inputs = width
        self.fc6 = nn.Linear(inputs * (SIZE // 2 ** len(WIDTHS)) ** 2, DIM)
        self.fc7 = nn.Linear(DIM, DIM)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | Path, *, blue_first: bool = False) -> VGGFace:
        """Load a state dict as ``torch.save`` writes it; a classifier in it (fc8) is left out.

        Raises:
            VGGFaceError: the file is missing or holds anything else.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise VGGFaceError(f"{path} cannot be read as a file of torch.save.") from error
        with torch.device("meta"):
            network = cls(blue_first=blue_first)
        expected = network.state_dict()
        found = state if isinstance(state, Mapping) else {}
        found = {key: value for key, value in found.items() if not key.startswith("fc8")}
        wrong = [
            key
            for key in {**expected, **found}
            if key not in expected or getattr(found.get(key), "shape", None) != expected[key].shape
        ]
        if wrong:
            raise VGGFaceError(
                f"{path} does not hold VGG-Face: {wrong[0]!r} is missing, unknown or of another "
                "shape; layers are named conv1_1 to conv5_3, fc6 and fc7."
            )
        network.load_state_dict(found, assign=True)
        network.mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        return network.requires_grad_(False)

    def embed(self, chips: Tensor) -> Tensor:
        """fc7 (B, 4096) of chips (B, 3, 224, 224) in [0, 1].

        Raises:
            EncoderInputError: the chips cannot be used.
        """
        return self.features(chips, ["fc7"])["fc7"]

    def features(self, chips: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Named features; see `visage.recognition.encoder.Encoder.features`."""
        check_chips(chips, SIZE)
        return collect_features(self.stages(chips), names, self.feature_names)

    def stages(self, chips: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The network, one named stage after the other."""
        x = 255 * chips - self.mean
        if self.blue_first:
            x = x.flip(1)
        for group in self.groups:
            for layer in group:
                x = F.relu(getattr(self, layer)(x))
            x = F.max_pool2d(x, 2)
        yield "pool5", x
        x = F.relu(self.fc6(x.flatten(1)))
        yield "fc6", x
        yield "fc7", F.relu(self.fc7(x))

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Euclidean distance of the directions of descriptors (..., 4096), as Parkhi et al."""
        return torch.linalg.vector_norm(F.normalize(a, dim=-1) - F.normalize(b, dim=-1), dim=-1)
