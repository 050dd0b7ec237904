"""From a texture of the face to the surface of a whole head: what is around it, and its relief.

A texture holds the face alone. Ears, scalp and neck are those of a plain person, in the colours
that the face has nearest to them; eyes, teeth and the inside of the mouth are that person's too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from scipy.ndimage import binary_fill_holes, distance_transform_edt
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from visage.faces.population import people
from visage.faces.raster import visible_triangles
from visage.faces.reflectance import decode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.skin import SIZES, skin_maps
from visage.faces.surface import SurfaceMaps
from visage.files import written_whole
from visage.photos.downloads import cache_folder
from visage.texture.errors import TextureError
from visage.texture.window import atlas_for, crop, face_region, feather, paste, resized
from visage.texture.yiq import luminance

WINDOW_MM = 192.0
"""About the side of the face window on a face, so that a texel of 512 is 0.4 mm."""

_PLAIN = {  # what a plain skin has none of, for a texture brings its own
    name: 0.0
    for name in (
        *("freckles", "freckle_strength", "moles", "wrinkles", "stubble", "scalp", "brows"),
        *("lipstick", "eye_shadow", "eyeliner", "blush", "redness", "under_eye"),
    )
}
_COLOURED = ("skin", "neck")  # parts of the head that follow the face's colour
_PAINTED = 1024  # texels of the plain atlas on disk: irises of 24 texels
_EDITION = 1  # of what is plain: old files are not taken for new ones
_COARSE = 128  # texels of the atlas at which colours spread from the face
_RIM = (0.03, 0.09)  # of the window's side, over which a face fades into a plain head
_DARKEST = 0.01  # linear albedo, below which a ratio of colours means nothing
_APART = (
    0.2  # logarithm, by which a place may differ from its face: hairlines and brows do not spread
)


@dataclass(frozen=True)
class Bump:
    """Relief that the luminance of a texture is taken for, as the paper's renderings do (sec. 6).

    Darker is deeper, which is right for pores and wrinkles and wrong for moles.
    """

    height: float = 0.7  # mm for a difference of 1 in luminance; pores differ by about 0.05
    reach: float = 1.5  # mm, standard deviation of what counts as the surface itself
    most: float = 0.07  # mm up or down: a brow is not a trench


BUMP = Bump()
"""Relief unless something else is asked for."""


def head_maps(
    texture: Tensor, around: SurfaceMaps | None = None, *, bump: Bump | None = BUMP
) -> SurfaceMaps:
    """The surface of heads with these faces.

    Args:
        texture: (B, 3, S, S), sRGB albedo of the window, in [0, 1].
        around: of the rest of the B heads, used as they are; None takes a plain head and gives it
            the face's colours.
        bump: relief from the texture; None leaves that of `around`, and a plain head smooth.

    Returns:
        B faces' maps, of as many texels as `around`, or as the texture has.

    Raises:
        TextureError: the texture is no such square, or there are not as many heads around.
    """
    if texture.ndim != 4 or texture.shape[1] != 3 or texture.shape[2] != texture.shape[3]:
        raise TextureError(f"textures are {tuple(texture.shape)}; expected (B, 3, S, S)")
    if around is not None and len(around) != len(texture):
        raise TextureError(f"{len(texture)} textures and {len(around)} heads; give as many")
    size, linear = texture.shape[-1], decode_srgb(texture.clamp(0, 1))
    if around is None:
        share = _inside_of_the_hairline(size).to(texture)
        rest = _recoloured(linear, share)
    else:
        share, rest = feather(size).to(texture), around
    height = rest.height
    if bump is not None:
        height = paste(height, bump_height(texture, bump), share)
    return replace(rest, albedo=paste(rest.albedo, linear, share), height=height)


def bump_height(texture: Tensor, bump: Bump = BUMP) -> Tensor:
    """Relief (B, 1, S, S), mm, from the fine part of a texture's luminance.

    h = height (Y - G * Y), with a Gaussian G, clipped softly to the most.

    >>> float(bump_height(torch.full((1, 3, 64, 64), 0.5)).abs().max()) < 1e-6
    True
    """
    y = luminance(texture)
    sigma = bump.reach / WINDOW_MM * texture.shape[-1]
    return bump.most * (bump.height * (y - blurred(y, sigma)) / bump.most).tanh()


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Images (B, C, H, W) under a Gaussian of `sigma` pixels, the border repeated.

    >>> blurred(torch.ones(1, 1, 4, 4), 2.0).sum().round()
    tensor(16.)
    """
    if sigma <= 0:
        return images
    radius = max(1, round(3 * sigma))
    taps = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    taps = (-((taps / sigma) ** 2) / 2).exp()
    taps = (taps / taps.sum()).expand(images.shape[1], 1, 1, -1)
    wide = pad(images, (radius,) * 4, mode="replicate")
    groups = images.shape[1]
    return conv2d(conv2d(wide, taps, groups=groups), taps.mT, groups=groups)


