"""The face window: the square of the head's texture atlas that holds the face.

A texture of this part is the window's albedo. What lies outside of `face_region` (ears, scalp, the
inside of the mouth) is in the window but is not synthesised.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, distance_transform_edt
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from visage.faces.raster import barycentric, visible_triangles
from visage.faces.raster import interpolate as interpolate_corners
from visage.faces.shape import MorphableModel
from visage.faces.skin import SIZES
from visage.texture.errors import TextureError

SIDE = 0.375
"""Of the window, where the atlas's is 1: 768 texels of an atlas of 2048."""

CORNER = (0.3125, 0.1484375)
"""Its top left, (u, v)."""

_FACE = 0.75  # of the face's soft mask, from which a texel is face
_FEATHER = 0.04  # of the window's side, over which a texture fades into its surroundings


def crop(atlas: Tensor, size: int | None = None) -> Tensor:
    """The window of atlases.

    Args:
        atlas: (B, C, R, R), with R a multiple of 128.
        size: texels of the window's side; those that the atlas has, 3/8 R, if None. Smaller ones
            are means of what they cover, larger ones are interpolated.

    Returns:
        (B, C, size, size).

    Raises:
        TextureError: the atlas is not such a square.

    >>> crop(torch.zeros(1, 3, 512, 512)).shape
    torch.Size([1, 3, 192, 192])
    """
    left, top, side = _place(atlas)
    window = atlas[:, :, top : top + side, left : left + side]
    return window if size is None else resized(window, size)


def paste(atlas: Tensor, window: Tensor, share: Tensor | float = 1.0) -> Tensor:
    """Atlases with another window.

    Args:
        atlas: (B, C, R, R).
        window: (B, C, S, S), of any size.
        share: (·, 1, S, S) in [0, 1], how much of the window is new.

    Raises:
        TextureError: the atlas is not square, or its side no multiple of 128.
    """
    left, top, side = _place(atlas)
    place = (..., slice(top, top + side), slice(left, left + side))
    new = resized(window, side)
    if isinstance(share, Tensor):
        share = resized(share.to(new), side)
    pasted = atlas.clone()
    pasted[place] = atlas[place] + share * (new - atlas[place])
    return pasted


def resized(textures: Tensor, size: int) -> Tensor:
    """Textures (B, C, S, S) of another size: means when smaller, bicubic when larger."""
    if textures.shape[-1] == size:
        return textures
    if textures.shape[-1] % size == 0:
        return interpolate(textures, size=(size, size), mode="area")
    smooth = interpolate(
        textures, size=(size, size), mode="bicubic", align_corners=False, antialias=True
    )
    return smooth.clamp(textures.amin(), textures.amax())


def to_window(uv: Tensor) -> Tensor:
    """Coordinates (..., 2) in the window, [0, 1] inside of it, of those in the atlas."""
    return (uv - uv.new_tensor(CORNER)) / SIDE


def atlas_for(size: int) -> int:
    """Side of the smallest painted atlas whose window has at least `size` texels a side.

    Windows above 768 texels come from the largest, enlarged.

    >>> atlas_for(256), atlas_for(512), atlas_for(1024)
    (1024, 2048, 2048)
    """
    if size < 1:
        raise TextureError(f"textures of {size} texels a side are asked for; give at least 1")
    return next((atlas for atlas in SIZES if SIDE * atlas >= size), max(SIZES))


def _place(atlas: Tensor) -> tuple[int, int, int]:
    side = atlas.shape[-1]
    if atlas.ndim != 4 or atlas.shape[-2] != side or side % 128:
        raise TextureError(
            f"the atlas is {tuple(atlas.shape)}; expected (B, C, R, R) with R a multiple of 128"
        )
    return int(CORNER[0] * side), int(CORNER[1] * side), int(SIDE * side)


@dataclass(frozen=True, eq=False)
class TexelMap:
    """Where the texels of the window lie on the mesh; they lie there on every head."""

    triangles: Tensor  # (F, 3) int64, the model's
    ids: Tensor  # (1, S, S) int32, triangle under a texel's centre, negative where none is
    weights: Tensor  # (1, S, S, 3) or as `visage.faces.raster.barycentric` gives them
    skin: Tensor  # (1, 1, S, S) bool, whether that triangle is skin

    @classmethod
    def load(cls, size: int, model: MorphableModel | None = None) -> TexelMap:
        """The map of windows of `size` texels.

        Args:
            size: S.
            model: whose vertices are looked up; the one that is not subdivided if None.
        """
        return _texel_map(size, model or _model())

    @property
    def covered(self) -> Tensor:
        """(1, 1, S, S) bool, texels that some triangle covers."""
        return (self.ids >= 0)[:, None]

    def interpolate(self, values: Tensor) -> Tensor:
        """What lies at the texels.

        Args:
            values: (B, V, C) of the model's vertices: places, normals, colours.

        Returns:
            (B, C, S, S); zero where nothing covers a texel. Differentiable.
        """
        ids = self.ids.expand(len(values), -1, -1)
        weights = self.weights.expand(len(values), *self.weights.shape[1:])
        return interpolate_corners(values, self.triangles, ids, weights)


@lru_cache(maxsize=6)
def _texel_map(size: int, model: MorphableModel) -> TexelMap:
    places = to_window(model.uv.float().cpu()) * size - 0.5
    corners = torch.cat([places, torch.ones(len(places), 1)], 1)[None]
    uv_triangles = model.uv_triangles.cpu()
    ids = visible_triangles(corners, uv_triangles, size, size)
    weights = barycentric(corners, uv_triangles, ids)
    skin = model.part_triangles["skin"]
    inside = (ids >= skin.start) & (ids < skin.stop)
    return TexelMap(model.triangles.cpu(), ids, weights, inside[:, None])


@lru_cache(maxsize=6)
def face_region(size: int) -> Tensor:
    """(1, 1, S, S): 1 on the skin of the face, 0 elsewhere.

    From the hairline to the chin and to before the ears, lips and lids included; not the slits
    between them, where the surface ends.
    """
    return ((_softly(size) > _FACE) & _texel_map(size, _model()).skin).float()


@lru_cache(maxsize=6)
def feather(size: int) -> Tensor:
    """(1, 1, S, S): 1 well inside of the face, falling to 0 at its outline, 0 beyond.

    Eyes and mouth are inside: what they hide needs no smooth border.
    """
    filled = binary_fill_holes(face_region(size)[0, 0].numpy())
    depth = distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1] / (_FEATHER * size)
    t = torch.from_numpy(depth).float().clamp(0, 1)[None, None]
    return t * t * (3 - 2 * t)


def _softly(size: int) -> Tensor:
    """The face's soft mask in the window."""
    model = _model()
    soft = model.regions["face"].float()[None, :, None]
    return _texel_map(size, model).interpolate(soft)


def sample(textures: Tensor, uv: Tensor) -> Tensor:
    """Look textures (B, C, S, S) up at atlas coordinates (B, N, 2): (B, C, N).

    Differentiable in both; outside of the window its border goes on.
    """
    grid = (2 * to_window(uv) - 1)[:, None]
    drawn = grid_sample(textures, grid, padding_mode="border", align_corners=False)
    return drawn[:, :, 0]


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()
