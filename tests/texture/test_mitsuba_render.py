"""Heads by a path tracer, where it is installed; the light it is given, everywhere."""

import math
import sys

import pytest
import torch

from visage.faces.directions import sphere_directions
from visage.faces.harmonics import radiance, shade
from visage.faces.light import Light
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.texture.errors import RenderError
from visage.texture.mitsuba_render import (
    Tracing,
    environment_map,
    has_mitsuba,
    render_with_mitsuba,
)
from visage.texture.textured_head import (
    TexturedHead,
    new_light,
    portrait_camera,
    render_textured,
)

needs_mitsuba = pytest.mark.skipif(not has_mitsuba(), reason="needs Mitsuba: pip install mitsuba")


def key_light(direction, radius=0.2):
    direction = torch.nn.functional.normalize(torch.tensor([direction]), dim=1)
    return Light(torch.zeros(1, 9, 3), direction, torch.tensor([[1.0, 0.5, 0.25]]),
                 torch.tensor([radius]))  # fmt: skip


def shading(picture, normal):
    """E/π of a white surface under a picture of all directions, summed texel by texel."""
    height = picture.shape[1]
    total = torch.zeros(3)
    for row in range(height):
        polar = (row + 0.5) * math.pi / height
        for column in range(2 * height):
            around = (column + 0.5) * math.pi / height - math.pi
            towards = torch.tensor([math.sin(polar) * math.sin(around), math.cos(polar),
                                    math.sin(polar) * math.cos(around)])  # fmt: skip
            cosine = max(0.0, float(towards @ normal))
            solid = math.sin(polar) * (math.pi / height) ** 2
            total += picture[:, row, column] * cosine * solid / math.pi
    return total


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (0.6, 0.5, 0.4), (-1.0, 0.1, 0.0)])
def test_a_key_light_shades_what_faces_it_as_much(direction):
    light = key_light(direction)
    found = shading(environment_map(light, 48, 0.1), light.key_direction[0])
    torch.testing.assert_close(found, light.key_colour[0], rtol=0.02, atol=0)


def test_narrow_lights_are_widened_and_stay_as_strong():
    light = key_light((0.0, 0.3, 1.0), radius=0.004)
    found = shading(environment_map(light, 48, 0.15), light.key_direction[0])
    torch.testing.assert_close(found, light.key_colour[0], rtol=0.03, atol=0)


def test_surroundings_are_those_of_the_harmonics():
    light = new_light("room", 0)
    ambient = Light(light.ambient, light.key_direction, 0 * light.key_colour, light.key_radius)
    picture = environment_map(ambient, 32, 0.1)
    assert picture.min() >= 0
    middle = picture[:, 15:17, 31:33].mean((1, 2))  # about +z
    wanted = radiance(torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1), light.ambient)
    torch.testing.assert_close(middle, wanted.flatten().clamp(min=0), rtol=0.05, atol=0.02)
    right = picture[:, 15:17, 47:49].mean((1, 2))
    wanted = radiance(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1), light.ambient)
    torch.testing.assert_close(right, wanted.flatten().clamp(min=0), rtol=0.05, atol=0.02)
    if (radiance(sphere_directions(64).float().T[None, :, :, None], light.ambient) > 0).all():
        up = torch.tensor([0.0, 1.0, 0.0])
        lit = shade(up.view(1, 3, 1, 1), light.ambient).flatten()
        torch.testing.assert_close(shading(picture, up), lit, rtol=0.03, atol=0.01)


def test_without_mitsuba_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    assert not has_mitsuba()
    with pytest.raises(RenderError, match="pip install mitsuba"):
        render_with_mitsuba(None, None, None, None)


@needs_mitsuba
def test_the_path_tracer_agrees_with_our_renderer():
    model = MorphableModel.load()
    one = torch.ones(1, 1, 128, 128)
    stripes = 0.2 + 0.3 * (torch.arange(128) // 8 % 2).float().expand(1, 3, 128, 128)
    head = TexturedHead(torch.zeros(1, 80), torch.zeros(1, 52),
                        SurfaceMaps(stripes, 0.6 * one, 0 * one, 0 * one))  # fmt: skip
    camera = portrait_camera(64, (20,))
    for light in (key_light((0.6, 0.4, 0.7), 0.3), new_light("room", 1)):
        ours = render_textured(model, head, camera, light)
        traced = render_with_mitsuba(model, head, camera, light, tracing=Tracing(samples=16))
        assert (ours - traced).abs().mean() < 0.05
        assert (ours - traced.flip(3)).abs().mean() > 2 * (ours - traced).abs().mean()


@needs_mitsuba
def test_as_many_cameras_as_heads_are_needed():
    one = torch.ones(1, 1, 128, 128)
    head = TexturedHead(torch.zeros(1, 80), torch.zeros(1, 52),
                        SurfaceMaps(one.expand(-1, 3, -1, -1), one, one, one))  # fmt: skip
    with pytest.raises(RenderError, match="1 heads, 2 cameras and 1 lights"):
        render_with_mitsuba(None, head, portrait_camera(8, (0, 0)), new_light("room", 1))
