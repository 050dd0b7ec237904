"""Heads with synthesised faces by a path tracer: Mitsuba 3 (Jakob et al. 2022), where installed.

As the paper's renderings (section 6): light from an environment, light that bounces, a glossy
principled skin (Burley 2012), and relief from the synthesised texture. What lies below the skin is
not traced: a little of Burley's flat approximation stands in for it. ``pip install mitsuba``
brings what is needed; nothing else in the library depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from visage.faces.camera import Camera, Perspective, WeakPerspective
from visage.faces.harmonics import radiance
from visage.faces.light import Light
from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.texture.errors import RenderError
from visage.texture.head_mesh import seamed_mesh
from visage.texture.textured_head import TexturedHead

_VARIANT = "scalar_rgb"  # works as installed; the others want a compiler of LLVM's
_INTEGRATOR = {"type": "path", "hide_emitters": True}
_FAR = 4000.0  # mm to the camera that stands in for weak perspective


@dataclass(frozen=True)
class Skin:
    """What Mitsuba's principled material is told of skin, beside what the maps hold."""

    flatness: float = 0.3  # share of Burley's approximation of scattering below the surface
    specular: float = 0.35  # a refractive index of about 1.4 (d'Eon and Luebke 2007)
    relief: float = 1.0  # of the maps' height


@dataclass(frozen=True)
class Tracing:
    """How paths are traced."""

    samples: int = 64  # a pixel; noise halves with four times as many
    depth: int = 5  # bounces, of which the first two carry nearly all of the light on a head
    environment: int = 256  # texels of the environment's height
    narrowest: float = math.radians(2.5)  # of the key light: the sun would be less than a texel
    seed: int = 0


def has_mitsuba() -> bool:
    """Whether `render_with_mitsuba` can be used here."""
    try:
        with _mitsuba():
            return True
    except RenderError:
        return False


def render_with_mitsuba(
    model: MorphableModel,
    heads: TexturedHead,
    camera: Camera,
    light: Light,
    *,
    skin: Skin = Skin(),
    tracing: Tracing = Tracing(),
    background: float = 0.045,
) -> Tensor:
    """Trace pictures of heads.

    Args:
        model: at the level of subdivision that the pictures shall have.
        heads: B.
        camera: B cameras; weak perspective becomes a camera far away.
        light: B lights.
        skin: of everybody.
        tracing: how finely.
        background: linear grey behind the heads; they are lit by `light` alone.

    Returns:
        (B, 3, H, W), sRGB, in [0, 1].

    Raises:
        RenderError: Mitsuba is not installed, or there are not as many heads, cameras and lights.
    """
    with _mitsuba() as mi:
        if not len(heads) == len(camera) == len(light):
            raise RenderError(
                f"{len(heads)} heads, {len(camera)} cameras and {len(light)} lights; give as many"
            )
        if isinstance(camera, WeakPerspective):
            camera = camera.at_distance(torch.full((len(camera),), _FAR))
        vertices = camera.view(model.vertices(heads.identity, heads.expression))
        pictures = []
        for i in range(len(heads)):
            material = _material(mi, heads[[i]], skin)
            scene = mi.load_dict(
                {
                    "type": "scene",
                    "integrator": _INTEGRATOR | {"max_depth": tracing.depth},
                    "sensor": _sensor(mi, camera, i, tracing),
                    "light": _environment(mi, light[i : i + 1], tracing),
                    "head": _mesh(mi, model, vertices[i], material),
                }
            )
            traced = np.array(mi.render(scene, spp=tracing.samples, seed=tracing.seed + i))
            pictures.append(_over(torch.from_numpy(traced).float(), background))
    return torch.stack(pictures)


def _over(traced: Tensor, background: float) -> Tensor:
    """A traced picture (H, W, 4), linear, before a grey: (3, H, W), sRGB."""
    colour, covered = traced.permute(2, 0, 1).split([3, 1])
    return encode_srgb((colour + (1 - covered) * background).clamp(0, 1)).clamp(0, 1)


