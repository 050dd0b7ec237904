from dataclasses import replace

import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.light import Light
from visage.faces.reflectance import decode_srgb
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.partial_albedo import (
    PartialAlbedoConfig,
    PartialAlbedoError,
    partial_albedo,
)
from visage.texture.window import face_region, paste

PIXELS, SIZE = 256, 128
SH = PartialAlbedoConfig(relight=False, specular=False, even=0.0)


@pytest.fixture(scope="module")
def scene():
    """A finely checkered face in a slanting light: its picture, and its texture."""
    model = MorphableModel.load()
    place = torch.arange(SIZE) // 4
    board = ((place[:, None] + place[None]) % 2).float() * 0.06 - 0.03
    smooth = LowFrequencyAlbedo.load().texture(torch.tensor([[0.8, -0.5, 0.6]]), SIZE)
    texture = (smooth + board).clamp(0, 1)
    plain = torch.full((1, 3, 512, 512), 0.3)
    albedo = paste(plain, decode_srgb(texture))
    flat = torch.zeros(1, 1, 512, 512)
    maps = SurfaceMaps(albedo, flat + 0.5, flat + 1.0, flat)
    ambient = torch.zeros(1, 9, 3)
    ambient[:, 0] = 1.6
    direction = torch.tensor([[0.5, 0.4, 0.77]])
    light = Light(ambient, direction / direction.norm(), torch.full((1, 3), 0.8),
                  torch.tensor([0.35]))  # fmt: skip
    camera = WeakPerspective(torch.tensor([[0.05, 0.3, 0.0]]), torch.tensor([[0.0, 0.0]]),
                             PIXELS, PIXELS, scale=torch.tensor([PIXELS / 240.0]))  # fmt: skip
    camera = camera.at_distance(torch.tensor([1200.0]))
    picture = render(
        model, Scene(torch.zeros(1, 80), torch.zeros(1, 52), camera, light, maps), supersample=2
    )
    return picture.image, picture.vertices, camera, light, texture


def error(found, texture):
    away = (found.texture - texture).abs().mean(1, keepdim=True) * found.visible
    return float(away.sum() / found.visible.sum())


def low(texture):
    return torch.nn.functional.interpolate(texture, size=(16, 16), mode="area")


def test_each_step_brings_the_texture_nearer(scene):
    *given, light, texture = scene
    flat = torch.zeros(1, 9, 3)
    flat[:, 0] = 3.5449
    picture = partial_albedo(*given, flat, SIZE, low_frequency=low(texture), config=SH)
    shaded = partial_albedo(*given, light, SIZE, low_frequency=low(texture), config=SH)
    every = partial_albedo(*given, light, SIZE, low_frequency=low(texture))
    errors = [error(found, texture) for found in (picture, shaded, every)]
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < errors[1]
    assert errors[2] < 0.03


def test_a_wrong_light_is_found_again(scene):
    *given, _, texture = scene
    flat = torch.zeros(1, 9, 3)
    flat[:, 0] = 3.5449
    kept = partial_albedo(*given, flat, SIZE, low_frequency=low(texture), config=SH)
    config = replace(SH, relight=True)
    again = partial_albedo(*given, flat, SIZE, low_frequency=low(texture), config=config)
    assert error(again, texture) < 0.5 * error(kept, texture)


def test_what_is_not_visible_is_grey_and_has_no_confidence(scene):
    *given, light, _ = scene
    found = partial_albedo(*given, light, SIZE)
    visible = found.visible.bool()
    assert set(found.visible.unique().tolist()) == {0.0, 1.0}
    assert (found.texture[~visible.expand_as(found.texture)] == 0.5).all()
    assert (found.confidence[~visible] == 0).all()
    assert 0 <= float(found.confidence.min()) <= float(found.confidence.max()) <= 1
    assert (visible & (face_region(SIZE) == 0)).sum() == 0
    assert 0.3 < float(found.visible.sum() / face_region(SIZE).sum()) < 0.9
    assert len(found) == 1


def test_a_mask_hides(scene):
    image, vertices, camera, light, _ = scene
    mask = torch.ones(1, 1, PIXELS, PIXELS)
    everything = partial_albedo(image, vertices, camera, light, SIZE, mask)
    free = partial_albedo(image, vertices, camera, light, SIZE)
    assert torch.equal(everything.visible, free.visible)
    mask[..., PIXELS // 2 :, :] = 0
    upper = partial_albedo(image, vertices, camera, light, SIZE, mask)
    assert 0.2 < float(upper.visible.sum() / free.visible.sum()) < 0.8
    rows = torch.arange(SIZE).view(1, 1, -1, 1)
    middle = (free.visible * rows).sum() / free.visible.sum()
    assert (upper.visible * rows).sum() / upper.visible.sum() < middle - 5
    nothing = partial_albedo(image, vertices, camera, light, SIZE, 0 * mask)
    assert nothing.visible.sum() == 0
    assert (nothing.texture == 0.5).all()


def test_burnt_and_grazing_texels_are_left_out(scene):
    image, vertices, camera, light, _ = scene
    free = partial_albedo(image, vertices, camera, light, SIZE)
    burnt = image.clone()
    burnt[..., 100:140, 100:140] = 1.0
    found = partial_albedo(burnt, vertices, camera, light, SIZE)
    assert found.visible.sum() < 0.97 * free.visible.sum()
    strict = partial_albedo(
        image, vertices, camera, light, SIZE, config=PartialAlbedoConfig(grazing=0.7)
    )
    assert strict.visible.sum() < 0.9 * free.visible.sum()
    assert ((strict.visible > 0) & (free.visible == 0)).sum() == 0


def test_the_gain_is_that_of_the_low_frequencies(scene):
    image, vertices, camera, light, texture = scene
    bright = Light(2 * light.ambient, light.key_direction, 2 * light.key_colour, light.key_radius)
    for given in (light, bright):
        found = partial_albedo(
            image, vertices, camera, given, SIZE, low_frequency=low(texture), config=SH
        )
        shown = found.visible.bool()[0, 0]
        ratio = decode_srgb(found.texture[0, :, shown]) / decode_srgb(texture[0, :, shown])
        assert torch.allclose(ratio.median(1).values, torch.ones(3), atol=0.06)


def test_a_dark_picture_is_not_believed(scene):
    image, vertices, camera, light, _ = scene
    found = partial_albedo(0 * image, vertices, camera, light, SIZE)
    assert found.visible.sum() == 0
    assert found.texture.isfinite().all()


@pytest.mark.parametrize("name", ["image", "light", "mask", "low_frequency"])
def test_what_does_not_fit_is_refused(scene, name):
    image, vertices, camera, light, _ = scene
    given = {"image": image, "light": light.coefficients(), "mask": None, "low_frequency": None}
    given[name] = torch.zeros(1, 2, 5, 5) if name != "light" else torch.zeros(1, 4, 3)
    with pytest.raises(PartialAlbedoError, match="expected"):
        partial_albedo(given["image"], vertices, camera, given["light"], SIZE, given["mask"],
                       given["low_frequency"])  # fmt: skip


def test_islands_are_left_out(scene):
    image, vertices, camera, light, _ = scene
    mask = torch.zeros(1, 1, PIXELS, PIXELS)
    mask[..., 90:150, 100:160] = 1
    alone = partial_albedo(image, vertices, camera, light, SIZE, mask)
    mask[..., 160:167, 120:127] = 1
    beside = partial_albedo(image, vertices, camera, light, SIZE, mask)
    assert alone.visible.sum() > 0
    assert torch.equal(alone.visible, beside.visible)
