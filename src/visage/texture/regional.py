"""Correlations by region of the face, where the paper has one for all of it.

A Gram matrix forgets where features are ("a mole could be generated in an arbitrary place", Saito
et al. 2017, section 7), and the contrast of brows and lips, a hundred times that of pores, may come
back as streaks on a cheek. All textures lie in one atlas, so that a place means the same on every
face: each layer's features are weighed by a soft mask of a region, and have a matrix for each. With
one region that is everything, this is the paper's method.

`Regional` wraps any backbone and is one: its layers ``relu1_1@lips`` are features of ``relu1_1``
times the square root of the mask, of which G = F diag(mask) Fᵀ / M comes by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.faces.shape import MorphableModel
from visage.texture.backbones import Backbone
from visage.texture.errors import BackboneError
from visage.texture.window import TexelMap, face_region

REGIONS = ("brows", "lids", "lips", "beard", "skin", "outline")
"""Brows; lids; lips; where a beard would grow; the rest of the face; where features see the edge
of the mask round it."""

_SPREAD = {"brows": 0.02, "lids": 0.02, "lips": 0.03, "beard": 0.0}
_SOFT = 0.012
_OUTLINE = 0.02
# Shares of the window's side: how far a region reaches beyond its vertices, so that features which
# look at them lie inside; over how much neighbours fade; how wide the outline is.


class Regional(nn.Module):
    """A backbone whose Gram layers are those of another, region by region.

    Args:
        base: the backbone; it must see whole windows of the face.
        layers: of `base`; its ``gram_layers`` if None.
    """

    def __init__(self, base: Backbone, layers: Iterable[str] | None = None):
        super().__init__()
        chosen = base.gram_layers if layers is None else tuple(layers)
        self.base = base
        self.name, self.key = base.name, f"{base.key}_regional"
        self.gram_layers = tuple(f"{layer}@{region}" for layer in chosen for region in REGIONS)
        self.layers = (*base.layers, *self.gram_layers)
        self.feature_layers = base.feature_layers

    def features(self, luminance: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """As `visage.texture.backbones.Backbone.features`.

        Layers of a region are cut to its bounding box.

        Raises:
            BackboneError: the luminance is no square window, or as the base raises it.
        """
        if isinstance(layers, str) or not set(layers) <= set(self.layers):
            raise BackboneError(
                f"layers are {layers!r}; expected a list of some of {', '.join(self.layers)}"
            )
        wanted = set(layers)
        found = self.base.features(luminance, {layer.partition("@")[0] for layer in wanted})
        if luminance.shape[-1] != luminance.shape[-2]:
            raise BackboneError(
                f"luminance is {tuple(luminance.shape)}; regions are of square windows"
            )
        size = luminance.shape[-1]
        return {
            layer: _inside(found[layer.partition("@")[0]], size, layer.partition("@")[2])
            for layer in self.layers
            if layer in wanted
        }


@lru_cache(maxsize=6)
def region_masks(size: int) -> dict[str, Tensor]:
    """Soft masks (1, 1, S, S) of `REGIONS` in windows of `size` texels; in the face they sum to 1.

    They depend on the atlas alone, and are the same for every face.
    """
    model = MorphableModel.load()
    texels = TexelMap.load(size, model)
    masks, left = {}, torch.ones(1, 1, size, size)
    for name, spread in _SPREAD.items():
        here = texels.interpolate(model.regions[name].float()[None, :, None]).clamp(0, 1)
        masks[name] = left * _blurred(_dilated(here, round(spread * size)), _SOFT * size)
        left = left - masks[name]
    masks["skin"] = left
    reach = round(_OUTLINE * size)
    face = _filled(face_region(size))
    inner = _blurred(-_dilated(-face, reach), _SOFT * size)
    masks = {name: mask * inner for name, mask in masks.items()}
    return masks | {"outline": _dilated(face, reach) - _dilated(face, reach) * inner}


def _inside(features: Tensor, size: int, region: str) -> Tensor:
    """Features times the root of a region's mask, in its bounding box; all without a region."""
    if not region:
        return features
    top, left, root = _root(size, region, *features.shape[2:])
    bottom, right = top + root.shape[2], left + root.shape[3]
    return features[..., top:bottom, left:right] * root.to(features)


@lru_cache(maxsize=256)
def _root(size: int, region: str, height: int, width: int) -> tuple[int, int, Tensor]:
    """Top, left and root of a region's mask in the bounding box that it has on a layer."""
    mask = F.adaptive_avg_pool2d(region_masks(size)[region], (height, width))
    rows, columns = ((mask[0, 0].amax(axis) > 1e-3).nonzero()[:, 0].tolist() for axis in (1, 0))
    if not rows:
        raise BackboneError(f"the window is too small to show {region}; give a larger one")
    box = mask[..., rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return rows[0], columns[0], box.sqrt()


def _dilated(mask: Tensor, reach: int) -> Tensor:
    return F.max_pool2d(mask, 2 * reach + 1, 1, reach) if reach else mask


def _filled(mask: Tensor) -> Tensor:
    """Without the slits of eyes and mouth: closed over a twentieth of the side."""
    reach = mask.shape[-1] // 20
    wide = F.pad(mask, (reach,) * 4)
    return -_dilated(-_dilated(wide, reach), reach)[..., reach:-reach, reach:-reach]


def _blurred(mask: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(3 * sigma))
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / max(sigma, 0.3)) ** 2)
    taps = taps / taps.sum()
    padded = F.pad(mask, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1)).clamp(0, 1)
