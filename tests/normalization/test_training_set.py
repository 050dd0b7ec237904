"""Training and test sets from albums and from the synthetic world."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from visage.faces.reflectance import encode_srgb
from visage.normalization import normal_people
from visage.normalization import training_set as sets
from visage.normalization.albums import find_all
from visage.normalization.frame import lip_gap
from visage.normalization.quality import Measures
from visage.normalization.training_data import Amounts, TrainingSetError
from visage.photos.alignment import MEAN_FACE
from visage.recognition.chips import Chips, synthetic_name

ANGLE = torch.linspace(0.2, 2.94, 17)
JAW = torch.stack([0.5 - 0.55 * ANGLE.cos(), 0.3 + 0.8 * ANGLE.sin()], 1)
FACE = 20 + 40 * torch.cat([JAW, torch.tensor([MEAN_FACE[i] for i in range(17, 68)])])


class Smooth:
    """Three people: a has three pictures, b two, c one; a face is found in all of them."""

    name = "smooth-album"

    def people(self):
        return {"a": [1, 2, 3], "b": [1, 2], "c": [1]}

    def image(self, name, number):
        generator = torch.Generator().manual_seed(10 * ord(name) + number)
        coarse = torch.rand(1, 3, 5, 5, generator=generator)
        return torch.nn.functional.interpolate(coarse, (90, 80), mode="bilinear")

    def landmarks(self, image):
        return FACE[None] + image[0, :, 0, 0].sum()


@pytest.fixture
def judged(monkeypatch):
    """Every criterion met, but that the first picture of a, and c's, are turned away."""

    def measured(album, found, *_, **__):
        turned = [40.0 if photo in (("a", 1), ("c", 1)) else 0.0 for photo in found.photos]
        values = (0.6, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8)
        columns = [torch.full((len(found),), value) for value in values]
        columns[2] = torch.tensor(turned)
        return Measures(*columns)

    monkeypatch.setattr(sets, "measure_all", measured)


def test_album(judged, tmp_path):
    amounts = Amounts(size=32, morphs=3, photographs=2)
    made = sets.album_training_set(Smooth(), amounts, folder=tmp_path)
    assert made.base.people == ("a", "b")
    assert made.base.size == 32
    assert len(made.morphs) == 3
    # Photographs are the first ones, whether or not they are good enough to be averaged.
    assert made.photos.people == ("a", "a", "b", "b")
    assert made.photos.rows.tolist() == [0, 0, 1, 1]
    found = find_all(Smooth(), folder=tmp_path)
    alone = sets.average_photographs(Smooth(), found, [1, 3], 32)
    averaged = sets.average_photographs(Smooth(), found, [1, 2, 3], 32)
    assert torch.equal(alone.images[1], averaged.images[1])
    assert not torch.equal(alone.images[0], averaged.images[0])
    names = {file.name.partition("-")[0] for file in (tmp_path / "normalization").iterdir()}
    assert names == {"landmarks", "smooth"}


def test_album_is_averaged_once(judged, tmp_path, monkeypatch):
    amounts = Amounts(size=32, morphs=3, photographs=2)
    first = sets.album_training_set(Smooth(), amounts, folder=tmp_path)
    monkeypatch.setattr(sets, "average_photographs", None)
    again = sets.album_training_set(Smooth(), amounts, folder=tmp_path)
    assert torch.equal(again.base.images, first.base.images)
    assert again.base.people == first.base.people


def test_one_person_is_no_training_set(judged, tmp_path):
    found = find_all(Smooth(), folder=tmp_path)
    with pytest.raises(TrainingSetError, match="1 people"):
        sets.average_photographs(Smooth(), found, [1, 2], 32)


class Drawn(NamedTuple):
    """As `NormalPeople`, noise for people: real ones take seconds."""

    image: torch.Tensor
    landmarks: torch.Tensor


def test_synthetic_sets(tmp_path, monkeypatch):
    def draw(model, seed, indices, *, split, size, detail):
        generator = torch.Generator().manual_seed(len(split))
        images = torch.rand(9, 3, size, size, generator=generator)[list(indices)]
        return Drawn(images, (FACE * size / 90).expand(len(images), -1, -1).clone())

    def chips(count, each, split, *, folder):
        people = np.repeat([synthetic_name(split, i) for i in range(count)], each)
        shape = (len(people), 3, 150, 150)
        return Chips(people, torch.zeros(shape).byte(), torch.zeros(len(people), 68, 2))

    monkeypatch.setattr(sets, "draw_normal_people", draw)
    monkeypatch.setattr(sets, "synthetic_chips", chips)
    train = sets.synthetic_training_set(
        3, Amounts(size=32, morphs=2, photographs=2), folder=tmp_path
    )
    test = sets.synthetic_test_set(2, 4, 32, folder=tmp_path)
    assert train.base.people[1] == "synthetic-0-train/1"
    assert train.photos.rows.tolist() == [0, 0, 1, 1, 2, 2]
    assert test.people == test.faces.people == ("synthetic-0-test/0", "synthetic-0-test/1")
    assert test.photos.rows.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert not torch.equal(train.base.images[:2], test.faces.images)
    lips = train.base.landmarks[:, [67, 66, 65], 1] - train.base.landmarks[:, [61, 62, 63], 1]
    assert (lips >= lip_gap(32) - 1e-4).all()


def test_the_backdrop_is_that_of_the_pictures():
    linear = torch.tensor(normal_people._BACKDROP)
    assert float(encode_srgb(linear)) == pytest.approx(sets.SYNTHETIC_BACKDROP, abs=0.5 / 255)
