import dataclasses

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from visage.photos.alignment import DLIB_CHIP
from visage.photos.landmarks import FaceBox
from visage.photos.lfw import open_lfw
from visage.recognition import portraits
from visage.recognition.portraits import (
    FRAME,
    Setting,
    combine,
    embed_portraits,
    find_portrait,
    scaled,
)

PEOPLE = ("Ann_One", "Bea_Two", "Cat_Three")


def portrait_of_astronaut(shift=(0, 0)):
    """A photograph as LFW has them, 250 pixels, her face where the release puts faces."""
    photo = Image.fromarray(skimage.data.astronaut())
    left, top = 113 - shift[0], 2 - shift[1]
    return photo.crop((left, top, left + 220, top + 220)).resize((250, 250), Image.BILINEAR)


def as_tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255


@pytest.fixture(scope="module")
def small_lfw(tmp_path_factory):
    """Three people with four photographs each, and pairs of them in two folds."""
    folder = tmp_path_factory.mktemp("data") / "lfw-deepfunneled"
    for index, name in enumerate(PEOPLE):
        (folder / name).mkdir(parents=True)
        for number in range(1, 5):
            bright = np.array(portrait_of_astronaut((number, index))) * (0.6 + 0.1 * index)
            Image.fromarray(bright.astype(np.uint8)).save(folder / name / f"{name}_000{number}.jpg")
    return open_lfw(folder)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path))
    return tmp_path


class Counting(torch.nn.Module):
    """An encoder that counts its chips, and can be interrupted."""

    name, crop, dim = "counting", DLIB_CHIP, 2

    def __init__(self, stop_after=10**9):
        super().__init__()
        self.count, self.stop_after = 0, stop_after

    def embed(self, chips):
        self.count += len(chips)
        if self.count > self.stop_after:
            raise KeyboardInterrupt
        left, right = chips.mean(1).split(75, dim=2)
        return torch.stack([left.mean((1, 2)), right.mean((1, 2))], 1)


def test_the_first_search_finds_a_face_in_its_place():
    found = find_portrait(as_tensor(portrait_of_astronaut()))
    assert found.found_by == "hog"
    assert found.landmarks.shape == (1, 68, 2)


def test_an_empty_picture_falls_back_to_the_frame():
    found = find_portrait(torch.full((1, 3, 250, 250), 0.5))
    assert found.found_by == "frame"
    assert found.box == FRAME


def test_a_bystander_is_not_taken(monkeypatch):
    bystander = FaceBox(0, 10, 80, 90, 2.0)
    person = FaceBox(60, 90, 170, 200, 0.1)
    monkeypatch.setattr(
        portraits,
        "SEARCHES",
        {"hog": lambda image: [bystander], "mmod": lambda image: [bystander, person]},
    )
    found = find_portrait(as_tensor(portrait_of_astronaut()))
    assert (found.box, found.found_by) == (person, "mmod")


def test_the_convolutional_detector_sees_the_same_face():
    image = as_tensor(portrait_of_astronaut())
    hog, mmod = (portraits.SEARCHES[name](image)[0] for name in ("hog", "mmod"))
    assert abs(hog.left - mmod.left) < 20
    assert abs(hog.bottom - mmod.bottom) < 30


def test_combining_equals_a_loop():
    rng = np.random.default_rng(0)
    embeddings, scales = rng.normal(size=(3, 3, 2, 4)), (0.9, 1.0, 1.1)
    for setting in (
        Setting(),
        Setting((1.1, 0.9), mirrored=True),
        Setting((1.0, 1.1), mirrored=True, unit=True),
        Setting((0.9,), unit=True),
    ):
        found = combine(embeddings, scales, setting)
        for row, stored in zip(found, embeddings, strict=True):
            views = []
            for scale in setting.scales:
                plain, mirrored = stored[scales.index(scale)]
                views += [plain, mirrored] if setting.mirrored else [plain]
            mean = sum(views) / len(views)
            expected = mean / np.sqrt((mean**2).sum()) if setting.unit else mean
            np.testing.assert_allclose(row, expected)


def test_scaling_a_crop_keeps_its_centre():
    crop = scaled(DLIB_CHIP, 1.2)
    before, after = np.array(DLIB_CHIP.template) - 74.5, np.array(crop.template) - 74.5
    np.testing.assert_allclose(after, 1.2 * before)
    assert dataclasses.replace(crop, name=DLIB_CHIP.name, template=DLIB_CHIP.template) == DLIB_CHIP


def test_a_second_run_computes_nothing_but_its_probe(small_lfw, cache):
    photos = [(name, number) for name in PEOPLE for number in (1, 2)]
    first, second = Counting(), Counting()
    one = embed_portraits(small_lfw, first, photos, (1.0, 1.1))
    two = embed_portraits(small_lfw, second, reversed(photos), (1.0, 1.1))
    assert first.count == (2 + 6) * 4  # two photographs are the probe; two scales, two sides
    assert second.count == 2 * 4
    assert one.photos == two.photos == sorted(photos)
    assert one.found_by == ["hog"] * 6
    np.testing.assert_array_equal(one.embeddings, two.embeddings)
    np.testing.assert_array_equal(one.boxes, two.boxes)


def test_an_interrupted_run_goes_on(small_lfw, cache, monkeypatch):
    photos = [(name, number) for name in PEOPLE for number in (1, 2)]
    with pytest.raises(KeyboardInterrupt):
        embed_portraits(small_lfw, Counting(stop_after=4 + 9), photos, (1.0,), batch=2)
    resumed = Counting()
    found = embed_portraits(small_lfw, resumed, photos, (1.0,), batch=2)
    assert resumed.count == 4 + 2 * 2  # the probe, and the two photographs that are missing
    monkeypatch.setenv("VISAGE_CACHE", str(cache / "fresh"))
    whole = embed_portraits(small_lfw, Counting(), photos, (1.0,), batch=6)
    np.testing.assert_array_equal(found.embeddings, whole.embeddings)


def test_another_encoder_has_its_own_memory(small_lfw, cache):
    class Negative(Counting):
        def embed(self, chips):
            return -super().embed(chips)

    photos = [(PEOPLE[0], 1)]
    one = embed_portraits(small_lfw, Counting(), photos, (1.0,))
    other = embed_portraits(small_lfw, Negative(), photos, (1.0,))
    np.testing.assert_array_equal(one.embeddings, -other.embeddings)
