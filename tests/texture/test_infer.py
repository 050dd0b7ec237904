"""The whole way from a picture to a texture, on a small rendered head."""

from dataclasses import replace

import pytest
import torch

from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.photos.landmarks import NoFaceError
from visage.texture.backbones import load_backbone
from visage.texture.database import TextureDatabase
from visage.texture.errors import TextureError
from visage.texture.fit_config import FitConfig
from visage.texture.gram_database import GramDatabase
from visage.texture.infer import InferenceConfig, TooLittleVisibleError, infer_texture, look
from visage.texture.synthesis import SynthesisConfig
from visage.texture.textured_head import (
    TexturedHead,
    diffuse_light,
    portrait_camera,
    render_textured,
)
from visage.texture.window import face_region, resized

SIZE, PIXELS = 64, 96
CONFIG = InferenceConfig(
    size=SIZE,
    fit=FitConfig(steps=(4, 2, 1)),
    synthesis=SynthesisConfig(iterations=8, feature_layers=()),
)


def skins(count, seed):
    """Skin-coloured textures with grain, coarse and fine."""
    generator = torch.Generator().manual_seed(seed)
    coarse = resized(torch.randn(count, 1, 8, 8, generator=generator), SIZE)
    fine = torch.randn(count, 1, SIZE, SIZE, generator=generator)
    return torch.tensor([0.75, 0.58, 0.5]).view(1, 3, 1, 1) + 0.02 * coarse + 0.02 * fine


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return GramDatabase.of(
        load_backbone(width=0.06),
        TextureDatabase.of(skins(5, 0)),
        folder=tmp_path_factory.mktemp("cache"),
        progress=False,
    )


@pytest.fixture(scope="module")
def picture():
    """(1, 3, 96, 96), and its true landmarks."""
    model, camera = MorphableModel.load(), portrait_camera(PIXELS, (0,))
    one = torch.ones(1, 1, 256, 256)
    skin = encode_srgb(torch.tensor([0.5, 0.3, 0.22]).view(1, 3, 1, 1))
    around = SurfaceMaps(0.3 * one.expand(-1, 3, -1, -1), 0.6 * one, 0 * one, 0 * one)
    head = TexturedHead.of(skin.expand(1, 3, SIZE, SIZE), torch.zeros(1, 80), around=around)
    image = render_textured(model, head, camera, diffuse_light(1))
    placed = camera.project(model.vertices(head.identity, head.expression))[..., :2]
    vertices = model.landmark_vertices(torch.zeros(1))
    return image, placed[:, vertices[0]]


@pytest.fixture(scope="module")
def inferred(picture, database):
    image, landmarks = picture
    return infer_texture(image, CONFIG, landmarks=landmarks, mask=torch.ones(1, 1, PIXELS, PIXELS),
                         database=database, progress=False)  # fmt: skip


def test_gives_a_whole_texture_of_the_face(inferred):
    assert inferred.texture.shape == (1, 3, SIZE, SIZE)
    assert float(inferred.texture.min()) >= 0
    assert float(inferred.texture.max()) <= 1
    assert inferred.synthesis.finished


def test_weights_are_a_convex_blend(inferred):
    assert inferred.weights.shape == (5,)
    assert float(inferred.weights.min()) >= 0
    assert float(inferred.weights.sum()) == pytest.approx(1, abs=1e-5)


def test_colour_is_about_that_of_the_skin(inferred):
    inside = face_region(SIZE)[0, 0] > 0
    colour = inferred.texture[0][:, inside].mean(1)
    true = encode_srgb(torch.tensor([0.5, 0.3, 0.22]))
    # Brightness of skin and of light cannot be told apart; hue and saturation can.
    torch.testing.assert_close(colour / colour.sum(), true / true.sum(), atol=0.03, rtol=0)


def test_detail_is_added_where_nothing_is_seen_too(inferred):
    hidden = (face_region(SIZE) > 0) & (inferred.visible == 0)
    change = (inferred.texture - inferred.low_frequency).mean(1, keepdim=True)
    assert float(change[hidden].std()) > 0.002


def test_what_is_not_seen_is_grey(inferred):
    unseen = (inferred.visible == 0).expand_as(inferred.partial)
    assert bool((inferred.partial[unseen] == 0.5).all())
    assert 0.2 < float(inferred.visible.mean()) < 1


def test_refuses_a_covered_face(picture):
    image, landmarks = picture
    mask = torch.zeros(1, 1, PIXELS, PIXELS)
    mask[..., 40:43, 40:43] = 1
    with pytest.raises(TooLittleVisibleError, match="needed"):
        look(image, CONFIG, landmarks=landmarks, mask=mask)


def test_refuses_a_picture_without_a_face():
    with pytest.raises(NoFaceError):
        look(torch.full((1, 3, 80, 80), 0.5), CONFIG)


def test_refuses_a_database_of_another_size(picture, database):
    with pytest.raises(TextureError, match="texels a side"):
        infer_texture(picture[0], replace(CONFIG, size=32), database=database)
