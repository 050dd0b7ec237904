"""A scene with every parameter, and the picture of it with every answer.

`render` draws the morphable head with textures, light and soft shadows; strands of hair, clothing,
glasses and a background where the scene has them. What it returns beside the picture (depth,
normals, texture coordinates, ...) is of the bare head, as if hair and clothing were air: the
answers that the parts of the book train on and measure against.

The picture is differentiable in identity, expression, camera, light, textures and background.
Hair, what is worn, and shadows are constants to the derivatives, and so is which surface a pixel
sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from visage.faces.buffers import Buffers, draw_buffers
from visage.faces.camera import Camera
from visage.faces.hair.strands import Strands, draw_strands
from visage.faces.light import Light
from visage.faces.reflectance import encode_srgb
from visage.faces.relief import relief
from visage.faces.shading import (
    Surface,
    cast_shadows,
    hair_over,
    lenses_over,
    radiance,
    worn_over,
)
from visage.faces.shadow import ShadowMap
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.faces.wear import Lenses, Wear

GREY = 0.18
"""Linear albedo, and background, of a scene that has none: middle grey."""

RELIEF_SIZE = 512
"""Texels a side from which textures resolve wrinkles; the relief of smaller ones is not drawn."""


class SceneError(ValueError):
    """A scene of which no picture can be taken."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that makes a picture of B faces.

    Raises:
        SceneError: the parts are not of one batch, or hold NaN.
    """

    identity: Tensor  # (B, K), standard deviations
    expression: Tensor  # (B, 52)
    camera: Camera  # B cameras
    light: Light  # B lights
    maps: SurfaceMaps | None = None  # B textures; None is a grey head
    strands: Sequence[Strands] | None = None  # B faces' hair, brows, lashes and beards
    wear: Wear | None = None  # B people's clothes and glasses' frames
    lenses: Lenses | None = None  # of the glasses, seen through
    background: Tensor | None = None  # (B, 3, H, W), linear; None is grey

    def __post_init__(self):
        batch = len(self.identity)
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and len(value) != batch:
                raise SceneError(
                    f"the scene has {batch} identities, but {len(value)} in {field.name}"
                )
        for name in ("identity", "expression"):
            if not getattr(self, name).isfinite().all():
                raise SceneError(f"{name} holds NaN or infinity; check how it was computed")
        picture = (batch, 3, self.camera.height, self.camera.width)
        if self.background is not None and tuple(self.background.shape) != picture:
            raise SceneError(
                f"the background is {tuple(self.background.shape)}; expected {picture}"
            )

    def __len__(self) -> int:
        """Faces in the batch."""
        return len(self.identity)


@dataclass(frozen=True, eq=False)
class Render:
    """A picture of B faces, and its answers, all of the bare head unless it says otherwise."""

    image: Tensor  # (B, 3, H, W), sRGB, in [0, 1]
    mask: Tensor  # (B, 1, H, W), 1 where the head is
    seen: Tensor  # (B, 1, H, W), share of the pixel that shows it: not hair, clothes or glasses
    depth: Tensor  # (B, 1, H, W), mm, larger is farther; infinite where the mask is 0
    normals: Tensor  # (B, 3, H, W), unit vectors, view frame; zero where the mask is 0
    pncc: Tensor  # (B, 3, H, W), place on the mean head in [0, 1] (Zhu et al. 2016); else zero
    uv: Tensor  # (B, 2, H, W), texture coordinates; zero where the mask is 0
    albedo: Tensor  # (B, 3, H, W), linear; zero where the mask is 0
    ids: Tensor  # (B, H, W) int32, triangle of `model.triangles`, -1 where the mask is 0
    landmarks: Tensor  # (B, 68, 2), pixels
    vertices: Tensor  # (B, V, 3), mm, head frame

    def __len__(self) -> int:
        """Faces in the batch."""
        return len(self.image)


def render(model: MorphableModel, scene: Scene, *, supersample: int = 1) -> Render:
    """Take the picture.

    Args:
        model: on the scene's device.
        scene: B faces.
        supersample: pixels of the image are means of so many by so many; the other pictures are
            sampled at the pixels' centres. 1 is for training, 2 or more for looking at.

    Returns:
        Render. A face behind the camera or outside of the frame has an empty mask.

    Raises:
        SceneError: `supersample` is below 1.
        FaceShapeError: identity or expression do not fit the model.

    >>> from visage.faces.camera import WeakPerspective
    >>> from visage.faces.light import sample_lights
    >>> model = MorphableModel.load()
    >>> camera = WeakPerspective(
    ...     torch.zeros(1, 3), torch.zeros(1, 2), 64, 64, scale=torch.tensor([0.2])
    ... )
    >>> light = sample_lights(1, torch.Generator().manual_seed(0))
    >>> scene = Scene(torch.zeros(1, 80), torch.zeros(1, 52), camera, light)
    >>> render(model, scene).image.shape
    torch.Size([1, 3, 64, 64])
    """
    if supersample < 1:
        raise SceneError(f"supersample is {supersample}; give at least 1")
    vertices = model.vertices(scene.identity, scene.expression)
    normals = model.normals(vertices)
    camera = scene.camera
    buffers = draw_buffers(model, camera, vertices, normals)
    shadows = cast_shadows(model, camera, scene.light, vertices, scene.wear, scene.strands)
    # The relief of pores only matters where it is seen: in the finest picture.
    surface = _surface(scene, buffers, raised=supersample == 1)
    if supersample == 1:
        linear, seen = _picture(scene, surface, buffers.mask, shadows)
    else:
        fine = _magnified(scene, supersample)
        finer = draw_buffers(model, fine.camera, vertices, normals)
        linear, seen = _picture(fine, _surface(fine, finer), finer.mask, shadows)
        # What is brighter than white stays white: a glint must not spread over its neighbours.
        linear = avg_pool2d(linear.clamp(max=1), supersample)
        seen = avg_pool2d(seen, supersample)
    corners = model.landmark_vertices(camera.angles[:, 1].detach())
    found = vertices.gather(1, corners[..., None].expand(-1, -1, 3))
    return Render(
        image=encode_srgb(linear).clamp(0, 1),
        mask=buffers.mask,
        seen=seen,
        depth=buffers.depth,
        normals=buffers.normals,
        pncc=buffers.pncc,
        uv=buffers.uv,
        albedo=buffers.mask * surface.albedo,
        ids=buffers.ids,
        landmarks=camera.project(found)[..., :2],
        vertices=vertices,
    )


def _magnified(scene: Scene, factor: int) -> Scene:
    background = scene.background
    if background is not None:
        background = background.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    return replace(scene, camera=scene.camera.magnified(factor), background=background)


def _picture(
    scene: Scene, surface: Surface, seen: Tensor, shadows: ShadowMap
) -> tuple[Tensor, Tensor]:
    """The linear picture (B, 3, H, W), and the share of each pixel (B, 1, H, W) that is head."""
    camera, light = scene.camera, scene.light
    if scene.wear is not None:
        surface = worn_over(surface, scene.wear, camera)
        seen = seen * surface.skin
    linear = radiance(surface, light, camera, shadows)
    behind = linear.new_tensor(GREY) if scene.background is None else scene.background
    linear = torch.where(surface.depth[:, None].isfinite(), linear, behind)
    depth = surface.depth.detach()
    if scene.strands is not None:
        layer = draw_strands(scene.strands, camera, light, depth, shadows=shadows)
        linear, seen = hair_over(linear, layer), seen * (1 - layer.alpha)
        depth = torch.minimum(depth, layer.depth)
    if scene.lenses is not None:
        linear = lenses_over(linear, scene.lenses, camera, light, depth)
    return linear, seen


def _surface(scene: Scene, buffers: Buffers, *, raised: bool = True) -> Surface:
    """What the bare head is made of, at each pixel; with its relief where it is `raised`."""
    normals = buffers.normals
    if scene.maps is None:
        albedo = torch.full_like(normals, GREY)
        roughness, specular = (torch.full_like(buffers.mask, value) for value in (0.45, 1.0))
    else:
        albedo, roughness, specular, height = scene.maps.seen(buffers.uv, buffers.ids)
        if raised and scene.maps.size >= RELIEF_SIZE:
            normals = relief(normals, buffers.positions, height)
    depth = buffers.depth[:, 0]
    return Surface(
        *(buffers.positions, normals, albedo, buffers.occlusion, roughness, specular, None, depth)
    )
