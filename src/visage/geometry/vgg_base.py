"""The base of FineNet: the first three groups of VGG-Face's layers.

Parkhi, Vedaldi and Zisserman, "Deep Face Recognition" (BMVC 2015), network A: groups of 3 x 3
convolutions, each with a rectifier, and a 2 x 2 maximum after each group. Richardson et al. (2017,
section 4.2) cut it before the third maximum, because fine detail is local. Weights of the network
at full width are published for research and are not shipped; `vgg_face_base` reads them from the
reader's own file. Without it, the base is trained with the rest.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.geometry.errors import FineNetError

GROUPS = ((64, 64), (128, 128), (256, 256, 256))
"""Maps of each convolution at width 1, group by group."""

MEAN = (129.186, 104.762, 93.594)
"""Of red, green and blue over VGG-Face's photographs, as published with the network."""


class VGGBase(nn.Module):
    """Pictures to the last maps of each group, at a whole, half and quarter of their size.

    Args:
        inputs: channels of the pictures.
        width: share of VGG-Face's maps; 1 is the published network.
        normalised: whether the batch's mean and spread are taken out before each rectifier
            (Ioffe and Szegedy 2015), with which a base learns from nothing in minutes. The
            published network, which took weeks, does without.

    Attributes:
        outputs: channels of the three maps.
        reach: pixels that a number of the last map depends on, to each side of its own.

    Raises:
        FineNetError: there are no channels, or the width leaves none.
    """

    reach = 20

    def __init__(self, inputs: int, width: float = 1.0, *, normalised: bool = False):
        super().__init__()
        groups = [[round(width * maps) for maps in group] for group in GROUPS]
        if inputs < 1 or min(map(min, groups)) < 1:
            raise FineNetError(
                f"{inputs} inputs and width {width:g}; give at least one map of each"
            )
        self.names, self.outputs = [], tuple(group[-1] for group in groups)
        for number, group in enumerate(groups, 1):
            self.names.append([f"conv{number}_{layer}" for layer in range(1, len(group) + 1)])
            for name, maps in zip(self.names[-1], group, strict=True):
                layer = nn.Conv2d(inputs, maps, 3, padding=1)
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
                self.add_module(name, layer)
                norm = nn.BatchNorm2d(maps) if normalised else nn.Identity()
                self.add_module(name.replace("conv", "norm"), norm)
                inputs = maps

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, inputs, H, W), H and W multiples of 4, to three batches of maps."""
        found, x = [], pictures
        for group in self.names:
            x = F.max_pool2d(x, 2) if found else x
            for name in group:
                x = getattr(self, name)(x)
                x = F.relu(getattr(self, name.replace("conv", "norm"))(x))
            found.append(x)
        return tuple(found)


def vgg_face_base(path: str | Path, inputs: int, *, blue_first: bool = False) -> VGGBase:
    """The base with VGG-Face's weights, for a grey picture and other channels beside it.

    VGG-Face sees 255 (r, g, b) - mean. A grey picture has r = g = b, so that the three kernels of
    a map become 255 times their sum, and the mean moves into the bias (at the border, where the
    network pads with zeros, the two differ). Channels after the first begin without any weight.

    Args:
        path: a state dict as ``torch.save`` writes it, with layers conv1_1 to conv3_3; others in
            it are left out.
        inputs: channels; the first is the grey picture, sRGB in [0, 1].
        blue_first: whether the file's conv1_1 expects blue, green, red, as Caffe's does.

    Raises:
        FineNetError: the file cannot be read, or lacks a layer.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise FineNetError(f"{path} cannot be read as a file of torch.save") from error
    base = VGGBase(inputs)
    state = dict(base.state_dict())
    published = VGGBase(3).state_dict()
    found = found if isinstance(found, Mapping) else {}
    for name, expected in published.items():
        if getattr(found.get(name), "shape", None) != expected.shape:
            raise FineNetError(
                f"{path} does not hold VGG-Face: {name!r} is missing or of another shape; layers "
                "are named conv1_1 to conv3_3"
            )
        state[name] = found[name].float()
    kernels = state["conv1_1.weight"]
    mean = torch.tensor(MEAN[::-1] if blue_first else MEAN)
    state["conv1_1.bias"] = state["conv1_1.bias"] - kernels.sum((2, 3)) @ mean
    wide = torch.zeros(len(kernels), inputs, 3, 3)
    wide[:, 0] = 255 * kernels.sum(1)
    base.load_state_dict(state | {"conv1_1.weight": wide})
    return base
