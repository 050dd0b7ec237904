from dataclasses import replace

import numpy as np
import pytest
import torch

from visage.faces.hair.traits import BALD
from visage.faces.population import people
from visage.faces.portraits import Detail, portray
from visage.faces.scene import render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, shots
from visage.texture import segmentation_data
from visage.texture.segmentation_data import (
    EACH,
    KEPT_SIZE,
    TRAITS,
    SegmentationDataError,
    kept_people,
    visible_skin,
)

SIZE = 96


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def seen(model, *, glasses=False, beard="none"):
    """The skin of a bald person, and where the parts of the head are."""
    who = people(model, 0, [3], split="validation")
    hair = replace(who.hair[0], style=BALD, beard=beard, brow_density=1.5, brow_thickness=1.4)
    worn = torch.tensor([glasses])
    who = replace(who, hair=(hair,), glasses=replace(who.glasses, worn=worn))
    ranges = replace(EVERYDAY, yaw=0.0, pitch=0.0, roll=0.0, width=(220.0, 230.0),
                     expressions={"neutral": 1.0})  # fmt: skip
    taken = shots(model, who, torch.tensor([5]), SIZE, ranges)
    detail = Detail(texture=128, strands=400, background=False)
    scene = portray(model, who, taken, detail)
    picture = render(model, scene)
    skin, bristly = visible_skin(model, who, taken, scene, picture)
    return skin[0, 0] > 0, float(bristly), picture


def at(picture, index):
    x, y = picture.landmarks[0, index].round().long().tolist()
    return y, x


def test_skin_is_the_face_without_eyes_and_neck(model):
    skin, bristly, picture = seen(model)
    assert skin[at(picture, 30)]  # the tip of the nose
    assert skin[at(picture, 33)[0] + 6, at(picture, 33)[1]]
    for pupil in picture.landmarks[0, 36:42], picture.landmarks[0, 42:48]:
        x, y = pupil.mean(0).round().long().tolist()
        assert not skin[y, x]
    chin = at(picture, 8)
    assert not skin[min(chin[0] + 14, SIZE - 1), chin[1]]
    assert not skin[0].any()
    assert bristly < 0.02


def test_brows_are_skin(model):
    skin, _, picture = seen(model)
    rows = [skin[at(picture, index)] for index in (18, 19, 20, 23, 24, 25)]
    assert sum(bool(one) for one in rows) >= 5


def test_beards_and_glasses_are_not(model):
    bare, _, picture = seen(model)
    bearded, bristly, _ = seen(model, beard="full_beard")
    lower = torch.arange(SIZE)[:, None] > at(picture, 33)[0]
    assert bristly > 0.05
    assert (bare & ~bearded & lower).sum() > 0.8 * (bare & ~bearded).sum()
    glasses, _, _ = seen(model, glasses=True)
    gone = bare & ~glasses
    upper = torch.arange(SIZE)[:, None] < at(picture, 33)[0]
    assert gone.sum() > 0.05 * bare.sum()
    assert (gone & upper).sum() > 0.9 * gone.sum()


@pytest.fixture
def drawn(monkeypatch):
    calls = []

    def draw(split, indices):
        calls.append(tuple(indices))
        count = len(indices) * EACH
        pictures = np.stack(
            [np.full((4, KEPT_SIZE, KEPT_SIZE), i, np.uint8) for i in indices for _ in range(EACH)]
        )
        return pictures, np.zeros((count, 68, 2), np.float32), np.zeros((count, len(TRAITS)), bool)

    monkeypatch.setattr(segmentation_data, "_draw", draw)
    monkeypatch.setattr(segmentation_data, "PEOPLE", {"train": 20, "validation": 5, "test": 5})
    return calls


def test_people_are_drawn_once_and_kept(drawn, tmp_path):
    first = kept_people("train", 3, folder=tmp_path, progress=False)
    assert len(first) == 3 * EACH
    assert drawn == [(0, 1, 2)]
    longer = kept_people("train", 12, folder=tmp_path, progress=False)
    assert drawn[1:] == [tuple(range(8)), tuple(range(8, 12))]
    pictures, landmarks = longer.rows([0, 11 * EACH])
    assert pictures.shape == (2, 4, KEPT_SIZE, KEPT_SIZE)
    assert landmarks.shape == (2, 68, 2)
    assert torch.allclose(pictures[:, 0, 0, 0] * 255, torch.tensor([0.0, 11.0]))
    kept_people("train", 12, folder=tmp_path, progress=False)
    assert len(drawn) == 3


@pytest.mark.parametrize(("split", "count"), [("nobody", 1), ("train", 0)])
def test_people_who_are_not_there_are_refused(split, count, tmp_path):
    with pytest.raises(SegmentationDataError, match=r"split|at least"):
        kept_people(split, count, folder=tmp_path)