@lru_cache(maxsize=4)
def _inside_of_the_hairline(size: int) -> Tensor:
    """(1, 1, S, S): as `feather`, begun farther in, for heads without hair.

    The shade of a hairline, which crosses the rim of the face, would be a stripe on a bald head.
    """
    filled = binary_fill_holes(face_region(size)[0, 0].numpy())
    depth = torch.from_numpy(distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1]).float() / size
    t = ((depth - _RIM[0]) / (_RIM[1] - _RIM[0])).clamp(0, 1)[None, None]
    return t * t * (3 - 2 * t)


def _recoloured(linear: Tensor, share: Tensor) -> SurfaceMaps:
    """Plain heads in the colours of faces (B, 3, S, S), linear, of which a share is known."""
    size = min(atlas_for(linear.shape[-1]), max(SIZES))
    plain = plain_maps(size)
    gain = _colour_change(linear, share, plain.albedo).exp()
    gain = interpolate(gain, size=(size, size), mode="bilinear", align_corners=False)
    albedo = plain.albedo * (1 + _coloured(size) * (gain - 1))
    rest = (plain.roughness, plain.specular, plain.height)
    return SurfaceMaps(
        albedo.clamp(0, 1), *(value.expand(len(linear), -1, -1, -1) for value in rest)
    )


def _colour_change(linear: Tensor, share: Tensor, plain: Tensor) -> Tensor:
    """Logarithm of face over plain head, spread over a coarse atlas (B, 3, R, R)."""
    atlas = interpolate(plain, size=(_COARSE, _COARSE), mode="area")
    before = crop(atlas).clamp(min=_DARKEST)
    side = before.shape[-1]
    known = resized(share, side)
    after = (resized(linear * share, side) / known.clamp(min=1e-6)).clamp(min=_DARKEST)
    change = (after / before).log()
    whole = (change * known).sum((2, 3), keepdim=True) / known.sum()
    change = whole + (change - whole).clamp(-_APART, _APART)
    blank = atlas.new_zeros(len(linear), 3, _COARSE, _COARSE)
    return _spread(paste(blank, change), paste(blank[:, :1], known.expand(len(linear), -1, -1, -1)))


def _spread(values: Tensor, known: Tensor) -> Tensor:
    """Fill in what is unknown with means of what is known, nearer things first.

    Pull and push (Gortler et al. 1996, "The lumigraph"): means over ever larger squares, then back
    from the largest, each square keeping what it knows.

    Args:
        values: (B, C, R, R), R a power of two.
        known: (B, 1, R, R) in [0, 1].
    """
    if values.shape[-1] == 1:
        return values
    weight = avg_pool2d(known, 2)
    mean = avg_pool2d(values * known, 2) / weight.clamp(min=1e-6)
    # A square of which a quarter is known is known well enough.
    coarse = _spread(mean, (4 * weight).clamp(max=1))
    back = interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return known * values + (1 - known) * back


@lru_cache(maxsize=2)
def plain_maps(size: int, folder: Path | None = None) -> SurfaceMaps:
    """The surface (of one head) of somebody whose skin has nothing particular.

    Painted once, which takes seconds, and kept.

    Args:
        size: texels of the atlas's side.
        folder: of the cache, `cache_folder()` if None.
    """
    path = (folder or cache_folder()) / "texture" / f"plain-{_PAINTED}-{_EDITION}.safetensors"
    if not path.exists():
        painted = {"maps": _paint_plain(_PAINTED).stacked.half().contiguous()}
        with written_whole(path) as temporary:
            safetensors.torch.save_file(painted, temporary)
    stacked = safetensors.torch.load_file(path)["maps"].float()
    return SurfaceMaps(*resized(stacked, size).split([3, 1, 1, 1], 1))


def _paint_plain(size: int) -> SurfaceMaps:
    model = MorphableModel.load()
    skin = people(model, 0, [0]).skin
    plain = {name: torch.full_like(getattr(skin, name), value) for name, value in _PLAIN.items()}
    melanin = torch.full_like(skin.melanin, 0.3)
    return skin_maps(model, replace(skin, **plain, melanin=melanin), size)


@lru_cache(maxsize=2)
def _coloured(size: int) -> Tensor:
    """(1, 1, R, R): 1 where the nearest surface is skin."""
    model = MorphableModel.load()
    places = torch.cat([model.uv * _COARSE * 4 - 0.5, torch.ones(len(model.uv), 1)], 1)[None]
    ids = visible_triangles(places, model.uv_triangles, _COARSE * 4, _COARSE * 4)[0]
    follows = torch.zeros(len(model.triangles), dtype=torch.bool)
    for name in _COLOURED:
        follows[model.part_triangles[name]] = True
    _, (rows, columns) = distance_transform_edt((ids < 0).numpy(), return_indices=True)
    nearest = follows[ids[rows, columns].long()]
    return interpolate(nearest.float()[None, None], size=(size, size), mode="nearest")


def _shrunk(maps: Tensor) -> Tensor:
    return interpolate(maps, size=(_COARSE, _COARSE), mode="area")
