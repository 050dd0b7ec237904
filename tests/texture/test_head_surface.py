"""A face's texture on a whole head: what is around it, and its relief."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from visage.faces.reflectance import decode_srgb
from visage.faces.surface import SurfaceMaps
from visage.texture import head_surface
from visage.texture.errors import TextureError
from visage.texture.head_surface import (
    WINDOW_MM,
    Bump,
    blurred,
    bump_height,
    head_maps,
    plain_maps,
)
from visage.texture.window import crop, feather

SIZE, ATLAS = 96, 256
SKIN = (0.02, 0.3)  # u and v of a place of the neck's skin, far from the face
EYE = (0.36 * 2, 0.58)  # of an eye


def flat(colour, size=ATLAS, batch=1):
    albedo = torch.tensor(colour).view(1, 3, 1, 1).expand(batch, 3, size, size)
    one = torch.full((batch, 1, size, size), 0.4)
    return SurfaceMaps(albedo.contiguous(), one, one + 0.1, torch.zeros_like(one) + 0.01)


@pytest.fixture
def plain(monkeypatch):
    maps = flat((0.4, 0.3, 0.2))
    monkeypatch.setattr(head_surface, "plain_maps", lambda size: maps)
    return maps


def coloured(colour, size=SIZE):
    return torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, size, size).contiguous()


def test_the_face_is_the_texture_s_and_the_rest_is_as_given():
    texture, around = torch.rand(2, 3, SIZE, SIZE), flat((0.4, 0.3, 0.2), batch=2)
    maps = head_maps(texture, around, bump=None)
    inside = (feather(SIZE) == 1).expand(2, 3, -1, -1)
    assert inside.float().mean() > 0.2
    torch.testing.assert_close(crop(maps.albedo)[inside], decode_srgb(texture)[inside])
    outside = (feather(SIZE) == 0).expand(2, 3, -1, -1)
    assert torch.equal(crop(maps.albedo)[outside], crop(around.albedo)[outside])
    for name in ("roughness", "specular", "height"):
        assert torch.equal(getattr(maps, name), getattr(around, name))


def test_a_plain_head_takes_the_face_s_colour_but_not_in_its_eyes(plain):
    texture = coloured((0.6, 0.4, 0.3))
    maps = head_maps(texture, bump=None)
    wanted = decode_srgb(texture)[0, :, 0, 0]
    u, v = (int(place * ATLAS) for place in SKIN)
    torch.testing.assert_close(maps.albedo[0, :, v, u], wanted, atol=0.01, rtol=0)
    u, v = (int(place * ATLAS) for place in EYE)
    torch.testing.assert_close(maps.albedo[0, :, v, u], plain.albedo[0, :, v, u])


def test_near_skin_is_like_the_near_side_of_the_face(plain):
    texture = coloured((0.6, 0.45, 0.4))
    texture[..., SIZE // 2 :] *= 0.9
    albedo = head_maps(texture, bump=None).albedo[0]
    row = int(0.35 * ATLAS)  # cheeks
    left, right = albedo[:, row, int(0.22 * ATLAS)], albedo[:, row, int(0.78 * ATLAS)]
    assert (right < 0.97 * left).all()


def test_relief_is_the_fine_part_of_the_luminance():
    texture = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 0.1 + 0.4
    bump = Bump(height=0.5, reach=3.0, most=1e3)
    y = (texture * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1)[0].numpy()
    smooth = gaussian_filter(y.astype(np.float64), 3.0 / WINDOW_MM * 128, mode="nearest")
    inner = (slice(10, -10),) * 2
    found = bump_height(texture, bump)[0, 0].numpy()
    assert np.abs(found - 0.5 * (y - smooth))[inner].max() < 1e-3
    low = bump_height(texture, Bump(most=0.001))
    assert low.abs().max() <= 0.001
    assert torch.equal(low.sign(), bump_height(texture).sign())


def test_relief_is_written_where_the_face_is():
    texture = torch.rand(1, 3, SIZE, SIZE)
    height = crop(head_maps(texture, flat((0.4, 0.3, 0.2))).height)
    inside = feather(SIZE) == 1
    torch.testing.assert_close(height[inside], bump_height(texture)[inside])
    torch.testing.assert_close(height[feather(SIZE) == 0].unique(), torch.tensor([0.01]))


def test_a_blur_is_scipy_s():
    image = torch.rand(1, 2, 20, 24, generator=torch.Generator().manual_seed(1))
    for channel in range(2):
        wanted = gaussian_filter(image[0, channel].numpy(), 1.7, mode="nearest", radius=5)
        np.testing.assert_allclose(blurred(image, 1.7)[0, channel], wanted, atol=1e-5)
    assert blurred(image, 0) is image


def test_spreading_keeps_what_is_known_and_fills_the_rest():
    values = torch.zeros(1, 1, 16, 16)
    known = torch.zeros(1, 1, 16, 16)
    values[..., 3, 2], known[..., 3, 2] = 5.0, 1.0
    values[..., 12, 13], known[..., 12, 13] = 1.0, 1.0
    found = head_surface._spread(values, known)
    assert found[0, 0, 3, 2] == 5
    assert found[0, 0, 12, 13] == 1
    assert found[0, 0, 0, 0] > 4
    assert found[0, 0, 15, 15] < 2
    assert found.min() >= 1
    assert found.max() <= 5


def test_the_plain_head_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(head_surface, "_paint_plain", lambda size: flat((0.4, 0.3, 0.2), size))
    plain_maps.cache_clear()
    first = plain_maps(128, tmp_path)
    monkeypatch.setattr(head_surface, "_paint_plain", None)  # a second painting would fail
    plain_maps.cache_clear()
    again = plain_maps(256, tmp_path)
    plain_maps.cache_clear()
    assert (first.size, again.size) == (128, 256)
    torch.testing.assert_close(again.albedo[0, :, 0, 0], torch.tensor([0.4, 0.3, 0.2]),
                               atol=1e-3, rtol=0)  # fmt: skip


def test_what_cannot_be_put_on_heads():
    with pytest.raises(TextureError, match=r"expected \(B, 3, S, S\)"):
        head_maps(torch.zeros(1, 3, 8, 9))
    with pytest.raises(TextureError, match="2 textures and 1 heads"):
        head_maps(torch.zeros(2, 3, SIZE, SIZE), flat((0.4, 0.3, 0.2)))
