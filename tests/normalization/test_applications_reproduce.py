"""Figures 13 and 14 on a few people, with and without a decoder."""

import math

import pytest
import torch

from visage.faces.portraits import Detail
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.faces.shape import MorphableModel
from visage.normalization import (
    adjustment_reproduce,
    applications_study,
    avatar_reproduce,
    normal_people,
)
from visage.normalization.adjustment_reproduce import (
    angular_errors,
    corrected,
    exposure_errors,
    mean_colours,
    spreads,
)
from visage.normalization.applications_study import (
    Photographs,
    cast,
    draw_casts,
    draw_photographs,
)
from visage.normalization.correspondence import Correspondence
from visage.normalization.decoder import Decoded

COARSE = Detail(texture=128, strands=200)


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def people(model):
    return normal_people.draw_normal_people(model, 0, range(2), size=224, detail=COARSE)


@pytest.fixture(scope="module")
def photos(model):
    return draw_photographs(model, 0, range(2), 2, 128, COARSE)


def rows(result):
    return {row.name: row.ours for row in result.rows}


# Measures.


def test_angles_and_stops_are_those_of_the_gain():
    image = encode_srgb(0.2 + 0.3 * torch.rand(1, 3, 5, 5))
    face = torch.ones(1, 5, 5, dtype=torch.bool)
    brighter = cast(image, torch.full((1, 3), 2.0**0.5))
    assert angular_errors(brighter, image, face).item() == pytest.approx(0, abs=0.05)
    assert exposure_errors(brighter, image, face).item() == pytest.approx(0.5, abs=1e-3)
    grey = torch.full((1, 3, 5, 5), 0.5)
    red = cast(grey, torch.tensor([[1.5, 1.0, 1.0]]))
    expected = math.degrees(math.acos(3.5 / math.sqrt(3 * (1.5**2 + 2))))
    assert angular_errors(red, grey, face).item() == pytest.approx(expected, abs=1e-3)


def test_only_the_face_counts():
    image = torch.full((1, 3, 4, 4), 0.5)
    other = image.clone()
    other[..., 2:] = 0.1
    face = torch.zeros(1, 4, 4, dtype=torch.bool)
    face[..., :2] = True
    assert exposure_errors(other, image, face).item() == 0
    assert exposure_errors(other, image, ~face).item() > 1
    torch.testing.assert_close(mean_colours(other, face), torch.full((1, 3), 0.5))


def test_spread_is_within_a_person():
    colours = torch.tensor([[0.2, 0.2, 0.2], [0.4, 0.2, 0.2], [0.9, 0.9, 0.9]])
    found = spreads(colours, torch.tensor([5, 5, 7]))
    torch.testing.assert_close(found, torch.tensor([25.5, 0.0]))


def test_casts_are_gains_of_the_stated_size():
    gains = draw_casts(400, torch.Generator().manual_seed(0))
    assert torch.equal(gains, draw_casts(400, torch.Generator().manual_seed(0)))
    level = (gains * torch.tensor([0.2126, 0.7152, 0.0722])).sum(1).log2()
    assert level.abs().max() < 2.3
    assert level.std() > 0.6
    warm = gains[:, 0] / gains[:, 2]
    assert warm.max() > 4
    assert warm.min() < 0.8
    image = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(cast(image, torch.ones(1, 3)), image, atol=1e-5, rtol=0)
    assert decode_srgb(cast(image, torch.full((1, 3), 9.0))).amax() <= 1 + 1e-5


def test_photographs_know_their_faces(photos):
    assert len(photos) == 4
    assert photos.person.tolist() == [0, 0, 1, 1]
    share = photos.face.float().mean((1, 2))
    assert (share > 0.03).all()
    assert (share < 0.4).all()


# Experiments.


