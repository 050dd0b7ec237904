"""Photographs of held-out people, small ones of clay."""

import pytest
import torch

from visage.faces.portraits import Detail
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.texture import held_out
from visage.texture.errors import HeldOutError
from visage.texture.held_out import held_out_views

_SIZE = 96


@pytest.fixture(autouse=True)
def small(monkeypatch):
    def clay(split, indices, atlas):
        grey = [torch.full((len(indices), n, 32, 32), 0.3) for n in (3, 1, 1, 1)]
        return SurfaceMaps(*grey)

    detail = Detail(texture=64, hair=False, wear=False, background=False)
    monkeypatch.setattr(held_out, "_DETAIL", detail)
    monkeypatch.setattr(held_out, "_model", MorphableModel.load)
    monkeypatch.setattr(held_out, "face_atlases", clay)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def _views(folder, yaw=0.0, count=2, **options):
    return held_out_views(count, "validation", _SIZE, yaw, folder=folder, **options)


def test_photographs_show_the_people(folder):
    views = _views(folder)
    assert views.image.shape == (2, 3, _SIZE, _SIZE)
    assert views.indices == (0, 1)
    assert 0.2 < float(views.seen.mean()) < 0.9
    model = MorphableModel.load()
    placed = views.camera.project(views.vertices(model))
    corners = model.landmark_vertices(views.camera.angles[:, 1])
    found = placed.gather(1, corners[..., None].expand(-1, -1, 3))[..., :2]
    torch.testing.assert_close(found, views.landmarks, atol=1e-3, rtol=0)
    assert float(views.landmarks.min()) > 0
    assert float(views.landmarks.max()) < _SIZE


def test_yaw_is_asked_for_and_all_else_stays(folder):
    front, side = _views(folder), _views(folder, 45.0)
    assert float(front.camera.angles[:, 1].abs().max()) < 0.06
    turned = torch.rad2deg(side.camera.angles[:, 1] - front.camera.angles[:, 1])
    torch.testing.assert_close(turned, torch.tensor([45.0, -45.0]), atol=1e-3, rtol=0)
    for name in ("identity", "expression"):
        assert torch.equal(getattr(front, name), getattr(side, name))
    assert torch.equal(front.light.ambient, side.light.ambient)
    centre = torch.tensor(held_out._CENTRE).expand(2, 1, 3)
    moved = (front.camera.project(centre) - side.camera.project(centre))[..., :2]
    assert float(moved.abs().max()) < 1  # pixel


def test_taken_once(folder, monkeypatch):
    first = _views(folder)
    monkeypatch.setattr(held_out, "photograph", None)
    again = _views(folder)
    assert torch.equal(first.image, again.image)
    torch.testing.assert_close(_views(folder, count=1, first=1).image, first[1:].image)


def test_the_same_everywhere(folder, tmp_path):
    assert torch.equal(_views(tmp_path, count=1).image, _views(folder)[:1].image)


def test_relief_is_left_out_on_demand(folder, monkeypatch):
    seen = []
    drawn = held_out.portray

    def noted(*given, maps):
        seen.append(float(maps.height.abs().max()))
        return drawn(*given, maps=maps)

    monkeypatch.setattr(held_out, "portray", noted)
    deep = _views(folder, yaw=7.0, count=1)
    flat = _views(folder, yaw=7.0, count=1, relief=False)
    assert seen == pytest.approx([0.3, 0.0])
    assert torch.equal(deep.landmarks, flat.landmarks)


def test_some_of_them(folder):
    views = _views(folder)
    swapped = views[[1, 0]]
    assert swapped.indices == (1, 0)
    assert torch.equal(swapped.image[0], views.image[1])
    assert torch.equal(swapped.camera.focal, views.camera.focal.flip(0))
    assert torch.equal(swapped.light.key_colour, views.light.key_colour.flip(0))


def test_the_true_texture_is_the_persons(folder, monkeypatch):
    asked = []

    class Database:
        def load(self, *given):
            asked.append(given)
            return self

        def textures(self, indices):
            return indices

    monkeypatch.setattr(held_out, "TextureDatabase", Database())
    assert _views(folder)[[1]].textures(64) == (1,)
    assert asked == [(64, 2, "validation")]


def test_refuses(tmp_path):
    with pytest.raises(HeldOutError, match="no split"):
        held_out_views(1, "best", folder=tmp_path)
    with pytest.raises(HeldOutError, match="at least one"):
        held_out_views(0, folder=tmp_path)
