import numpy as np
import pytest
import skimage.data
import torch

from visage.photos.alignment import DLIB_CHIP, align
from visage.recognition import chips as module
from visage.recognition.chips import (
    Chips,
    chip_landmarks,
    first_of_each,
    lfw_chips,
    synthetic_chips,
)
from visage.recognition.portraits import Portrait


class Album:
    """Stands in for LFW: the astronaut, shifted by the photograph's number."""

    def __init__(self):
        self.asked = []

    def image(self, name, number):
        self.asked.append((name, number))
        photo = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None] / 255
        return photo[..., number : 250 + number, 100:350]


@pytest.fixture
def placed(monkeypatch):
    """No detector: a face at a fixed place, whoever is shown."""
    template = torch.zeros(1, 68, 2)
    for (i,), point in zip(DLIB_CHIP.anchors, DLIB_CHIP.template, strict=True):
        template[0, i] = torch.tensor(point)
    landmarks = 0.8 * template + 60
    monkeypatch.setattr(module, "find_portrait", lambda image: Portrait(None, landmarks, "here"))
    return landmarks


def test_chips_are_cut_once(placed, tmp_path):
    album, photos = Album(), [("A", 1), ("A", 2), ("B", 1)]
    first = lfw_chips(album, photos, folder=tmp_path)
    assert first.people.tolist() == ["A", "A", "B"]
    assert first.chips.dtype == torch.uint8
    expected = align(album.image("A", 2), placed, DLIB_CHIP)
    assert (first.chips[1] / 255 - expected[0]).abs().max() < 0.51 / 255
    album.asked.clear()
    again = lfw_chips(album, photos, folder=tmp_path)
    assert album.asked == [("A", 1)]  # the probe
    assert torch.equal(again.chips, first.chips)
    assert torch.equal(again.landmarks, chip_landmarks(first.chips.float() / 255))


def test_a_changed_chain_cuts_again(placed, tmp_path, monkeypatch):
    before = lfw_chips(Album(), [("A", 1)], folder=tmp_path)
    moved = Portrait(None, placed + 8, "there")
    monkeypatch.setattr(module, "find_portrait", lambda image: moved)
    after = lfw_chips(Album(), [("A", 1)], folder=tmp_path)
    assert not torch.equal(before.chips, after.chips)


def test_synthetic_people_have_their_own_chips(tmp_path):
    found = synthetic_chips(2, 1, "test", folder=tmp_path)
    assert found.people.tolist() == ["synthetic-0-test/0", "synthetic-0-test/1"]
    assert found.chips.shape == (2, 3, 150, 150)
    # The eyes of a chip are where they always are, for the predictor too.
    eyes = found.landmarks[:, 36:48].mean(1)
    assert eyes[:, 0].numpy() == pytest.approx([74.5, 74.5], abs=10)
    assert eyes[:, 1].numpy() == pytest.approx([45, 45], abs=10)


def test_chips_are_chosen_and_joined():
    people = np.array(["a", "b", "a"])
    some = Chips(
        people, torch.arange(3).view(3, 1).to(torch.uint8), torch.arange(6.0).view(3, 1, 2)
    )
    own = some[people == "a"]
    assert own.chips.flatten().tolist() == [0, 2]
    both = own + some[np.array([1])]
    assert both.people.tolist() == ["a", "a", "b"]
    assert both.landmarks[2].tolist() == [[2.0, 3.0]]
    assert len(both) == 3
    assert first_of_each(both, 1).chips.flatten().tolist() == [0, 1]
    assert first_of_each(both, 5).people.tolist() == ["a", "a", "b"]
