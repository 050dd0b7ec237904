"""Networks whose middle layers describe what skin looks like close by.

Saito et al. (2017, sections 4 and 5) read VGG-19, trained on ImageNet; any network of convolutions
will do, and some do better than others (their figure 14). All stand behind one interface,
`Backbone`; every one sees luminance alone.

``vgg19`` needs a download of 575 MB and ``squeezenet`` a file of the reader's; ``recogniser`` comes
with dlib's models and ``random_vgg19`` is made on the spot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor

from visage.texture.errors import BackboneError

Pooling = Literal["average", "max"]

BACKBONES = ("vgg19", "squeezenet", "recogniser", "random_vgg19")
DEFAULT = "random_vgg19"
"""Needs no download."""


@runtime_checkable
class Backbone(Protocol):
    """A network of convolutions, an ``nn.Module`` without parameters that need a gradient.

    Attributes:
        name: what `load_backbone` calls it.
        key: name, pooling and whatever else changes its features; names files of a cache.
        layers: what `features` can return, from the image side on.
        gram_layers: those whose Gram matrices stand for detail (the paper's L_G).
        feature_layers: those whose features stand for low frequencies (the paper's L_F).
    """

    name: str
    key: str
    layers: tuple[str, ...]
    gram_layers: tuple[str, ...]
    feature_layers: tuple[str, ...]

    def features(self, luminance: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of luminance (B, 1, H, W) in [0, 1], by layer: (B, C, h, w) each.

        Differentiable; computed no deeper than needed; returned in the network's order.

        Raises:
            BackboneError: the luminance has another shape or is too small, or a layer is unknown.
        """
        ...


def load_backbone(
    name: str = DEFAULT,
    *,
    pooling: Pooling = "average",
    weights: str | Path | None = None,
    width: float = 0.25,
    seed: int = 0,
    dense: bool = True,
) -> Backbone:
    """A backbone by name, on the CPU, in float32.

    Args:
        name: one of `BACKBONES`.
        pooling: how resolution is halved. Gatys et al. (2015) found the mean to give smoother
            textures than the maximum that the networks were trained with.
        weights: ``vgg19``: torchvision's file, downloaded when None. ``squeezenet``: an npz of
            arrays such as ``fire2_squeeze1x1_w``, required. ``recogniser``: dlib's file, or None
            for the installed one.
        width: ``random_vgg19`` only: share of VGG-19's maps.
        seed: ``random_vgg19`` only: of the filters.
        dense: ``squeezenet`` and ``recogniser`` only: whether the first layer, which steps over
            every other texel as trained, looks at each instead.

    Raises:
        BackboneError: no such backbone or pooling, or weights that cannot be used.
        visage.photos.downloads.DownloadError: the weights cannot be fetched.

    >>> import torch
    >>> backbone = load_backbone()
    >>> found = backbone.features(torch.rand(1, 1, 64, 64), backbone.gram_layers)
    >>> [tuple(features.shape[1:]) for features in found.values()]
    [(16, 64, 64), (16, 64, 64), (32, 32, 32), (32, 32, 32), (64, 16, 16), (64, 16, 16)]
    """
    if pooling not in ("average", "max"):
        raise BackboneError(f"there is no pooling {pooling!r}; choose 'average' or 'max'")
    # Imported here, because those modules know this one.
    from visage.texture import face_backbone, squeezenet, vgg19

    match name:
        case "vgg19":
            return vgg19.VGG19.from_file(weights, pooling)
        case "random_vgg19":
            return vgg19.VGG19.random(width, seed, pooling)
        case "squeezenet":
            return squeezenet.SqueezeNet.from_file(weights, pooling, dense=dense)
        case "recogniser":
            return face_backbone.FaceBackbone.from_file(weights, pooling, dense=dense)
    raise BackboneError(f"there is no backbone {name!r}; choose one of {', '.join(BACKBONES)}")


def pool(x: Tensor, pooling: Pooling, window: int = 2, stride: int = 2) -> Tensor:
    """Mean or maximum of windows of (B, C, H, W)."""
    if pooling == "max":
        return F.max_pool2d(x, window, stride)
    return F.avg_pool2d(x, window, stride)


def collect(
    backbone: Backbone, stages: Iterator[tuple[str, Tensor]], layers: Iterable[str]
) -> dict[str, Tensor]:
    """Run the stages of a network until every wanted layer is there.

    Args:
        backbone: whose layers they are.
        stages: (layer, features) one after the other, each computed when it is asked for.
        layers: the wanted ones, in any order.

    Raises:
        BackboneError: a layer is unknown, or there is nothing left to look at.
    """
    wanted = {layers} if isinstance(layers, str) else set(layers)
    if isinstance(layers, str) or not wanted <= set(backbone.layers):
        raise BackboneError(
            f"layers are {layers!r}; expected a list of some of {', '.join(backbone.layers)}"
        )
    found = {}
    while len(found) < len(wanted):
        try:
            layer, features = next(stages)
        except RuntimeError as error:
            if "too small" not in str(error) and "greater than actual" not in str(error):
                raise
            raise BackboneError(
                f"the luminance is too small for {backbone.name}; give a larger one, or fewer "
                "layers"
            ) from None
        if layer in wanted:
            found[layer] = features
    return found


def check_luminance(luminance: Tensor) -> None:
    """Refuse what is not (B, 1, H, W).

    Raises:
        BackboneError: it is not.
    """
    if luminance.ndim != 4 or luminance.shape[1] != 1 or not luminance.is_floating_point():
        raise BackboneError(
            f"luminance is {luminance.dtype} {tuple(luminance.shape)}; expected floating point "
            "(B, 1, H, W)"
        )
