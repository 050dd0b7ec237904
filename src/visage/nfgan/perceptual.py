"""Networks through which the perceptual loss (eq. 2) compares faces.

Liu et al. (2018), section 4.1, use the maps after the fifth convolution of VGG-Face, trained on 2.6
million faces: far enough up to forgive a small shift, not so far that places are lost. VGG-Face's
weights may not be shipped, so here the fifth convolution is that of dlib's recogniser, which has
seen three million photographs. A reader who has VGG-Face's file can put it in its place.

The fifth convolution of dlib's network is the last one of its second residual block; its maps are
taken after the block's sum and rectifier.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.nfgan.errors import PerceptualError
from visage.nfgan.frame import check_faces, to_chips
from visage.recognition.dlib_resnet import DlibResNet

VGG_LAYERS = {"conv1_1": (3, 64), "conv1_2": (64, 64), "conv2_1": (64, 128), "conv2_2": (128, 128),
              "conv3_1": (128, 256)}  # fmt: skip
"""The first five of VGG-Face (Parkhi et al. 2015, network A), by their names: maps in and out."""

_VGG_SIZE = 224
_VGG_MEAN = (129.186, 104.762, 93.594)  # of red, green and blue, as published with the network
_POOLED_BEFORE = ("conv2_1", "conv3_1")


class PerceptualNetwork(Protocol):
    """Anything that makes maps of faces."""

    name: str

    def __call__(self, faces: Tensor) -> Tensor:
        """Faces (B, 1, 64, 64) in [0, 1] to maps (B, C, H, W), differentiable to the pixels."""
        ...


class DlibPerceptual(nn.Module):
    """Maps (B, 32, 35, 35) after the fifth convolution of dlib's recogniser.

    A grey face looks the same in all three colours, so the stem's kernels are added up over them:
    a third of the work, and the same maps.

    Args:
        encoder: the recogniser; it stays as it is.
    """

    name = "dlib_conv5"

    def __init__(self, encoder: DlibResNet):
        super().__init__()
        kernels = encoder.stem.weight.double()
        offset = (kernels * encoder.mean.double()).sum((1, 2, 3)) / 256
        self.stem = nn.Conv2d(1, len(kernels), kernels.shape[-1], encoder.stem.stride)
        with torch.no_grad():
            self.stem.weight.copy_(kernels.sum(1, keepdim=True) * (255 / 256))
            self.stem.bias.copy_(encoder.stem.bias.double() - offset)
        self.blocks = nn.Sequential(*list(encoder.blocks)[:2])
        self.requires_grad_(False).eval()
        self.stem.to(memory_format=torch.channels_last)

    def forward(self, faces: Tensor) -> Tensor:
        """See `PerceptualNetwork`."""
        chips = to_chips(faces)[:, :1].contiguous(memory_format=torch.channels_last)
        return self.blocks(F.max_pool2d(F.relu(self.stem(chips)), 3, stride=2))


class VggPerceptual(nn.Module):
    """Maps (B, 256, 56, 56) of VGG-Face's fifth convolution, conv3_1, after its rectifier.

    Args:
        blue_first: whether the weights of conv1_1 expect blue, green, red, as Caffe's do.
    """

    name = "vgg_face_conv5"

    def __init__(self, *, blue_first: bool = False):
        super().__init__()
        self.layers = nn.ModuleDict(
            {name: nn.Conv2d(*maps, 3, padding=1) for name, maps in VGG_LAYERS.items()}
        )
        mean = torch.tensor(_VGG_MEAN[::-1] if blue_first else _VGG_MEAN).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | Path, *, blue_first: bool = False) -> VggPerceptual:
        """Load the first five layers of a state dict as ``torch.save`` writes it.

        Conversions to torch name the layers as the paper does, ``conv1_1.weight`` and so on; what
        is deeper is left out.

        Raises:
            PerceptualError: the file is missing or lacks one of the layers.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise PerceptualError(f"{path} cannot be read as a file of torch.save.") from error
        network = cls(blue_first=blue_first)
        found = state if isinstance(state, Mapping) else {}
        for name, layer in network.layers.items():
            for kind, parameter in layer.named_parameters():
                given = found.get(f"{name}.{kind}")
                if getattr(given, "shape", None) != parameter.shape:
                    raise PerceptualError(
                        f"{path} does not hold VGG-Face: {name}.{kind} is missing or of another "
                        "shape; layers are named conv1_1 to conv3_1."
                    )
                parameter.copy_(given)
        return network

    def forward(self, faces: Tensor) -> Tensor:
        """See `PerceptualNetwork`."""
        size = (_VGG_SIZE, _VGG_SIZE)
        x = F.interpolate(check_faces(faces), size, mode="bilinear", align_corners=False)
        x = 255 * x.expand(-1, 3, -1, -1) - self.mean
        for name, layer in self.layers.items():
            x = F.max_pool2d(x, 2) if name in _POOLED_BEFORE else x
            x = F.relu(layer(x))
        return x


@lru_cache(maxsize=1)
def load_perceptual() -> DlibPerceptual:
    """The network that is used here: dlib's, from the package that carries it.

    Raises:
        FileNotFoundError: ``face_recognition_models`` is not installed.
    """
    return DlibPerceptual(DlibResNet.from_file())
