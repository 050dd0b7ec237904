from dataclasses import replace

import pytest
import torch

from visage.avatar.relief import fine_relief
from visage.faces.shape import MorphableModel
from visage.geometry.pipeline import face_depth
from visage.geometry.reconstruct import DetailedFace
from visage.geometry.representation import FaceNumbers
from visage.texture.window import TexelMap

SIZE = 128


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def face():
    """The mean face from the front, with nothing that the coarse surface has not."""
    numbers = FaceNumbers.zeros(1)
    drawn = face_depth(numbers, 200)
    blank = torch.zeros(1, 3, 200, 200)
    scale = float(numbers.camera(200).scale)
    return DetailedFace(numbers, blank, drawn.depth, drawn.depth, drawn.mask, blank, scale, 1.0,
                        1.0, None)  # fmt: skip


def waves(face, amplitude=0.5, period=8.0):
    """The same face with ripples towards the viewer, mm."""
    x = torch.arange(200).float() / face.scale
    ripple = amplitude * (2 * torch.pi * x / period).sin().view(1, 1, 1, -1)
    return replace(face, depth=face.depth - ripple), ripple


def test_no_detail_is_no_relief(model, face):
    assert not fine_relief(model, face, SIZE).any()


def test_ripples_lie_where_they_were_seen(model, face):
    """On the forehead and the cheeks, height is the ripple times the cosine to the view."""
    rippled, _ = waves(face)
    height = fine_relief(model, rippled, SIZE)
    camera, texels = face.numbers.camera(200), TexelMap.load(SIZE, model)
    vertices = model.vertices(face.numbers.identity)
    normals = camera.turn(model.normals(vertices))
    at = texels.interpolate(torch.cat([camera.project(vertices), normals], 2))
    wanted = 0.5 * (2 * torch.pi * at[:, :1] / face.scale / 8).sin() * at[:, 5:6]
    clear = (at[:, 5:6] > 0.9) & (height != 0)
    assert clear.sum() > 200
    pair = torch.stack([height[clear], wanted[clear]])
    assert torch.corrcoef(pair)[0, 1] > 0.9
    assert 0.6 < height[clear].std() / wanted[clear].std() < 1.05


def test_what_is_broad_is_left_to_the_head(model, face):
    rippled, _ = waves(face, period=8.0)
    broad, _ = waves(face, period=160.0)
    fine_height, broad_height = (fine_relief(model, one, SIZE) for one in (rippled, broad))
    assert broad_height.std() < 0.35 * fine_height.std()


def test_the_side_that_is_turned_away_has_none(model, face):
    angles = torch.zeros(1, 138)
    angles[0, 80 + 52 + 1] = 1.2  # times half a radian of yaw
    numbers = FaceNumbers.of(angles)
    drawn = face_depth(numbers, 200)
    turned = replace(face, numbers=numbers, coarse=drawn.depth, depth=drawn.depth, mask=drawn.mask)
    rippled, _ = waves(turned)
    height = fine_relief(model, rippled, SIZE).abs()
    left, right = height[..., : SIZE // 2].sum(), height[..., SIZE // 2 :].sum()
    assert max(left, right) > 4 * min(left, right)


def test_an_outline_is_no_trench(model, face):
    deep = replace(face, depth=face.depth + 30 * torch.randn_like(face.coarse))
    assert fine_relief(model, deep, SIZE).abs().max() <= 1.2
