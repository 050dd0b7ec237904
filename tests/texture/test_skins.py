"""Painted skin, brows, and the database of it."""

import numpy as np
import pytest
import torch

from visage.faces.hair import brows_at_rest
from visage.faces.population import people
from visage.faces.shape import MorphableModel
from visage.texture import database as kept
from visage.texture.brows import _FINE, _lookup, paint_brows
from visage.texture.database import TextureDatabase
from visage.texture.errors import TextureError
from visage.texture.skins import face_atlases, face_textures
from visage.texture.window import crop, face_region


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def pair():
    """Two people's textures with and without brows."""
    return tuple(face_textures("validation", [0, 2], 64, brows=brows) for brows in (True, False))


def test_textures_are_the_same_alone_and_together(pair):
    alone = face_textures("validation", [2], 64)
    assert torch.allclose(pair[0][1:], alone, atol=1e-2)  # products of matrices round otherwise


def test_brows_darken_the_brows_alone(pair):
    drawn, bare = pair
    change = (drawn - bare).abs().amax((0, 1))
    rows, columns = (change > 0.02).nonzero().unbind(1)
    assert rows.min() >= 14  # of 64: above the eyes
    assert rows.max() <= 27
    assert columns.min() < 24  # both sides
    assert columns.max() > 40
    assert (drawn.mean((1, 2, 3)) < bare.mean((1, 2, 3))).all()


def test_brows_cover_as_much_as_their_area(model):
    """Little hair on white, so thin that it hardly overlaps, takes its area from the white."""
    person = people(model, 0, [2], split="validation")
    hair = person.hair
    strands = brows_at_rest(model, hair[0])
    points = strands.points.view(len(strands), -1, 3)
    length = points.diff(dim=1).norm(dim=2).sum(1)
    area = float((length * strands.width * 0.65).sum())  # thinning to 0.3 of the width at the tip
    size = 512
    painted = paint_brows(torch.ones(1, 3, size, size), model, hair)
    white_lost = float((1 - painted.mean(1)).sum())
    texel = _lookup(model)[1] * _FINE / size
    assert 0.2 * area < white_lost * texel**2 < area


def test_no_hair_for_somebody_is_refused(model):
    with pytest.raises(TextureError, match="as many"):
        paint_brows(torch.ones(2, 3, 64, 64), model, people(model, 0, [0]).hair)


def test_atlases_hold_the_windows():
    maps = face_atlases("train", [1], 256)
    assert maps.albedo.shape == (1, 3, 256, 256)
    assert crop(maps.albedo).shape[-1] == 96
    assert float((crop(maps.albedo, 64) * face_region(64)).amax()) <= 1


def test_a_database_paints_once_and_goes_on(tmp_path, monkeypatch):
    painted = []

    def paint(split, indices, size):
        painted.extend(indices)
        return torch.full((len(indices), 3, size, size), indices[0] / 255)

    monkeypatch.setattr(kept, "face_textures", paint)
    monkeypatch.setattr(kept, "COUNT", 3)

    def load(count):
        return TextureDatabase.load(32, count, folder=tmp_path, progress=False)

    assert len(load(2)) == 2
    assert painted == [0, 1]
    assert torch.allclose(load(3).textures([2, 1])[:, 0, 0, 0] * 255, torch.tensor([2.0, 1.0]))
    assert painted == [0, 1, 2]
    larger = load(5)  # more than there was room for
    assert painted == [0, 1, 2, 3, 4]
    assert torch.allclose(larger.luminance()[:, 0, 0, 0] * 255, torch.arange(5.0), atol=1e-3)


def test_a_database_of_tensors():
    textures = torch.rand(3, 3, 16, 16)
    database = TextureDatabase.of(textures)
    assert (database.textures() - textures).abs().max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((16, 0), "at least 1"), ((0, 1), "at least 1"), ((16, 1, "nobody"), "no split")],
)
def test_what_cannot_be_loaded(tmp_path, arguments, words):
    with pytest.raises(TextureError, match=words):
        TextureDatabase.load(*arguments, folder=tmp_path)


def test_unknown_people_and_wrong_arrays_are_refused():
    with pytest.raises(TextureError, match="of 1"):
        TextureDatabase.of(torch.rand(1, 3, 8, 8)).textures([1])
    with pytest.raises(TextureError, match="uint8"):
        TextureDatabase(np.zeros((1, 3, 8, 8), np.float32), 8)
