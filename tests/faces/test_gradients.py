"""The whole chain, from vertices, camera, albedo and light to pixels, by finite differences."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from visage.faces.camera import WeakPerspective
from visage.faces.directions import unit
from visage.faces.light import Light, sample_lights
from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.faces.reflectance import encode_srgb, reflect

SIZE = 9


def dome():
    """A cap of a ball, 60 mm high, facing the camera: vertices (V, 3) and triangles."""
    tilt = torch.tensor([0.0, 0.5, 1.0, 1.4], dtype=torch.float64)[:, None]
    around = torch.arange(6) * math.pi / 3 + 0.1
    vertices = 60 * torch.stack(
        [tilt.sin() * around.cos(), tilt.sin() * around.sin(), tilt.cos() + 0 * around], 2
    )
    index = torch.arange(3)[:, None] * 6
    a, b = (index + torch.arange(6)).flatten(), (index + torch.arange(6).roll(-1)).flatten()
    triangles = torch.cat([torch.stack([a, a + 6, b], 1), torch.stack([b, a + 6, b + 6], 1)])
    return vertices.flatten(0, 1), triangles


def vertex_normals(vertices, triangles):
    a, b, c = vertices[:, triangles].unbind(2)
    faces = torch.linalg.cross(b - a, c - a, dim=2)
    index = triangles.T.flatten()
    return unit(torch.zeros_like(vertices).index_add(1, index, faces.repeat(1, 3, 1)), dim=2)


@pytest.fixture(scope="module")
def start():
    vertices, triangles = dome()
    light = sample_lights(1, torch.Generator().manual_seed(4)).to(torch.float64)
    generator = torch.Generator().manual_seed(0)
    leaves = {
        "vertices": vertices[None],
        "albedo": torch.rand(1, len(vertices), 3, generator=generator, dtype=torch.float64),
        "angles": torch.tensor([[0.1, -0.2, 0.05]], dtype=torch.float64),
        "translation": torch.tensor([[1.0, -2.0]], dtype=torch.float64),
        "size": torch.tensor([0.06], dtype=torch.float64),
        "distance": torch.tensor([400.0], dtype=torch.float64),
        "ambient": light.ambient,
        "key_direction": unit(torch.tensor([[0.4, 0.5, 0.8]], dtype=torch.float64)),
        "key_colour": light.key_colour,
        "key_radius": light.key_radius,
    }
    return triangles, leaves


@pytest.mark.parametrize("perspective", [False, True], ids=["weak", "perspective"])
def test_every_parameter_of_a_picture(start, perspective):
    triangles, leaves = start
    names = [name for name in leaves if perspective or name != "distance"]
    fixed = {}

    def render(*values):
        p = dict(zip(names, values, strict=True))
        camera = WeakPerspective(p["angles"], p["translation"], SIZE, SIZE, scale=p["size"])
        if perspective:
            camera = camera.at_distance(p["distance"])
        light = Light(p["ambient"], unit(p["key_direction"]), p["key_colour"], p["key_radius"])
        points, view = camera.project(p["vertices"]), camera.view(p["vertices"])
        if not fixed:
            fixed["ids"] = visible_triangles(points, triangles, SIZE, SIZE, perspective=perspective)
        ids = fixed["ids"]
        weights = barycentric(points, triangles, ids, perspective=perspective)
        normals = camera.turn(vertex_normals(p["vertices"], triangles))
        buffers = torch.cat([p["albedo"], normals, view, points[..., 2:]], 2)
        drawn = interpolate(buffers, triangles, ids, weights)
        albedo, normals, positions, depth = drawn.split([3, 3, 3, 1], 1)
        radiance = reflect(albedo, unit(normals), camera.towards_viewer(positions), light)
        return encode_srgb(radiance), depth

    values = [leaves[name].clone().requires_grad_() for name in names]
    picture, depth = render(*values)
    assert (fixed["ids"] >= 0).float().mean() > 0.3
    assert picture.amax() > 0.2
    gradients = torch.autograd.grad(picture.sum() + depth.sum(), values)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    assert gradcheck(render, values, atol=1e-5, rtol=1e-3)
