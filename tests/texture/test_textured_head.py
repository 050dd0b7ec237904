"""Pictures of textured heads."""

import pytest
import torch

from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.texture.errors import TextureError
from visage.texture.textured_head import (
    NEW_LIGHTS,
    TexturedHead,
    brightened,
    diffuse_light,
    new_light,
    portrait_camera,
    render_clay,
    render_textured,
)

SIZE = 48


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def heads(texture, level=0.3):
    count = len(texture)
    one = torch.ones(count, 1, 256, 256)
    around = SurfaceMaps(level * one.expand(-1, 3, -1, -1), 0.5 * one, 0 * one, 0 * one)
    return TexturedHead.of(texture, torch.zeros(count, 80), around=around)


def grey(level, count=1):
    return encode_srgb(torch.full((count, 3, 64, 64), level))


def middle(image):
    return image[:, :, SIZE // 2 + 3, SIZE // 2 - 3]  # a cheek


def test_darker_textures_give_darker_faces_on_the_same_head(model):
    both = heads(torch.cat([grey(0.5), grey(0.1)]))
    image = render_textured(model, both, portrait_camera(SIZE, (0, 0)), diffuse_light(2))
    light, dark = (decode_srgb(one) for one in image)
    assert image.shape == (2, 3, SIZE, SIZE)
    centre = (slice(None), SIZE // 2 + 3, SIZE // 2 - 4)
    assert (light[centre] / dark[centre]).mean() == pytest.approx(5, rel=0.15)
    top = (slice(None), 5, SIZE // 2)  # the scalp is not in the texture
    torch.testing.assert_close(light[top], dark[top], atol=0.02, rtol=0)


def test_new_lights_are_unlike_one_another(model):
    one = heads(grey(0.3))
    images = [
        render_textured(model, one, portrait_camera(SIZE), new_light(kind, seed))
        for kind, seed in NEW_LIGHTS
    ]
    for i, first in enumerate(images):
        for second in images[:i]:
            assert (first - second).abs().mean() > 0.02


def test_the_whole_head_is_in_a_portrait_from_every_side(model):
    for yaw in (-90, 0, 45):
        camera = portrait_camera((60, 48), (yaw,))
        x, y, _ = camera.project(model.vertices(torch.zeros(1, 80)))[0].unbind(1)
        face = model.regions["face"] > 0.5
        assert x[face].min() >= 0
        assert x[face].max() <= 47
        assert y[face].min() >= 0
        assert y[face].max() <= 59
        assert camera.angles[0, 1] == pytest.approx(yaw * torch.pi / 180)
    near, far = (portrait_camera(48, shown=shown).focal for shown in (120.0, 240.0))
    assert near == 2 * far


def test_clay_shows_the_shape_and_no_texture(model):
    two = heads(torch.rand(2, 3, 64, 64))
    light, camera = new_light("studio", 3, 2), portrait_camera(SIZE, (0, 0))
    clay = render_clay(model, two, camera, light)
    assert torch.equal(clay[0], clay[1])
    assert (clay - render_textured(model, two, camera, light)).abs().mean() > 0.02
    plain = render_textured(model, heads(grey(0.4), 0.4), portrait_camera(SIZE), light[:1])
    assert (clay[:1] - plain).abs().mean() < 0.04


def test_lights_repeat_and_get_brighter():
    one, other = new_light("studio", 3), new_light("studio", 4)
    assert torch.equal(one.ambient, new_light("studio", 3, 2).ambient[1:])
    assert not torch.equal(one.ambient, other.ambient)
    twice = brightened(one, 2)
    assert torch.equal(twice.key_colour, 2 * one.key_colour)
    assert torch.equal(twice.coefficients(), 2 * one.coefficients())


def test_diffuse_light_shades_every_side_alike(model):
    image = render_textured(model, heads(grey(0.3)), portrait_camera(SIZE), diffuse_light())
    centre = decode_srgb(image)[0, :, SIZE // 2 + 4, :]
    left, right = centre[:, SIZE // 2 - 8], centre[:, SIZE // 2 + 7]
    torch.testing.assert_close(left, right, atol=0.03, rtol=0)


def test_heads_are_chosen_and_checked():
    three = heads(torch.rand(3, 3, 64, 64))
    assert len(three[1:]) == 2
    assert torch.equal(three[[2, 2]].maps.albedo[0], three.maps.albedo[2])
    with pytest.raises(TextureError, match="1 identities, 3 expressions"):
        TexturedHead(torch.zeros(1, 80), torch.zeros(3, 52), three.maps)
    with pytest.raises(TextureError, match="no kind of light called 'moon'"):
        new_light("moon", 0)
