"""The light that a scene sends to the camera, from the background to the lenses."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from visage.faces import compiled_reflectance, harmonics
from visage.faces.buffers import drawn_triangles
from visage.faces.camera import Camera
from visage.faces.compiled_reflectance import BLEED, BOUNCE
from visage.faces.derivatives import is_constant
from visage.faces.directions import dot, unit
from visage.faces.hair.strands import StrandLayer, Strands, cast_strands
from visage.faces.light import Light
from visage.faces.raster import barycentric, interpolate
from visage.faces.reflectance import SKIN_F0, SKIN_SCATTER, ggx, reflect
from visage.faces.shadow import ShadowMap, key_visibility, shadow_map
from visage.faces.shape import MorphableModel, vertex_normals
from visage.faces.visibility import z_buffer
from visage.faces.wear import Lenses, Wear

# Texels of the shadow map, for pictures of up to so many pixels: edges of shadows must not show
# the texels. More of them with hair, whose strands are thinner.
_SHADOW = {256: 96, 100_000: 256}
_FINE_SHADOW = {160: 144, 320: 192, 100_000: 384}
_CAST = 3000  # strands
_LENS_F0 = 0.04  # a refractive index of 1.5


@dataclass(frozen=True, eq=False)
class Surface:
    """What each pixel shows of the nearest opaque surface."""

    positions: Tensor  # (B, 3, H, W), mm, view frame
    normals: Tensor  # (B, 3, H, W), unit vectors, view frame; zero at the background
    albedo: Tensor  # (B, 3, H, W), linear
    occlusion: Tensor  # (B, 1, H, W), share of the surroundings that it sees
    roughness: Tensor  # (B, 1, H, W)
    specular: Tensor  # (B, 1, H, W)
    skin: Tensor | None  # (B, 1, H, W), 1 where light scatters below it; None is everywhere
    depth: Tensor  # (B, H, W), mm, larger is farther; infinite at the background


def worn_over(surface: Surface, wear: Wear, camera: Camera) -> Surface:
    """Put clothes and frames before the head, where they are nearer."""
    points, view = camera.project(wear.vertices), camera.view(wear.vertices)
    size = camera.height, camera.width
    ids, depth = z_buffer(points, wear.triangles, *size, perspective=camera.perspective)
    nearer = depth < surface.depth
    ids = torch.where(nearer, ids, -1)
    weights = barycentric(points, wear.triangles, ids, perspective=camera.perspective)
    there = wear.vertices.isfinite().all(2, keepdim=True)
    normals = camera.turn(vertex_normals(wear.vertices.where(there, 0), wear.triangles))
    values = [view.where(there, 0), normals, wear.albedo, wear.roughness, wear.specular]
    drawn = interpolate(torch.cat(values, 2), wear.triangles, ids, weights)
    positions, normals, albedo, roughness, specular = drawn.split([3, 3, 3, 1, 1], 1)
    normals = unit(normals)
    # Both sides of cloth are drawn: what is seen from behind is lit as if it were turned round.
    normals = torch.where(normals[:, 2:] < 0, -normals, normals)
    over = nearer[:, None]
    skin = torch.ones_like(surface.occlusion) if surface.skin is None else surface.skin
    return Surface(
        positions=torch.where(over, positions, surface.positions),
        normals=torch.where(over, normals, surface.normals),
        albedo=torch.where(over, albedo, surface.albedo),
        occlusion=torch.where(over, 1.0, surface.occlusion),
        roughness=torch.where(over, roughness, surface.roughness),
        specular=torch.where(over, specular, surface.specular),
        skin=torch.where(over, 0.0, skin),
        depth=torch.where(nearer, depth.to(surface.depth), surface.depth),
    )


def cast_shadows(
    model: MorphableModel,
    camera: Camera,
    light: Light,
    vertices: Tensor,
    wear: Wear | None,
    strands: Sequence[Strands] | None,
) -> ShadowMap:
    """Draw all that throws shadows as the key light sees it."""
    head, triangles = camera.view(vertices), drawn_triangles(model)
    everything, count = head, head.shape[1]
    if wear is not None:
        worn = camera.view(wear.vertices).to(head)
        everything = torch.cat([head, worn], 1)
        triangles = torch.cat([triangles, wear.triangles + count])
    sizes = _SHADOW if strands is None else _FINE_SHADOW
    size = next(texels for limit, texels in sizes.items() if camera.height <= limit)
    shadows = shadow_map(everything, triangles, light.key_direction, size, around=head)
    if strands is None:
        return shadows
    # Fewer, wider strands hide as much of a light, whose shadows are soft anyway.
    return cast_strands(shadows, [hair.thinned(_CAST) for hair in strands], camera)


def radiance(surface: Surface, light: Light, camera: Camera, shadows: ShadowMap) -> Tensor:
    """Light that opaque surfaces send to the camera (B, 3, H, W), linear, not clipped.

    Any numbers at the background.
    """
    lit = key_visibility(surface.positions, surface.normals, light.key_radius, shadows)
    parts = [getattr(surface, field.name) for field in fields(surface)]
    sources = [getattr(light, field.name) for field in fields(light)]
    if is_constant(*parts, *sources):
        return _radiance_compiled(surface, light, lit, perspective=camera.perspective)
    return _radiance_torch(surface, light, camera, lit)


def _radiance_compiled(surface: Surface, light: Light, lit: Tensor, *, perspective: bool) -> Tensor:
    linear = torch.zeros(surface.positions.shape)
    skin = torch.empty(0, 1, *lit.shape[2:]) if surface.skin is None else surface.skin
    flat = [
        part.detach().contiguous().flatten(-2).numpy()
        for part in (
            *(surface.positions, surface.normals, surface.albedo, surface.occlusion),
            *(surface.roughness, surface.specular, skin, surface.depth, lit),
        )
    ]
    sources = light.key_direction, light.key_colour, light.key_radius
    compiled_reflectance.send(
        tuple(flat[:-1]),
        flat[-1],
        tuple(
            source.detach().contiguous().numpy()
            for source in (*sources, harmonics.shading_factors(light.ambient))
        ),
        np.array(SKIN_SCATTER, np.float32),
        np.float32(SKIN_F0),
        perspective,
        linear.flatten(2).numpy(),
    )
    return linear


def _radiance_torch(surface: Surface, light: Light, camera: Camera, lit: Tensor) -> Tensor:
    scatter = lit.new_tensor(SKIN_SCATTER)[:, None, None]
    bleed = lit.new_tensor(BLEED)[:, None, None]
    if surface.skin is not None:
        scatter, bleed = scatter * surface.skin, bleed * surface.skin
    return reflect(
        surface.albedo,
        surface.normals,
        camera.towards_viewer(surface.positions),
        light,
        key_visibility=lit + bleed * lit * (1 - lit),
        ambient_visibility=interreflected(surface.occlusion, surface.albedo),
        roughness=surface.roughness,
        specular=surface.specular,
        scatter=scatter,
    )


def interreflected(occlusion: Tensor, albedo: Tensor) -> Tensor:
    """Ambient visibility with the light that hollows pass on (Jimenez et al. 2016, eq. 10).

    Without it creases of skin turn grey; with it they are as dark, and red.

    Args:
        occlusion: (B, 1, H, W), share of the surroundings that is seen.
        albedo: (B, 3, H, W), linear.

    Returns:
        (B, 3, H, W), at least the share that is seen.
    """
    # A cubic of the occlusion whose coefficients are linear in the albedo, sorted by the albedo:
    # polynomials of one channel are a third of the work.
    steeper, flat = (
        ((a * occlusion + b) * occlusion + c) * occlusion for a, b, c in zip(*BOUNCE, strict=True)
    )
    return torch.maximum(torch.addcmul(flat, albedo, steeper), occlusion)


def hair_over(linear: Tensor, layer: StrandLayer) -> Tensor:
    """Blend strands over a picture (B, 3, H, W), linear."""
    return linear * (1 - layer.alpha) + layer.colour


def lenses_over(
    linear: Tensor, lenses: Lenses, camera: Camera, light: Light, depth: Tensor
) -> Tensor:
    """Look through lenses: what is behind is dimmed, and the key light shines on them.

    Args:
        linear: (B, 3, H, W).
        lenses: of B people.
        camera: B cameras.
        light: B lights.
        depth: (B, H, W), mm, of what is drawn; lenses behind it are not seen.

    Returns:
        (B, 3, H, W).
    """
    points, view = camera.project(lenses.vertices), camera.view(lenses.vertices)
    size = camera.height, camera.width
    ids, near = z_buffer(points, lenses.triangles, *size, perspective=camera.perspective)
    ids = torch.where(near < depth, ids, -1)
    image, y, x = (ids >= 0).nonzero(as_tuple=True)  # N pixels of few people
    if not len(image):
        return linear
    weights = barycentric(points, lenses.triangles, ids, perspective=camera.perspective)
    there = lenses.vertices.isfinite().all(2, keepdim=True)
    normals = camera.turn(vertex_normals(lenses.vertices.where(there, 0), lenses.triangles))
    values = torch.cat([view.where(there, 0), normals], 2)
    drawn = interpolate(values, lenses.triangles, ids, weights)[image, :, y, x]
    positions, normals = drawn[:, :, None, None].split(3, 1)  # (N, 3, 1, 1)
    normals = unit(normals)
    normals = torch.where(normals[:, 2:] < 0, -normals, normals)
    towards = camera.towards_viewer(positions)
    shine = torch.pi * ggx(normals, light.key_direction[image], towards, 0.12, _LENS_F0)
    mirrored = unit(2 * dot(normals, towards) * normals - towards)
    glow = _LENS_F0 * harmonics.radiance(mirrored, light.ambient[image]).clamp(min=0)
    through = linear[image, :, y, x] * lenses.transmittance[image]
    found = through + light.key_colour[image] * shine[:, :, 0, 0] + glow[:, :, 0, 0]
    pixels = linear.permute(0, 2, 3, 1).index_put((image, y, x), found)
    return pixels.permute(0, 3, 1, 2).contiguous()
