"""``visage avatar`` as a reader runs it."""

import numpy as np
import pytest
import trimesh
from PIL import Image

import visage.avatar.build as build
from visage.cli import main

SMALL = ["--texels", "64", "--people", "3", "--iterations", "4", "--pixels", "256", "--shown", "96"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def portrait(folder, photo):
    """A file with a face that stands on its side, and says so in its EXIF data."""
    pixels = (photo[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    turned, path = Image.fromarray(np.rot90(pixels).copy()), folder / "portrait.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(path, quality=95, exif=exif)
    return path


def test_a_photograph_becomes_a_head(portrait, folder, capsys):
    assert main(["avatar", "portrait.jpg", "--out", "head.glb", *SMALL]) == 0
    out = capsys.readouterr().out
    assert "head.glb written." in out
    assert "normalized" in out
    assert len(trimesh.load(folder / "head.glb", force="mesh").faces) > 10_000
    assert sorted(path.name for path in folder.iterdir()) == ["head.glb", "portrait.jpg"]


def refused(capsys, *arguments):
    assert main(["avatar", *arguments, *SMALL]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = [line for line in shown.err.splitlines() if line.startswith("visage:")]
    return line


def test_no_file(capsys):
    assert "there is no file 'nobody.jpg'" in refused(capsys, "nobody.jpg")


def test_a_file_that_is_no_picture(capsys, folder):
    (folder / "note.jpg").write_text("a face")
    assert "is not an image" in refused(capsys, "note.jpg")


def test_no_face(capsys, folder):
    Image.new("RGB", (200, 160), (90, 120, 90)).save(folder / "wall.png")
    assert "no face was found" in refused(capsys, "wall.png")
    assert not (folder / "avatar.glb").exists()


def test_a_tiny_picture(capsys, folder):
    Image.new("L", (1, 1)).save(folder / "dot.png")
    assert "no face was found" in refused(capsys, "dot.png")


def test_several_faces(capsys, folder, photo):
    pair = np.concatenate([photo[0].permute(1, 2, 0).numpy()] * 2, 1)
    Image.fromarray((255 * pair).round().astype(np.uint8)).save(folder / "pair.png")
    message = refused(capsys, "pair.png")
    assert "2 faces were found; choose one with --which largest" in message
    assert "no face number 7" in refused(capsys, "pair.png", "--which", "7")


def test_the_face_and_the_settings_are_handed_on(portrait, monkeypatch):
    asked = {}

    def build_avatar(photo, config, *, which):
        asked.update(photo=photo.name, config=config, which=which)
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "build_avatar", build_avatar)
    assert main(["avatar", "portrait.jpg", "--which", "2", "--texels", "128"]) == 130
    assert asked["which"] == 2
    assert asked["config"].texels == 128
    assert asked["photo"] == "portrait.jpg"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("head.obj", "'head.obj' does not end in .glb"),
        ("head", "'head' does not end in .glb"),
        ("missing/head.glb", "there is no folder 'missing'"),
    ],
)
def test_a_place_where_nothing_can_be_written(capsys, monkeypatch, out, message):
    def build_avatar(*_, **__):
        raise AssertionError("a minute's work for nothing")

    monkeypatch.setattr(build, "build_avatar", build_avatar)
    assert message in refused(capsys, "portrait.jpg", "--out", out)


def test_settings_of_no_avatar(capsys):
    with pytest.raises(SystemExit):
        main(["avatar", "portrait.jpg", "--texels", "many"])
    assert main(["avatar", "portrait.jpg", "--texels", "3"]) == 2
    assert "texels is 3; give at least 32" in capsys.readouterr().err


def test_an_interruption_leaves_what_was_there(portrait, folder, avatar, monkeypatch, capsys):
    """Ctrl-C at the very end, while the file is written."""
    (folder / "avatar.glb").write_bytes(b"yesterday's")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "build_avatar", lambda *_, **__: avatar)
    monkeypatch.setattr("pathlib.Path.write_bytes", interrupt)
    assert main(["avatar", "portrait.jpg"]) == 130
    assert capsys.readouterr().err.startswith("Interrupted: nothing is half-written")
    assert sorted(path.name for path in folder.iterdir()) == ["avatar.glb", "portrait.jpg"]
    assert (folder / "avatar.glb").read_bytes() == b"yesterday's"
