"""The channels of a size of texture, made once and kept."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import convolve1d
from torch import Tensor

from visage.faces.shape import MorphableModel
from visage.faces.skin.channels import broad_channels
from visage.faces.skin.details import edge_channels, fine_channels, teeth_channels
from visage.faces.skin.eyes import eye_channels
from visage.faces.skin.layout import Shrinking, nearest, shrinking, texels
from visage.faces.skin.wrinkles import wrinkle_channels

SIZES = (64, 128, 256, 512, 1024, 2048)

BROAD_SIZE = 512
"""Nothing broad changes within two texels of this size (1 mm each): larger textures enlarge it."""

_EDGE_SIZE = 1024  # narrow channels of smaller textures are means of these
_FINE_SIZE = 2048  # the same of pores, which no smaller size resolves
_FINE_FROM = 1024  # below, pores are less than a texel, and their mean is nothing

_BLURRED, _SHARPER = 256, 0.9  # up to which size irises are sharpened, and how much
_NOTHING = 2e-3  # what a channel, of order 1, can lack without anybody seeing it


@dataclass(frozen=True, eq=False)
class Library:
    """Channels for textures of R texels on a side, of which a part covers N."""

    size: int  # R
    index: np.ndarray  # (N,) int32, flat indices of the covered texels
    compact: np.ndarray  # (R, R) int32, the number of each covered texel, or -1
    source: np.ndarray  # (R²,) int32, the covered texel that each texel shows
    skin: np.ndarray  # (N,) bool, where spots can be
    broad_names: tuple[str, ...]
    broad: Tensor  # (M, K) channels at `BROAD_SIZE`, or at R where that is smaller (then M = N)
    broad_source: np.ndarray  # (R', R') int32, as `source`, for the broad ones
    narrow_names: tuple[str, ...]
    starts: np.ndarray  # (C + 1,) where each narrow channel begins in the next two
    rows: np.ndarray  # int32, numbers of texels
    values: np.ndarray  # float32


@lru_cache(maxsize=4)
def library(model: MorphableModel, size: int) -> Library:
    """Make the channels of one size: about a second below 512, ten at 2048."""
    edges = texels(model, max(size, _EDGE_SIZE))
    own = shrinking(edges, size)
    broad_names, broad, broad_source = _broad(model, min(size, BROAD_SIZE))

    narrow = _narrow(model, edges.size)
    if size >= _FINE_FROM:
        narrow = narrow | _fine(model, edges.size)
    shrunk = [_shrunk(own, *channel) for channel in narrow.values()]
    eyes = _eyes(model, edges.size)
    if size <= _BLURRED:
        sclera = own.sparse(*eyes["sclera"])
        shrunk += [_sparse(_crisp(own, own.sparse(*channel), sclera)) for channel in eyes.values()]
    else:
        shrunk += [_shrunk(own, *channel) for channel in eyes.values()]
    is_skin = edges.parts == model.part_names.index("skin")
    return Library(
        size,
        own.index,
        own.compact(),
        nearest(own.compact()).ravel(),
        own(is_skin.astype(np.float32)) > 0.5,
        broad_names,
        broad,
        broad_source,
        (*narrow, *eyes),
        np.cumsum([0, *(len(where) for where, _ in shrunk)]),
        np.concatenate([where for where, _ in shrunk]),
        np.concatenate([values for _, values in shrunk]),
    )


@lru_cache(maxsize=4)
def _broad(model: MorphableModel, size: int) -> tuple[tuple[str, ...], Tensor, np.ndarray]:
    """Names of the broad channels, the channels, and which texel to read at each (R', R')."""
    fine = texels(model, _EDGE_SIZE)
    shrink = shrinking(fine, size)
    channels = broad_channels(model, fine)
    columns = [torch.from_numpy(shrink(channel)) for channel in channels.values()]
    return tuple(channels), torch.stack(columns, 1), nearest(shrink.compact())


@lru_cache(maxsize=2)
def _narrow(model: MorphableModel, size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Narrow channels, sparse, at the texels of a size that resolves them."""
    fine = texels(model, size)
    channels = (
        edge_channels(model, fine) | wrinkle_channels(model, fine) | teeth_channels(model, fine)
    )
    return {name: _sparse(channel) for name, channel in channels.items()}


@lru_cache(maxsize=2)
def _eyes(model: MorphableModel, size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Channels of the eyes, sparse, at the texels of a size."""
    channels = eye_channels(model, texels(model, size))
    return {name: _sparse(channel) for name, channel in channels.items()}


def _crisp(shrink: Shrinking, channel: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Sharpen a channel (N,) of the eyes within them, against the blur of its small texels.

    An iris is six texels across at 256, and a renderer's bilinear filter would turn it grey.

    Args:
        shrink: whose texels these are.
        channel: means over the texels.
        covered: (N,) share of each texel that is an eye.
    """
    kernel = np.array([0.25, 0.5, 0.25], np.float32)
    planes = np.zeros((2, shrink.size, shrink.size), np.float32)
    planes.reshape(2, -1)[:, shrink.index] = channel, covered
    blurred = convolve1d(convolve1d(planes, kernel, 1, mode="constant"), kernel, 2, mode="constant")
    channel_around, covered_around = blurred.reshape(2, -1)[:, shrink.index]
    around = covered * channel_around / np.maximum(covered_around, 1e-3)
    return channel + _SHARPER * (channel - around)


@lru_cache(maxsize=2)
def _fine(model: MorphableModel, size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Fine channels, sparse, at the texels of a size."""
    fine, own = texels(model, _FINE_SIZE), texels(model, size)
    shrink = shrinking(fine, size)
    # More texels of the small size touch a part than have their centre on it.
    number = np.full(size * size, -1, np.int32)
    number[own.index] = np.arange(len(own.index))
    kept = number[shrink.index] >= 0
    found = {}
    for name, channel in fine_channels(model, fine).items():
        values = np.zeros(len(own.index), np.float32)
        values[number[shrink.index[kept]]] = shrink(channel)[kept]
        found[name] = _sparse(values)
    return found


def _sparse(channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (int32) and values (float32) of the texels where a channel is not nearly zero."""
    where = np.flatnonzero(np.abs(channel) > _NOTHING).astype(np.int32)
    return where, channel[where]


def _shrunk(
    shrink: Shrinking, where: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return _sparse(shrink.sparse(where, values))
