"""The face window: what is cut, pasted and looked up."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.faces.shape import MorphableModel
from visage.texture.errors import TextureError
from visage.texture.window import (
    CORNER,
    SIDE,
    TexelMap,
    atlas_for,
    crop,
    face_region,
    feather,
    paste,
    resized,
    sample,
    to_window,
)


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def coordinates(size: int) -> torch.Tensor:
    """An atlas (1, 2, size, size) that holds its own coordinates."""
    at = (torch.arange(size) + 0.5) / size
    return torch.stack(torch.meshgrid(at, at, indexing="xy"))[None]


def test_crop_is_where_the_constants_say():
    window = crop(coordinates(256))
    assert window.shape == (1, 2, 96, 96)
    assert torch.allclose(window[0, :, 0, 0], torch.tensor(CORNER) + 0.5 / 256)
    assert torch.allclose(window[0, :, -1, -1], torch.tensor(CORNER) + SIDE - 0.5 / 256)


@given(st.sampled_from([128, 256, 512]), st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_pasting_what_was_cut_changes_nothing(size, seed):
    atlas = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(paste(atlas, crop(atlas)), atlas)


def test_paste_fades_by_its_share():
    atlas, window = torch.zeros(1, 1, 128, 128), torch.ones(1, 1, 48, 48)
    share = torch.full((1, 1, 48, 48), 0.25)
    pasted = paste(atlas, window, share)
    assert torch.equal(crop(pasted), torch.full((1, 1, 48, 48), 0.25))
    assert pasted.sum() == 0.25 * 48 * 48


def test_smaller_windows_are_means():
    texture = torch.rand(1, 3, 96, 96)
    small = resized(texture, 32)
    naive = torch.stack(
        [
            texture[0, :, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3].mean((1, 2))
            for y in range(32)
            for x in range(32)
        ]
    )
    assert torch.allclose(small[0].flatten(1).T, naive, atol=1e-6)


def test_enlarging_stays_within_what_was_there():
    texture = torch.rand(1, 1, 16, 16).round()
    large = resized(texture, 40)
    assert large.min() >= 0
    assert large.max() <= 1


def test_sampling_finds_what_lies_at_a_coordinate():
    window = crop(coordinates(512), 192)
    uv = torch.tensor(CORNER) + SIDE * (0.1 + 0.8 * torch.rand(2, 7, 2))
    found = sample(window.expand(2, -1, -1, -1), uv)
    assert torch.allclose(found.mT, uv, atol=1e-5)
    assert torch.allclose(to_window(uv) * SIDE + torch.tensor(CORNER), uv)


def test_texels_lie_where_the_mesh_says(model):
    held = TexelMap.load(64)
    values = model.mean[None].requires_grad_()
    places = held.interpolate(values)
    assert places.shape == (1, 3, 64, 64)
    y, x = 40, 20
    triangle = model.triangles[held.ids[0, y, x]]
    weights = held.weights[0, y, x].float()
    corners = model.uv[model.uv_triangles[held.ids[0, y, x]]]
    centre = (torch.tensor([x, y]) + 0.5) / 64
    assert torch.allclose(to_window(weights @ corners), centre, atol=1e-4)
    assert torch.allclose(places[0, :, y, x], weights @ model.mean[triangle], atol=1e-3)
    places[0, 2, y, x].backward()
    assert values.grad[0, triangle, 2].sum() == pytest.approx(1, abs=1e-4)


def test_the_face_is_in_front_and_nearly_symmetric(model):
    region = face_region(96)
    assert 0.5 < float(region.mean()) < 0.7
    assert float((region - region.flip(-1)).abs().mean()) < 0.02
    places = TexelMap.load(96).interpolate(model.mean[None])
    z = places[0, 2][region[0, 0] > 0]
    assert float((z > 20).float().mean()) > 0.99
    border = torch.cat([region[..., 0, :], region[..., -1, :], region[..., 0], region[..., -1]])
    assert border.sum() == 0


def test_the_feather_stays_inside_and_is_whole_in_the_middle():
    filled, soft = face_region(128), feather(128)
    assert float(soft[..., 60, 64]) == 1
    assert float((soft * (1 - filled)).sum()) < 0.01 * float(filled.sum())  # the slits alone
    assert float((soft[..., 1:] - soft[..., :-1]).abs().max()) < 0.5


@pytest.mark.parametrize("shape", [(1, 3, 100, 100), (1, 3, 128, 256), (3, 128, 128)])
def test_other_shapes_are_no_atlas(shape):
    with pytest.raises(TextureError, match="multiple of 128"):
        crop(torch.zeros(shape))


def test_no_atlas_is_that_small():
    with pytest.raises(TextureError, match="at least 1"):
        atlas_for(0)
