"""Run with ``pytest tests/benchmarks/test_raster_speed.py --benchmark-enable``.

One thread, 16 pictures at a time of a head-sized mesh of 9,936 triangles that fills them as a head
does. `images_per_second`, of the best round, stands in the saved JSON (``--benchmark-json``) and is
printed with ``-s``.
"""

import math
import time

import pytest
import torch

from visage.faces import visibility
from visage.faces.camera import WeakPerspective
from visage.faces.directions import unit
from visage.faces.light import sample_lights
from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.faces.reflectance import encode_srgb, reflect
from visage.faces.shadow import key_visibility, shadow_map
from visage.faces.speed_reproduce import naive_visibility

BATCH = 16


@pytest.fixture(scope="module")
def head():
    """Vertices (V, 3) in mm, normals (V, 3) and triangles (9936, 3) of a bumpy ellipsoid."""
    polar = torch.linspace(0.02, math.pi - 0.02, 70)[:, None]
    around = torch.arange(72) * 2 * math.pi / 72
    radius = 1 + 0.08 * torch.sin(5 * around) * torch.sin(4 * polar)
    vertices = torch.stack(
        [
            75 * radius * polar.sin() * around.cos(),
            110 * radius * polar.cos(),
            95 * radius * polar.sin() * around.sin(),
        ],
        2,
    ).flatten(0, 1)
    start = torch.arange(69)[:, None] * 72
    a, b = (start + torch.arange(72)).flatten(), (start + torch.arange(72).roll(-1)).flatten()
    triangles = torch.cat([torch.stack([a, b, a + 72], 1), torch.stack([b, b + 72, a + 72], 1)])
    return vertices, unit(vertices), triangles


def cameras(size):
    angles = torch.rand(BATCH, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    scale = torch.full((BATCH,), size / 250)
    return WeakPerspective(angles, torch.zeros(BATCH, 2), size, size, scale=scale)


def report(benchmark, images=BATCH):
    if benchmark.stats is None:  # benchmarks are disabled: the code ran once, as a test
        return
    rate = images / benchmark.stats.stats.min
    benchmark.extra_info["images_per_second"] = rate
    print(f"\n{benchmark.name}: {rate:.0f} images/s")


@pytest.mark.benchmark(group="visibility, 128²")
def test_naive_visibility(benchmark, head):
    vertices, _, triangles = head
    points = cameras(128).project(vertices[None])
    ids = benchmark(naive_visibility, points[0], triangles, 128, 128)
    report(benchmark, 1)
    assert torch.equal(ids, visible_triangles(points[:1], triangles, 128, 128)[0].long())


def test_compiled_beats_naive(head):
    """By far: measured in the same second, so that a busy machine slows both."""
    vertices, _, triangles = head
    points = cameras(128).project(vertices[None])
    visible_triangles(points, triangles, 128, 128)
    start = time.perf_counter()
    naive_visibility(points[0], triangles, 128, 128)
    middle = time.perf_counter()
    visible_triangles(points, triangles, 128, 128)
    assert (middle - start) > 10 * (time.perf_counter() - middle) / BATCH


@pytest.mark.parametrize("size", [128, 224, 512])
def test_visibility(benchmark, head, size):
    vertices, _, triangles = head
    points = cameras(size).project(vertices[None])
    benchmark.group = f"visibility, {size}²"
    ids = benchmark(visible_triangles, points, triangles, size, size)
    report(benchmark)
    assert (ids >= 0).float().mean() > 0.3


@pytest.mark.benchmark(group="visibility, 128²")
def test_visibility_in_torch(benchmark, head):
    """The path of other devices, on this one."""
    vertices, _, triangles = head
    points = visibility._with_key(cameras(128).project(vertices[None]), False)
    nothing = torch.full((BATCH, 128, 128), -torch.inf)
    ids, _ = benchmark(visibility._draw_torch, points, triangles, nothing)
    report(benchmark)
    expected = visible_triangles(points, triangles, 128, 128)
    assert torch.equal(ids, expected)


def shaded(camera, vertices, normals, albedo, triangles, light):
    """A training picture: geometry, soft shadows, diffuse and specular light, sRGB."""
    view = camera.view(vertices)
    points = camera.project(vertices)
    ids = visible_triangles(points, triangles, camera.height, camera.width)
    weights = barycentric(points, triangles, ids)
    buffers = torch.cat([albedo, camera.turn(normals), view], 2)
    albedo, normals, positions = interpolate(buffers, triangles, ids, weights).split(3, 1)
    normals = unit(normals)
    shadows = shadow_map(view, triangles, light.key_direction)
    visible = key_visibility(positions, normals, light.key_radius, shadows)
    towards = camera.towards_viewer(positions)
    return encode_srgb(reflect(albedo, normals, towards, light, key_visibility=visible))


@pytest.fixture(scope="module")
def scene(head):
    vertices, normals, triangles = head
    albedo = torch.rand(BATCH, *vertices.shape, generator=torch.Generator().manual_seed(1))
    light = sample_lights(BATCH, torch.Generator().manual_seed(2))
    heads = vertices.expand(BATCH, -1, -1)
    return cameras(128), heads, normals.expand(BATCH, -1, -1), albedo, triangles, light


@pytest.mark.benchmark(group="shaded, 128²")
def test_shaded(benchmark, scene):
    with torch.no_grad():
        pictures = benchmark(shaded, *scene)
    report(benchmark)
    assert pictures.shape == (BATCH, 3, 128, 128)
    assert 0.05 < pictures.mean() < 0.6


@pytest.mark.benchmark(group="shaded, 128²")
def test_shaded_with_gradients(benchmark, scene):
    """Forwards, and backwards to vertices and albedo: a step of a fit."""
    camera, vertices, normals, albedo, triangles, light = scene

    def step():
        leaves = vertices.clone().requires_grad_(), albedo.clone().requires_grad_()
        pictures = shaded(camera, leaves[0], normals, leaves[1], triangles, light)
        return torch.autograd.grad(pictures.square().mean(), leaves)

    gradients = benchmark(step)
    report(benchmark)
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)
