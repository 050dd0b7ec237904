"""Photographs by person, and what is remembered of them."""

import pytest
import torch
from PIL import Image

from visage.normalization import albums
from visage.normalization.albums import AlbumError, FolderAlbum, find_all


class TinyAlbum:
    """Pictures of noise in which a face is "seen" if they are bright."""

    name = "tiny"
    looks = 0

    def people(self):
        return {"a": [1, 2, 3], "b": [7]}

    def image(self, name, number):
        return torch.full((1, 3, 4, 4), number / 10)

    def landmarks(self, image):
        TinyAlbum.looks += 1
        value = float(image.mean())
        return None if value > 0.25 and value < 0.35 else torch.full((1, 68, 2), value)


def test_finds_once_and_leaves_out_what_shows_no_face(tmp_path):
    TinyAlbum.looks = 0
    found = find_all(TinyAlbum(), folder=tmp_path)
    assert found.photos == (("a", 1), ("a", 2), ("b", 7))
    assert torch.allclose(found.landmarks[:, 0, 0], torch.tensor([0.1, 0.2, 0.7]))
    assert TinyAlbum.looks == 4
    again = find_all(TinyAlbum(), folder=tmp_path)
    assert TinyAlbum.looks == 4
    assert again.photos == found.photos
    assert len(find_all(TinyAlbum(), most=1, folder=tmp_path)) == 2


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(albums, "_BLOCK", 2)
    TinyAlbum.looks = 0
    find_all(TinyAlbum(), folder=tmp_path)
    kept = sorted((tmp_path / "normalization" / "landmarks").iterdir())
    assert len(kept) == 2
    kept[0].unlink()
    find_all(TinyAlbum(), folder=tmp_path)
    assert TinyAlbum.looks == 6


def test_folder_of_folders(tmp_path):
    for name in ("Ada", "Bo"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (60, 60), "grey").save(tmp_path / name / "one.png")
    (tmp_path / "Bo" / "notes.txt").write_text("no photograph")
    (tmp_path / "empty").mkdir()
    album = FolderAlbum(tmp_path)
    assert {name: len(n) for name, n in album.people().items()} == {"Ada": 1, "Bo": 1}
    assert album.image("Ada", 0).shape == (1, 3, 60, 60)
    assert album.landmarks(album.image("Ada", 0)) is None
    (tmp_path / "Ada" / "one.png").write_bytes(b"damaged")
    assert len(find_all(album, folder=tmp_path / "cache")) == 0


def test_refuses_folders_without_people(tmp_path):
    with pytest.raises(AlbumError, match="no folder"):
        FolderAlbum(tmp_path / "nowhere")
    with pytest.raises(AlbumError, match="folder of its own"):
        FolderAlbum(tmp_path)
