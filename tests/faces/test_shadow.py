"""Shadows with known places and widths, and the compiled loop against plain torch."""

import math

import pytest
import torch

from visage.faces import shadow
from visage.faces.directions import unit
from visage.faces.raster import RasterError
from visage.faces.shadow import key_visibility, shadow_map


def square(middle, size):
    """Four corners and two triangles, facing z."""
    corners = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * size / 2
    return torch.tensor(middle) + corners, torch.tensor([[0, 1, 2], [0, 2, 3]])


def floor_and_roof(height=40.0, size=40.0):
    """A floor of 200 mm at z = 0, and a smaller square above its middle."""
    floor, triangles = square([0.0, 0, 0], 200)
    roof, more = square([0.0, 0, height], size)
    return torch.cat([floor, roof])[None], torch.cat([triangles, more + 4])


def floor_positions(count=81):
    """(1, 3, count, count), from -80 to 80 mm, and normals up."""
    place = torch.linspace(-80, 80, count)
    y, x = torch.meshgrid(place, place, indexing="ij")
    positions = torch.stack([x, y, 0 * x])[None]
    return positions, torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand_as(positions)


def direction(x, y, z):
    return unit(torch.tensor([[float(x), float(y), float(z)]]))


def shade_floor(towards, degrees, texels=128, height=40.0):
    vertices, triangles = floor_and_roof(height)
    positions, normals = floor_positions()
    shadows = shadow_map(vertices, triangles, towards, texels)
    radius = torch.tensor([math.radians(degrees)])
    return positions, key_visibility(positions, normals, radius, shadows)[0, 0]


@pytest.mark.parametrize("towards", [(0, 0, 1), (1, 0, 1), (-0.5, 0.8, 1), (0, -2, 1)])
def test_a_shadow_lies_where_geometry_puts_it(towards):
    """A roof 40 mm up, lit from a slant, shadows what lies 40 mm · tan away."""
    positions, visible = shade_floor(direction(*towards), 0.5)
    # Back along the light to the roof's height.
    hit = positions[0, :2] + 40.0 * torch.tensor(towards)[:2, None, None] / towards[2]
    edge = 20 - hit.abs().amax(0)  # mm inside the roof's outline
    assert (visible[edge > 6] == 0).all()
    assert (visible[edge < -6] == 1).all()
    assert (edge > 6).any()
    assert ((visible > 0.05) & (visible < 0.95)).any()


@pytest.mark.parametrize("degrees", [5.0, 10.0])
@pytest.mark.parametrize("height", [20.0, 40.0])
def test_half_shadows_are_as_wide_as_the_light(degrees, height):
    """2 · height · tan(radius), from full light to full shadow."""
    _, visible = shade_floor(direction(0, 0, 1), degrees, texels=256, height=height)
    row = visible[40]  # through the middle: one edge on each side
    partial = ((row > 0.02) & (row < 0.98)).float().sum() / 2 * 2  # mm, 2 mm to a pixel
    expected = 2 * height * math.tan(math.radians(degrees))
    assert partial.item() == pytest.approx(expected, abs=4)


def test_soft_edges_rise_steadily():
    _, visible = shade_floor(direction(0, 0, 1), 12, texels=256)
    row = visible[40, 40:]
    assert (row.diff() > -0.03).all()
    assert row[0] < 0.05
    assert row[-1] == 1


def sphere(rows=48):
    """A ball of 80 mm, with its true normals."""
    polar = torch.linspace(0, math.pi, rows + 1)[:, None]
    around = torch.arange(2 * rows) * math.pi / rows
    normals = torch.stack(
        [polar.sin() * around.cos(), polar.cos() + 0 * around, polar.sin() * around.sin()], 2
    ).flatten(0, 1)
    index = torch.arange(rows)[:, None] * 2 * rows + torch.arange(2 * rows)
    beside = torch.arange(rows)[:, None] * 2 * rows + torch.arange(2 * rows).roll(-1)
    a, b, c, d = (i.flatten() for i in (index, beside, index + 2 * rows, beside + 2 * rows))
    return normals, torch.cat([torch.stack([a, b, c], 1), torch.stack([b, d, c], 1)])


@pytest.mark.parametrize("towards", [(0, 0, 1), (1, 1, 0), (-3, 1, 0.5)])
@pytest.mark.parametrize("degrees", [0.5, 8.0])
def test_a_ball_does_not_shadow_itself(towards, degrees):
    """At its vertices, where a light of any size is above the horizon."""
    normals, triangles = sphere()
    towards = direction(*towards)
    shadows = shadow_map(80 * normals[None], triangles, towards)
    picture = normals.T[None, :, :, None]
    visible = key_visibility(80 * picture, picture, torch.tensor([math.radians(degrees)]), shadows)
    cosine = normals @ towards[0]
    lit = cosine > 0.15
    assert (visible[0, 0, lit, 0] > 0.9).all()
    away = cosine < -math.sin(math.radians(degrees)) - 1e-3
    assert (visible[0, 0, away, 0] == 0).all()