def environment_map(light: Light, height: int, narrowest: float) -> Tensor:
    """The light of one scene, as a picture of all directions.

    Row 0 is above, the middle of the picture is in the direction of the camera (z), x is to the
    right of it. A key light narrower than `narrowest` is drawn as wide, and as strong in all.

    Args:
        light: one.
        height: of the picture; it is twice as wide.
        narrowest: angular radius, radians.

    Returns:
        (3, height, 2 height), radiance, linear, nowhere negative.
    """
    polar = (torch.arange(height) + 0.5) * math.pi / height
    around = (torch.arange(2 * height) + 0.5) * math.pi / height - math.pi
    polar, around = torch.meshgrid(polar, around, indexing="ij")
    towards = torch.stack([polar.sin() * around.sin(), polar.cos(), polar.sin() * around.cos()])[
        None
    ]
    seen = radiance(towards, light.ambient[:1])[0].clamp(min=0)
    radius = light.key_radius[0].clamp(min=narrowest)
    inside = (towards[0] * light.key_direction[0, :, None, None]).sum(0) >= radius.cos()
    # Of the texels that it really covers, so that no light is lost to their roundness.
    covered = (inside * polar.sin()).sum() * (math.pi / height) ** 2
    strength = math.pi * light.key_colour[0] * _facing(radius) / covered.clamp(min=1e-9)
    return seen + inside * strength[:, None, None]


def _facing(radius: Tensor) -> Tensor:
    """Solid angle of a disc over its projection: 2π (1 - cos a) / (π sin² a)."""
    return 2 / (1 + radius.cos())


@contextmanager
def _mitsuba() -> Iterator[ModuleType]:
    """Mitsuba in the variant that is used here; the caller's own variant is set again after."""
    try:
        import mitsuba as mi
    except ImportError:
        raise RenderError(
            "Mitsuba is not installed; run `pip install mitsuba`, or render with "
            "visage.texture.textured_head.render_textured, which needs nothing more"
        ) from None
    before = mi.variant()
    mi.set_variant(_VARIANT)
    try:
        yield mi
    finally:
        if before is not None:
            mi.set_variant(before)


def _sensor(mi: ModuleType, camera: Perspective, i: int, tracing: Tracing) -> dict:
    height, width, focal = camera.height, camera.width, float(camera.focal[i])
    # The view frame, in which everything here lives, has the camera at its origin.
    ahead = mi.ScalarTransform4f().look_at(origin=[0, 0, 0], target=[0, 0, -1], up=[0, 1, 0])
    return {
        "type": "perspective",
        "to_world": ahead,
        "fov_axis": "x",
        "fov": math.degrees(2 * math.atan(width / 2 / focal)),
        "near_clip": 10.0,
        "far_clip": 100_000.0,
        "film": {
            **{"type": "hdrfilm", "width": width, "height": height, "pixel_format": "rgba"},
            "filter": {"type": "box"},
        },
        "sampler": {"type": "multijitter", "sample_count": tracing.samples},
    }  # fmt: skip


def _environment(mi: ModuleType, light: Light, tracing: Tracing) -> dict:
    picture = environment_map(light, tracing.environment, tracing.narrowest)
    # Mitsuba looks at its environment from inside: what is to the right of +z comes first.
    return {"type": "envmap", "bitmap": mi.Bitmap(_hwc(picture.flip(2)))}


def _material(mi: ModuleType, head: TexturedHead, skin: Skin) -> dict:
    maps = head.maps

    def texture(values: Tensor) -> dict:
        return {
            "type": "bitmap",
            "bitmap": mi.Bitmap(_hwc(values[0])),
            "raw": True,
            "wrap_mode": "clamp",
        }

    return {
        "type": "twosided",
        "material": {
            "type": "bumpmap",
            # Along the normal for a step of 1 in u: mm are what vertices are in.
            "arbitrary": texture(maps.height),
            "scale": skin.relief,
            "bsdf": {
                "type": "principled",
                "base_color": texture(maps.albedo),
                "roughness": texture(maps.roughness),
                "specular": skin.specular,
                "flatness": skin.flatness,
            },
        },
    }


def _mesh(mi: ModuleType, model: MorphableModel, vertices: Tensor, material: dict) -> object:
    """One head, (V, 3) mm in the view frame."""
    cut = seamed_mesh(model)
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(material)
    mesh = mi.Mesh("head", len(cut.corners), len(cut.triangles), properties,
                   has_vertex_normals=True, has_vertex_texcoords=True)  # fmt: skip
    parameters = mi.traverse(mesh)
    filled = {
        "vertex_positions": cut.places(vertices),
        "vertex_normals": cut.normals(vertices, model),
        "vertex_texcoords": cut.uv,
    }
    for name, values in filled.items():
        parameters[name] = np.ascontiguousarray(values.detach().numpy(), np.float32).ravel()
    parameters["faces"] = cut.triangles.numpy().astype(np.uint32).ravel()
    parameters.update()
    return mesh


def _hwc(image: Tensor) -> np.ndarray:
    return np.ascontiguousarray(image.detach().permute(1, 2, 0).numpy(), np.float32)
