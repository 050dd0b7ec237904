"""Grey world and shades of grey."""

import pytest
import torch

from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.normalization.errors import ColourCorrectionError
from visage.normalization.white_balance import (
    balance,
    grey_world,
    light_colour,
    shades_of_grey,
)


@pytest.fixture
def scene():
    """A picture whose linear light is grey on average and at its brightest."""
    generator = torch.Generator().manual_seed(0)
    half = torch.rand(1, 3, 8, 8, generator=generator)
    colours = torch.cat([half, half.roll(1, 1), half.roll(2, 1)], 3)
    return encode_srgb(0.1 + 0.6 * colours)


def test_a_grey_scene_stays(scene):
    for method in (grey_world, shades_of_grey):
        torch.testing.assert_close(method(scene), scene, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", [grey_world, shades_of_grey])
def test_the_light_is_divided_out(scene, method):
    tint = torch.tensor([1.2, 1.0, 0.6])[:, None, None]
    lit = encode_srgb(decode_srgb(scene) * tint)
    found = decode_srgb(method(lit))
    # But for a strength: neither knows how bright the scene should be.
    ratio = found / decode_srgb(scene)
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), atol=2e-3, rtol=0)


def test_minkowski_means():
    image = encode_srgb(torch.tensor([0.2, 0.8])).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    assert light_colour(image, 1)[0, 0] == pytest.approx(0.5, abs=1e-5)
    naive = ((0.2**6 + 0.8**6) / 2) ** (1 / 6)
    assert light_colour(image, 6)[0, 0] == pytest.approx(naive, abs=1e-5)
    assert light_colour(image, float("inf"))[0, 0] == pytest.approx(0.8, abs=1e-5)


def test_black_and_strong_lights_are_survived():
    black = torch.zeros(1, 3, 4, 4)
    assert torch.equal(shades_of_grey(black), black)
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1
    assert grey_world(red).isfinite().all()
    assert balance(torch.rand(1, 3, 4, 4), torch.tensor([[1.0, 0.0, 0.0]])).amax() <= 1


def test_refuses():
    with pytest.raises(ColourCorrectionError, match="order"):
        light_colour(torch.rand(1, 3, 4, 4), 0.5)
    with pytest.raises(ColourCorrectionError, match=r"expected \(B, 3, H, W\)"):
        grey_world(torch.rand(3, 4, 4))