def random_scene(seed, batch=3):
    generator = torch.Generator().manual_seed(seed)
    vertices = torch.randn(batch, 60, 3, generator=generator) * 60
    triangles = torch.randint(0, 60, (40, 3), generator=generator)
    towards = unit(torch.randn(batch, 3, generator=generator))
    radius = torch.rand(batch, generator=generator) * math.pi / 4
    positions = torch.randn(batch, 3, 12, 13, generator=generator) * 70
    normals = unit(torch.randn(batch, 3, 12, 13, generator=generator))
    normals[:, :, 0] = 0
    positions[:, :, 1, :3] = torch.tensor([torch.nan, torch.inf, 1e30])
    return vertices, triangles, towards, radius, positions, normals


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_both_paths_agree(seed):
    vertices, triangles, towards, radius, positions, normals = random_scene(seed)
    shadows = shadow_map(vertices, triangles, towards, 64)
    spread = radius.tan() * shadows.scale
    compiled = key_visibility(positions, normals, radius, shadows)[:, 0]
    plain = shadow._soften_torch(positions, normals, shadows, radius.sin(), spread)
    assert (compiled - plain).abs().max() < 1e-4
    assert ((compiled > 0.01) & (compiled < 0.99)).float().mean() > 0.1
    assert ((compiled >= 0) & (compiled <= 1)).all()


def test_background_and_places_outside_of_the_map():
    vertices, triangles, towards, radius, positions, normals = random_scene(0)
    shadows = shadow_map(vertices, triangles, towards)
    visible = key_visibility(positions, normals, radius, shadows)
    assert (visible[:, :, 0] == 0).all()
    beyond = positions.clone()
    beyond[:] = 1e4
    towards_all = towards[:, :, None, None].expand_as(positions)
    assert (key_visibility(beyond, towards_all, radius, shadows) == 1).all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e38])
def test_a_head_that_is_not_finite_casts_no_shadow(bad):
    vertices, triangles, towards, radius, positions, normals = random_scene(0)
    shadows = shadow_map(vertices * bad, triangles, towards)
    assert key_visibility(positions, normals, radius, shadows).isfinite().all()


def test_empty():
    vertices, triangles, towards, radius, positions, normals = random_scene(0)
    none = shadow_map(vertices[:0], triangles, towards[:0])
    assert key_visibility(positions[:0], normals[:0], radius[:0], none).shape == (0, 1, 12, 13)
    bare = shadow_map(vertices[:, :0], triangles[:0], towards)
    facing = (normals * towards[:, :, None, None]).sum(1) > 0
    assert (key_visibility(positions, normals, radius, bare)[:, 0][facing] == 1).all()


def test_shadows_are_constants():
    vertices, triangles, towards, radius, positions, normals = random_scene(0)
    vertices, positions = vertices.requires_grad_(), positions.requires_grad_()
    shadows = shadow_map(vertices, triangles, towards)
    assert not shadows.depth.requires_grad
    assert not key_visibility(positions, normals, radius, shadows).requires_grad


def test_double_precision():
    vertices, triangles, towards, radius, positions, normals = random_scene(0)
    single = key_visibility(positions, normals, radius, shadow_map(vertices, triangles, towards))
    shadows = shadow_map(vertices.double(), triangles, towards.double())
    double = key_visibility(positions.double(), normals.double(), radius.double(), shadows)
    assert double.dtype == torch.float64
    assert (double - single).abs().mean() < 1e-3


SCENE = random_scene(0)


def call_map(vertices=SCENE[0], triangles=SCENE[1], towards=SCENE[2], size=16):
    return shadow_map(vertices, triangles, towards, size)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: call_map(towards=SCENE[2][:1]), r"expected \(3, 3\), one a head"),
        (lambda: call_map(size=2), "at least 8×8"),
        (lambda: call_map(triangles=SCENE[1] + 60), "another mesh"),
        (lambda: call_map(vertices=SCENE[0][0]), r"expected \(B, V, 3\)"),
        (
            lambda: key_visibility(SCENE[4][:2], SCENE[5], SCENE[3], call_map()),
            r"expected \(3, 3, H, W\)",
        ),
        (lambda: key_visibility(SCENE[4], SCENE[5][:1], SCENE[3], call_map()), "normals are"),
        (lambda: key_visibility(SCENE[4], SCENE[5], SCENE[3][:1], call_map()), "one a light"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(RasterError, match=message):
        call()
