"""Where the texels of the atlas lie on the mean head, and how textures shrink."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.faces.shape import MorphableModel, vertex_normals


@dataclass(frozen=True, eq=False)
class Texels:
    """The N texels of a square texture that some part of the head covers."""

    size: int  # R, texels on a side
    index: np.ndarray  # (N,) int32, y R + x
    positions: np.ndarray  # (N, 3) mm, on the mean head
    normals: np.ndarray  # (N, 3) of the mean head
    parts: np.ndarray  # (N,) int8, index into the model's `part_names`
    regions: np.ndarray  # (N, number of regions) in [0, 1]
    triangles: np.ndarray  # (N,) which triangle covers the texel's centre

    def compact(self) -> np.ndarray:
        """(R, R) int32: the number of each texel among the N, -1 where no part is."""
        table = np.full(self.size * self.size, -1, np.int32)
        table[self.index] = np.arange(len(self.index), dtype=np.int32)
        return table.reshape(self.size, self.size)

    def source(self) -> np.ndarray:
        """(R, R) int32: the nearest of the N, so that no seam bleeds when textures are filtered."""
        return nearest(self.compact())


def nearest(compact: np.ndarray) -> np.ndarray:
    """Fill a table of numbers (R, R) where it is negative, from the nearest number."""
    rows, columns = distance_transform_edt(compact < 0, return_distances=False, return_indices=True)
    return compact[rows, columns]


@lru_cache(maxsize=4)
def texels(model: MorphableModel, size: int) -> Texels:
    """Texels whose centres a part covers, and what lies there on the mean head."""
    mean, triangles = model.mean.cpu(), model.triangles.cpu()
    uv, uv_triangles = model.uv.cpu(), model.uv_triangles.cpu()
    corners = torch.cat([uv * size - 0.5, torch.ones(len(uv), 1)], 1)[None]
    ids = visible_triangles(corners, uv_triangles, size, size)
    weights = barycentric(corners, uv_triangles, ids)
    normals = vertex_normals(mean[None], triangles)[0]
    regions = torch.stack([value.cpu() for value in model.regions.values()], 1)
    carried = torch.cat([mean, normals, regions], 1)
    pictures = interpolate(carried, triangles, ids, weights)[0].flatten(1)

    ids = ids.flatten()
    covered = (ids >= 0).nonzero()[:, 0]
    found = pictures[:, covered].T.contiguous().numpy()
    part = torch.zeros(len(triangles), dtype=torch.int8)
    for number, name in enumerate(model.part_names):
        if name in model.part_triangles:
            part[model.part_triangles[name]] = number
    owner = ids[covered].long()
    return Texels(
        size,
        covered.int().numpy(),
        np.ascontiguousarray(found[:, :3]),
        np.ascontiguousarray(found[:, 3:6]),
        part[owner].numpy(),
        np.ascontiguousarray(found[:, 6:]),
        owner.int().numpy(),
    )


@dataclass(frozen=True, eq=False)
class Shrinking:
    """The mean of blocks of texels, over those that a part covers."""

    index: np.ndarray  # (N,) int32, flat indices of the shrunk texels that something covers
    size: int  # of the shrunk texture
    target: np.ndarray  # (M,) int32, which of the N each of the M texels adds to
    count: np.ndarray  # (N,) how many add

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Shrink one channel (M,) to (N,)."""
        total = np.bincount(self.target, values, len(self.index))
        return (total / self.count).astype(np.float32)

    def sparse(self, index: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Shrink a channel that is zero but at some of the M texels, to (N,)."""
        total = np.bincount(self.target[index], values, len(self.index))
        return (total / self.count).astype(np.float32)

    def compact(self) -> np.ndarray:
        """(R, R) int32, as `Texels.compact`."""
        table = np.full(self.size * self.size, -1, np.int32)
        table[self.index] = np.arange(len(self.index), dtype=np.int32)
        return table.reshape(self.size, self.size)


def shrinking(fine: Texels, size: int) -> Shrinking:
    """How the texels of a fine texture fill the blocks of one of `size`, which divides it."""
    factor = fine.size // size
    y, x = np.divmod(fine.index, fine.size)
    block = (y // factor) * size + x // factor
    index, target, count = np.unique(block, return_inverse=True, return_counts=True)
    return Shrinking(index.astype(np.int32), size, target.astype(np.int32), count)
