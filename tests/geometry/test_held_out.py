"""Held-out faces: the truth is that of the numbers, and what was asked for is what was drawn."""

import pytest
import torch

from visage.geometry import held_out
from visage.geometry.depth_error import common_pixels, depth_errors, summarised
from visage.geometry.errors import HeldOutError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.held_out import (
    HeldOut,
    expression_series,
    held_out_faces,
    light_series,
    sittings_drawn,
    yaw_series,
)
from visage.geometry.held_out_drawing import LIGHTS, Sitting
from visage.geometry.rendering_layer import render_depth

_SIZE = 48  # too small for dlib's detector: windows lie where its boxes are on average
_SITTINGS = (
    Sitting(0),
    Sitting(0, yaw=60.0),
    Sitting(0, perspective=True),
    Sitting(0, expression="surprise", strength=1.0, light="side"),
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> HeldOut:
    folder = tmp_path_factory.mktemp("cache")
    return sittings_drawn(_SITTINGS, "validation", size=_SIZE, folder=folder, progress=False)


def test_the_truth_is_what_the_numbers_draw(drawn):
    far = drawn[[0, 1, 3]]
    found = render_depth(FaceMesh.load(1), far.numbers, _SIZE)
    pixels = common_pixels([far.mask, found.mask])
    errors = summarised(depth_errors(found.depth, far.depth, pixels))
    assert float(errors.mean.max()) < 0.1  # wrinkles, and 8-bit depths
    assert bool((pixels.sum((1, 2, 3)) > 0.95 * far.mask.sum((1, 2, 3))).all())


def test_perspective_differs_by_millimetres(drawn):
    near = drawn[[2]]
    found = render_depth(FaceMesh.load(1), near.numbers, _SIZE)
    pixels = common_pixels([near.mask, found.mask])
    error = float(summarised(depth_errors(found.depth, near.depth, pixels)).mean)
    assert 0.2 < error < 6  # a face of 100 mm depth at 0.7 to 3 m
    assert float(pixels.sum() / near.mask.sum()) > 0.9


def test_what_was_asked_for(drawn):
    yaw = drawn.yaw.rad2deg()
    assert yaw[1].item() == pytest.approx(60, abs=0.01)
    assert abs(yaw[0].item()) <= 45
    assert drawn.numbers.expression[3].max() > drawn.numbers.expression[0].max()
    assert torch.equal(drawn.numbers.identity[0], drawn.numbers.identity[3])
    assert not torch.equal(drawn.faces[0], drawn.faces[3])


def test_faces_are_pictures_with_depth_under_them(drawn):
    assert drawn.faces.shape == drawn.depth.shape == drawn.mask.shape == (4, 1, _SIZE, _SIZE)
    assert 0 <= float(drawn.faces.min()) < float(drawn.faces.max()) <= 1
    assert bool(drawn.depth[drawn.mask].isfinite().all())
    assert bool(drawn.landmarks.isfinite().all())


def test_drawn_once(drawn, tmp_path, monkeypatch):
    def kept(path, make):
        calls.append(path)
        return _stored(drawn)

    calls = []
    monkeypatch.setattr(held_out, "kept", kept)
    again = sittings_drawn(_SITTINGS, "validation", size=_SIZE, folder=tmp_path, progress=False)
    torch.testing.assert_close(again.depth, drawn.depth)
    sittings_drawn(_SITTINGS, "test", size=_SIZE, folder=tmp_path, progress=False)
    sittings_drawn(_SITTINGS[:1], "test", size=_SIZE, folder=tmp_path, progress=False)
    assert len(set(calls)) == 3  # another split, or other sittings, are another file


def _stored(drawn: HeldOut) -> dict[str, torch.Tensor]:
    depth = (200 * drawn.depth).round().nan_to_num(posinf=-32768).to(torch.int16)
    return {
        "faces": (255 * drawn.faces).round().to(torch.uint8),
        "depth": depth,
        "mask": drawn.mask.to(torch.uint8),
        "numbers": drawn.numbers.numbers,
        "landmarks": drawn.landmarks,
        "found": drawn.found.to(torch.uint8),
    }


def test_series_ask_for_every_combination(monkeypatch):
    asked = {}

    def drawn(sittings, split="test", **_):
        asked["sittings"] = sittings

    monkeypatch.setattr(held_out, "sittings_drawn", drawn)
    yaw_series(2, yaws=(0, 30))
    assert [(s.person, s.yaw) for s in asked["sittings"]] == [(0, 0), (0, 30), (1, 0), (1, -30)]
    expression_series(2, strengths=(0.0, 1.0))
    assert [s.strength for s in asked["sittings"]] == [0, 1, 0, 1]
    assert len({s.expression for s in asked["sittings"]}) == 2
    light_series(1)
    assert [s.light for s in asked["sittings"]] == list(LIGHTS)
    held_out_faces(3, perspective=True)
    assert [s.perspective for s in asked["sittings"]] == [True] * 3


def test_refuses():
    with pytest.raises(HeldOutError, match="no split"):
        held_out_faces(1, "people")
    with pytest.raises(HeldOutError, match="nobody"):
        held_out_faces(0)
