"""VGG-19's convolutions, trained on ImageNet or with random filters.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2014),
network E: sixteen 3 × 3 convolutions in five groups, each with a rectifier, and a pooling between
groups. Layers are named ``relu1_1`` to ``relu5_4``. The classifier is left out.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.photos.downloads import fetch
from visage.texture.backbones import Pooling, check_luminance, collect, pool
from visage.texture.errors import BackboneError

GROUPS = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
"""Maps of each convolution, group by group."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of red, green and blue in [0, 1], as torchvision's weights expect them taken out."""

FIVE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""The first of each group, as Gatys et al. (2016) and "all 5 mid-layers" of the paper."""

SIX = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2")
"""Of random filters, with which deep layers tell less and fine ones leave less grain."""

DOWNLOAD = "vgg19-imagenet"
_CALIBRATION = 128  # pixels a side of the noise that random filters are scaled on


class VGG19(nn.Module):
    """VGG-19's convolutions on luminance. Use `from_file` or `random`.

    Args:
        groups: maps of each convolution.
        pooling: between groups.
        name: what `visage.texture.backbones.load_backbone` calls it.
        key: tells it from others in a cache.
        mean: subtracted from luminance, a value an input channel, in [0, 1].
        std: divided by, likewise.
        gram_layers: whose Gram matrices stand for detail.
    """

    def __init__(
        self,
        groups: tuple[tuple[int, ...], ...],
        pooling: Pooling,
        name: str,
        key: str,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        gram_layers: tuple[str, ...],
    ):
        super().__init__()
        self.pooling, self.name, self.key = pooling, name, f"{key}_{pooling}"
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.groups, inputs = nn.ModuleList(), len(mean)
        for group in groups:
            self.groups.append(nn.ModuleList())
            for maps in group:
                self.groups[-1].append(nn.Conv2d(inputs, maps, 3, padding=1, device="meta"))
                inputs = maps
        self.layers = tuple(
            f"relu{group}_{number}"
            for group, convolutions in enumerate(self.groups, 1)
            for number in range(1, len(convolutions) + 1)
        )
        self.gram_layers = gram_layers
        self.feature_layers = ("relu4_2",)
        self.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | Path | None = None, pooling: Pooling = "average") -> VGG19:
        """The network with torchvision's ImageNet weights, from its file or from the network.

        Raises:
            BackboneError: the file does not hold VGG-19.
            visage.photos.downloads.DownloadError: offline, or the file arrived broken.
        """
        path = Path(fetch(DOWNLOAD) if path is None else path)
        network = cls(GROUPS, pooling, "vgg19", "vgg19", MEAN, STD, FIVE)
        state = _read_state(path)
        index = 0  # torchvision counts rectifiers and poolings, too
        for group in network.groups:
            for convolution in group:
                _set(convolution, state, index, path)
                index += 2
            index += 1
        return network.to(memory_format=torch.channels_last)

    @classmethod
    def random(cls, width: float = 0.25, seed: int = 0, pooling: Pooling = "average") -> VGG19:
        """The network with random filters, which see grey only and leave mid-grey at zero.

        Filters are orthogonal (Saxe et al. 2014) where there are no more maps than inputs to a
        filter; each sums to zero, so that it answers to contrast, and no layer adds a constant:
        where luminance is 0.5 throughout, as `visage.texture.gram.mask_out` leaves it, every
        feature is 0. Each map is scaled to a mean of 1 on seeded pink noise, as Gatys et al. (2015)
        scale the trained network's on photographs.

        Raises:
            BackboneError: the width leaves a layer without maps.
        """
        groups = tuple(tuple(round(width * maps) for maps in group) for group in GROUPS)
        if min(map(min, groups)) < 1:
            raise BackboneError(f"a width of {width:g} leaves no maps; give at least 0.01")
        key = f"random_vgg19_{width:g}_{seed}"
        network = cls(groups, pooling, "random_vgg19", key, (0.5,), (1.0,), SIX)
        generator = torch.Generator().manual_seed(seed)
        x = pink_noise(_CALIBRATION, generator) - 0.5
        for number, group in enumerate(network.groups):
            x = pool(x, pooling) if number else x
            for convolution in group:
                kernels = _random_kernels(convolution.weight.shape, generator)
                x = F.relu(F.conv2d(x, kernels, padding=1))
                scale = 1 / x.mean((0, 2, 3), keepdim=True).clamp_min(1e-6)
                x = x * scale
                convolution.weight = _frozen(kernels * scale.view(-1, 1, 1, 1))
                convolution.bias = _frozen(torch.zeros(len(kernels)))
        # The faster layout for narrow convolutions on a CPU: by a third.
        return network.to(memory_format=torch.channels_last)

    def features(self, luminance: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """As `visage.texture.backbones.Backbone.features`."""
        check_luminance(luminance)
        return collect(self, self.stages(luminance), layers)

    def stages(self, luminance: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The layers of luminance (B, 1, H, W), one after the other."""
        x = (luminance - self.mean) / self.std
        names = iter(self.layers)
        for number, group in enumerate(self.groups):
            x = pool(x, self.pooling) if number else x
            for convolution in group:
                x = F.relu(convolution(x))
                yield next(names), x


def pink_noise(size: int, generator: torch.Generator) -> Tensor:
    """Noise whose amplitude falls as 1 / frequency, as photographs' does (Field 1987).

    Returns:
        (1, 1, size, size), of mean 0.5 and standard deviation 0.15.
    """
    frequency = torch.fft.fftfreq(size)
    radius = (frequency[:, None] ** 2 + frequency[None, : size // 2 + 1] ** 2).sqrt()
    radius[0, 0] = 1
    spectrum = torch.fft.rfft2(torch.randn(size, size, generator=generator)) / radius
    spectrum[0, 0] = 0  # no constant part; torch 2.4 makes NaN of a complex number by infinity
    noise = torch.fft.irfft2(spectrum, s=(size, size))
    return (0.5 + 0.15 * noise / noise.std())[None, None]


def _random_kernels(shape: torch.Size, generator: torch.Generator) -> Tensor:
    kernels = torch.randn(shape, generator=generator)
    kernels = kernels - kernels.mean((1, 2, 3), keepdim=True)
    rows = kernels.flatten(1)
    # Rows that sum to zero span one dimension less than they have numbers.
    if rows.shape[0] < rows.shape[1]:
        rows = torch.linalg.qr(rows.mT)[0].mT
    return rows.reshape(shape)


def _frozen(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.contiguous(), requires_grad=False)


def _read_state(path: Path) -> Mapping[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise BackboneError(f"{path} cannot be read as a file of torch.save") from error
    return state if isinstance(state, Mapping) else {}


def _set(convolution: nn.Conv2d, state: Mapping[str, Tensor], index: int, path: Path) -> None:
    for part in ("weight", "bias"):
        name = f"features.{index}.{part}"
        expected = getattr(convolution, part).shape
        if getattr(state.get(name), "shape", None) != expected:
            raise BackboneError(
                f"{path} does not hold VGG-19: {name!r} is missing or not {tuple(expected)}; give "
                "the file of torchvision's vgg19"
            )
        setattr(convolution, part, _frozen(state[name].float()))