@pytest.fixture
def few(monkeypatch, people, photos):
    def taken(model, seed, indices, shots_each, size=256, detail=None):
        keep = torch.arange(len(photos))[:: 2 // shots_each]
        parts = (photos.image, photos.landmarks, photos.face, photos.person)
        return Photographs(*(part[keep] for part in parts))

    for module in (avatar_reproduce, adjustment_reproduce):
        monkeypatch.setattr(module, "draw_normal_people", lambda *_, **__: people)
        monkeypatch.setattr(module, "draw_photographs", taken)
        monkeypatch.setattr(module, "shipped_decoder", lambda name="synthetic": None)
    monkeypatch.setattr(adjustment_reproduce, "_SHOTS", 2)
    monkeypatch.setattr(avatar_reproduce, "_PEOPLE", {"fast": 2})
    monkeypatch.setattr(avatar_reproduce, "fine_model", MorphableModel.load)
    elected = Correspondence(MorphableModel.load().landmarks, torch.ones(68), 1)
    monkeypatch.setattr(avatar_reproduce, "find_correspondence", lambda *_, **__: elected)


@pytest.fixture
def decoder(monkeypatch, people):
    """One who answers everybody with the same face."""

    def normalized(decoder, images, landmarks):
        count = len(images)
        half = torch.nn.functional.avg_pool2d(people.image[:1], 2)
        points = (people.landmarks[:1] + 0.5) / 2 - 0.5
        return Decoded(half.expand(count, -1, -1, -1), half, points.expand(count, -1, -1))

    for module in (avatar_reproduce, adjustment_reproduce):
        monkeypatch.setattr(module, "shipped_decoder", lambda name="synthetic": object())
        monkeypatch.setattr(module, "normalized", normalized)


def test_the_true_face_corrects_more_than_no_face(few):
    result, figure = adjustment_reproduce.reproduce_fig14("fast", 0)
    found = rows(result)
    assert found["exposure_error_true_face"] < found["exposure_error_nothing"]
    assert found["spread_true_face"] < found["spread_nothing"]
    assert found["spread_true_face"] < found["spread_grey_world"]
    assert not any(name.endswith("decoder") for name in found)
    assert len(figure.axes) == 5 * 4


def test_with_a_decoder_figure_14_has_its_row(few, decoder, monkeypatch):
    monkeypatch.setattr(adjustment_reproduce, "_photographed", lambda count: [])
    result, figure = adjustment_reproduce.reproduce_fig14("fast", 0)
    assert {"angular_error_decoder", "exposure_error_decoder", "spread_decoder"} <= set(
        rows(result)
    )
    assert len(figure.axes) == 6 * 4


def test_a_face_that_is_right_is_not_changed(photos, people):
    crop = adjustment_reproduce.normal_crop(224)
    aligned = adjustment_reproduce.align(
        photos.image[:1], photos.landmarks[:1], crop, padding="border"
    )
    found = corrected(photos.image[:1], photos.landmarks[:1], aligned.clamp(0, 1))
    torch.testing.assert_close(found, photos.image[:1], atol=1e-4, rtol=0)


def test_figure_13_has_its_rows(few):
    result, figure = avatar_reproduce.reproduce_fig13("fast", 0)
    found = rows(result)
    assert found["vertex_error_landmarks"] < found["vertex_error_mean_face"]
    assert found["landmarks_elected_alike"] == 68
    assert found["landmarks_apart"] == 0
    for place in ("visible", "side"):
        for kind in ("projected", "basis", "blended", "mean_colour"):
            assert f"colour_error_{place}_{kind}" in found
    assert not any("decoder" in name for name in found)
    assert len(figure.axes) == 2 * 4


def test_with_a_decoder_figure_13_has_its_rows(few, decoder):
    result, figure = avatar_reproduce.reproduce_fig13("fast", 0)
    found = rows(result)
    assert {"vertex_error_decoder", "colour_error_visible_blended_decoder"} <= set(found)
    # Everybody is the first person: he is found better than the second.
    assert found["vertex_error_decoder"] > found["vertex_error_landmarks"]
    assert len(figure.axes) == 3 * 5


def test_photographs_reach_the_decoder_as_features(photos):
    """Chip by chip, what the recogniser makes of them is what is decoded."""
    features = applications_study.load_features()

    def decoder(given):
        image = torch.zeros(len(given), 3, 16, 16)
        return Decoded(image, image, given[:, :136].view(-1, 68, 2))

    found = applications_study.normalized(decoder, photos.image[:2], photos.landmarks[:2])
    chip = applications_study.align(photos.image[1:2], photos.landmarks[1:2], features.encoder.crop)
    with torch.no_grad():
        expected = features(chip.clamp(0, 1))[0, :136].view(68, 2)
    torch.testing.assert_close(found.landmarks[1], expected, atol=1e-4, rtol=1e-4)
    assert found.image.shape == (2, 3, 16, 16)


def test_no_decoder_is_no_error(monkeypatch):
    from visage.checkpoints import CheckpointError

    def missing(name):
        raise CheckpointError("there is none")

    monkeypatch.setattr(applications_study, "load_decoder", missing)
    assert applications_study.shipped_decoder() is None
