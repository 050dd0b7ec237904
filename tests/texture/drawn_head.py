"""A head of the model itself, drawn without anything that a fit does not know of."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.buffers import draw_buffers, drawn_triangles
from visage.faces.camera import Perspective
from visage.faces.harmonics import shade
from visage.faces.light import LIGHT_KINDS, sample_lights
from visage.faces.raster import barycentric, interpolate
from visage.faces.reflectance import encode_srgb
from visage.texture.fit_surface import shipped_surface


@dataclass(frozen=True, eq=False)
class DrawnHead:
    """A picture and its answers."""

    image: Tensor  # (1, 3, S, S)
    identity: Tensor
    expression: Tensor
    camera: Perspective
    light: Tensor  # (1, 9, 3)
    albedo: Tensor  # (1, V, 3), linear
    vertices: Tensor  # (1, V, 3)
    landmarks: Tensor  # (1, 68, 2)


@lru_cache(maxsize=2)
def drawn_head(yaw: float = 0.3, size: int = 160) -> DrawnHead:
    """A person of the sampled kind, in a soft light, Lambertian."""
    surface = shipped_surface()
    model, generator = surface.model, torch.Generator().manual_seed(3)
    identity = model.sample_identity(1, generator)
    expression = surface.priors.expression.mean[None].clone()
    expression[:, model.expression_names.index("jawOpen")] += 0.1
    ones = torch.ones(1)
    camera = Perspective(
        torch.tensor([[0.05, yaw, -0.03]]), torch.tensor([[-20.0, 10.0]]), size, size,
        focal=ones * size * 4.2, distance=ones * 1100,
    )  # fmt: skip
    overcast = tuple(kind for kind in LIGHT_KINDS if kind.name == "overcast")
    light = sample_lights(1, generator, overcast).coefficients()
    albedo = surface.priors.albedo.albedo(0.6 * torch.randn(1, 30, generator=generator))
    vertices = model.vertices(identity, expression)
    buffers = draw_buffers(model, camera, vertices, model.normals(vertices))
    points = camera.project(vertices)
    triangles = drawn_triangles(model)
    weights = barycentric(points, triangles, buffers.ids, perspective=True)
    linear = interpolate(albedo, triangles, buffers.ids, weights)
    linear = linear * shade(buffers.normals, light).clamp(min=0.02)
    image = torch.where(buffers.mask > 0, encode_srgb(linear), 0.4).clamp(0, 1)
    corners = model.landmark_vertices(camera.angles[:, 1])
    landmarks = points.gather(1, corners[..., None].expand(-1, -1, 3))[..., :2]
    return DrawnHead(image, identity, expression, camera, light, albedo, vertices, landmarks)
