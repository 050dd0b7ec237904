"""The picture of strands: hair as a layer over the pictures of heads.

Scalp hair, eyebrows, lashes, beard and stubble are all `Strands`. `draw_strands` draws those of a
batch of faces: shaded points, joined by lines whose exact width is blended even where it is far
less than a pixel.

The picture needs no supersampling. A segment covers a pixel by the overlap of two boxes, one across
the line and one along it; segments are ordered by depth and blended front to back ("over", Porter
and Duff 1984), which keeps hair that is finer than a pixel soft. On the CPU these are compiled
loops (`visage.faces.hair.compiled_strands`), elsewhere plain torch
(`visage.faces.hair.strands_torch`); the two agree to 2e-3 but for a pixel in a thousand, where
rounding swaps two strands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from visage.faces.camera import Camera
from visage.faces.hair import compiled_light as compiled_strand_light
from visage.faces.hair import compiled_strands
from visage.faces.hair import strands_torch as strand_torch
from visage.faces.hair.polylines import StrandError, Strands
from visage.faces.harmonics import COSINE_LOBE, harmonics
from visage.faces.light import Light
from visage.faces.shadow import ShadowMap

__all__ = ["StrandError", "StrandLayer", "Strands", "cast_strands", "draw_strands"]

_CASTING = 14.0  # mm; shorter strands, such as stubble, cast no shadow
_HIDING = 1.6  # cover from which a texel of the shadow map counts as hidden
_FAR = 1e6  # mm, depth where no shadow is cast


@dataclass(frozen=True, eq=False)
class StrandLayer:
    """Pictures of strands, to be laid over the pictures of heads."""

    colour: Tensor  # (B, 3, H, W), linear, already times alpha, not clipped
    alpha: Tensor  # (B, 1, H, W), in [0, 1]
    depth: Tensor  # (B, H, W), mm, where alpha passes one half; infinite elsewhere

    def over(self, picture: Tensor) -> Tensor:
        """Lay this over linear pictures (B, 3, H, W): colour + (1 - alpha) · picture."""
        return torch.addcmul(self.colour, 1 - self.alpha, picture)


@torch.no_grad()
def draw_strands(
    strands: Sequence[Strands],
    camera: Camera,
    light: Light,
    depth: Tensor,
    *,
    shadows: ShadowMap | None = None,
    shine: float = 1.0,
) -> StrandLayer:
    """Draw strands in front of heads.

    Points that are not finite, or not in front of the camera, take their segments with them.

    Args:
        strands: of B faces.
        camera: B cameras.
        light: B lights.
        depth: (B, H, W), mm, of the heads, as `z_buffer` gives it; infinite at the background.
        shadows: of the key light, one a face, with the strands in it (`cast_strands`): hair is
            darker the deeper it lies behind what the light meets first. None is no shadow.
        shine: factor of the highlights; 1 is clean hair.

    Returns:
        StrandLayer, without derivatives.

    Raises:
        StrandError: the batches, or the camera's picture and `depth`, do not fit.
    """
    _check(strands, camera, light, depth, shadows)
    on_cpu = depth.device.type == "cpu"
    colour = depth.new_zeros(len(strands), 3, camera.height, camera.width, dtype=torch.float32)
    through = torch.ones_like(colour[:, :1])
    nearest = torch.full_like(colour[:, 0], torch.inf)
    sky = _polynomial(light.ambient.float())
    for image, hair in enumerate(strands):
        if len(hair.points) == 0:
            continue
        one = _one(camera, image)
        usable = hair.points.isfinite().all(1)
        if not usable.all():
            # Lighting looks at neighbours, and must not find a NaN there.
            hair = hair.moved(torch.where(usable[:, None], hair.points, 0.0))
        view, points = (seen(hair.points[None])[0] for seen in (one.view, one.project))
        if not usable.all():
            points = torch.where(usable[:, None], points, torch.nan)
        zoom = one.focal / points[:, 2] if camera.perspective else one.scale.expand(len(points))
        lights = (
            one.rotation()[0],
            camera.perspective,
            sky[image],
            torch.stack([light.key_direction[image], light.key_colour[image]]).float(),
            _shadow(shadows, image, points),
            shine,
        )
        draw = _draw_compiled if on_cpu else _draw_torch
        colour[image], through[image, 0], nearest[image] = draw(
            hair, view, points, zoom, lights, depth[image].float()
        )
    return StrandLayer(colour, (1 - through).clamp(0, 1), nearest)


@torch.no_grad()
def cast_strands(shadows: ShadowMap, strands: Sequence[Strands], camera: Camera) -> ShadowMap:
    """Let hair cast shadows: put it into what the key light sees.

    A texel is hidden where strands cover most of it; what is sparser lets the light through.
    Strands shorter than 14 mm are left out.

    Args:
        shadows: of the heads, one a face, from `shadow_map`.
        strands: of the same B faces; a thinned sample does.
        camera: B cameras, whose view frame the shadow map is in.

    Returns:
        ShadowMap.

    Raises:
        StrandError: the batches do not fit.
    """
    if not len(shadows) == len(strands) == len(camera):
        raise StrandError(
            f"{len(strands)} faces with hair, {len(shadows)} shadow maps and {len(camera)} cameras;"
            " give as many"
        )
    depth = shadows.depth.clone()
    for image, hair in enumerate(strands):
        hair = _long(hair)
        if len(hair.points) == 0:
            continue
        view = _one(camera, image).view(hair.points[None])[0]
        turn, shift = shadows.frame[image].float().split([3, 1], 1)
        places = view @ turn.T + shift[:, 0]
        scale = shadows.scale[image].float()
        if depth.device.type == "cpu":
            cover, nearest = torch.zeros_like(depth[image]), torch.full_like(depth[image], _FAR)
            arrays = _arrays(places, hair.starts, hair.width)
            compiled_strands.cast(*arrays, np.float32(scale.item()), cover.numpy(), nearest.numpy())
        else:
            cover, nearest = strand_torch.cast(
                places, hair.starts, hair.width, scale, depth.shape[1]
            )
        depth[image] = torch.where(
            cover > _HIDING, torch.minimum(nearest, depth[image]), depth[image]
        )
    return replace(shadows, depth=depth)


def _draw_compiled(
    hair: Strands, view: Tensor, points: Tensor, zoom: Tensor, lights: tuple, head: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    rotation, eye, sky, key, shadow, shine = lights
    height, width = head.shape
    count = len(points)
    first, last, strand = np.empty((3, count), np.int64)
    part = np.empty((count, 2), np.float32)
    strands = _arrays(hair.points, view, hair.starts, hair.colour, hair.openness)
    points, zoom, thick = _arrays(points, zoom, hair.width)
    made = compiled_strands.segments(points, strands[2], first, last, strand, part)
    colour = torch.zeros(height * width, 3)
    buffer = torch.ones(height, width, 3)
    buffer[..., 1], buffer[..., 2] = torch.inf, head.clamp(max=_FAR)
    if made:
        segment = first[:made], last[:made], strand[:made], part[:made]
        depth = (points[segment[0], 2] + points[segment[1], 2]) / 2
        ranks = np.empty(made, np.int64)
        compiled_strands.order(depth, depth.min(), depth.max(), ranks)
        tiles = _tiles(height, width)
        seen = compiled_strands.splat(points, zoom, thick, segment, ranks, buffer.numpy(), tiles)
        # Only what is seen is lit: less than a third of the points.
        needed, radiance = np.zeros(count, bool), np.empty((count, 3), np.float32)
        compiled_strands.need(segment, seen[0], needed)
        lights = (*_arrays(rotation), eye, *_arrays(sky, key), _arrays(*shadow), np.float32(shine))
        compiled_strand_light.light_up(*strands, needed, *lights, radiance)
        compiled_strands.blend(segment, *seen, radiance, colour.numpy())
    return colour.T.reshape(3, height, width), buffer[..., 0], buffer[..., 1]


def _tiles(height: int, width: int) -> np.ndarray:
    """Pixels in each tile of a picture, fewer at its right and lower edges."""
    size = compiled_strands.TILE
    rows = np.minimum(height - np.arange(0, height, size), size)
    columns = np.minimum(width - np.arange(0, width, size), size)
    return np.outer(rows, columns).astype(np.int32)


def _draw_torch(
    hair: Strands, view: Tensor, points: Tensor, zoom: Tensor, lights: tuple, head: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    strands = (hair.points, view, hair.starts, hair.colour, hair.openness)
    radiance = strand_torch.light_up(*strands, *lights)
    segment = strand_torch.segments(points, hair.starts)
    if len(segment[0]) == 0:
        return (
            head.new_zeros(3, *head.shape),
            torch.ones_like(head),
            torch.full_like(head, torch.inf),
        )
    ranks = strand_torch.order((points[segment[0], 2] + points[segment[1], 2]) / 2)
    return strand_torch.splat(points, zoom, hair.width, radiance, segment, ranks, head)


def _polynomial(ambient: Tensor) -> Tensor:
    """Fold all constants of `shade` into its coefficients.

    Returns:
        (B, 9, 3), factors of 1, y, z, x, xy, yz, z², xz and x² - y².
    """
    lobes = [COSINE_LOBE[order] / torch.pi for order in (0, 1, 1, 1, 2, 2, 2, 2, 2)]
    basis = harmonics(ambient.new_tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]]), 2)
    factors = basis[0].clone()
    factors[6] = -3 * basis[2, 6]  # 3z² - 1, which is -1 at the origin
    factors[8] = basis[1, 8]
    sky = ambient.new_zeros(len(ambient), 9, 3)
    sky[:, : ambient.shape[1]] = (
        ambient * (factors * ambient.new_tensor(lobes))[: ambient.shape[1], None]
    )
    sky[:, 0] -= sky[:, 6] / 3
    return sky


def _one(camera: Camera, image: int) -> Camera:
    names = ("angles", "translation", "scale", "focal", "distance")
    values = {
        name: getattr(camera, name)[image : image + 1] for name in names if hasattr(camera, name)
    }
    return replace(camera, **values)


def _long(hair: Strands) -> Strands:
    if len(hair) == 0:
        return hair
    counts = hair.starts.diff()
    steps = (hair.points[1:] - hair.points[:-1]).norm(dim=1)
    strand = torch.repeat_interleave(counts)
    within = strand[1:] == strand[:-1]
    length = torch.zeros_like(hair.width).index_add(0, strand[1:][within], steps[within])
    return hair.chosen((length > _CASTING).nonzero()[:, 0])


def _shadow(shadows: ShadowMap | None, image: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Frame (3, 4) and depth (T, T) of one shadow map; one that is empty for None."""
    if shadows is None:
        return like.new_zeros(3, 4), like.new_full((2, 2), _FAR)
    return shadows.frame[image].float(), shadows.depth[image].float()


def _arrays(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    kinds = (
        tensor.dtype if not tensor.is_floating_point() else torch.float32 for tensor in tensors
    )
    return tuple(
        tensor.detach().to(kind).contiguous().numpy()
        for tensor, kind in zip(tensors, kinds, strict=True)
    )


def _check(
    strands: Sequence[Strands],
    camera: Camera,
    light: Light,
    depth: Tensor,
    shadows: ShadowMap | None,
) -> None:
    batch = len(strands)
    if len(camera) != batch or len(light) != batch:
        raise StrandError(
            f"{batch} faces with strands, {len(camera)} cameras and {len(light)} lights; "
            "give as many"
        )
    if depth.shape != (batch, camera.height, camera.width):
        raise StrandError(
            f"depth is {tuple(depth.shape)}; expected {(batch, camera.height, camera.width)}"
        )
    if shadows is not None and len(shadows) != batch:
        raise StrandError(f"{len(shadows)} shadow maps for {batch} faces; give as many")
