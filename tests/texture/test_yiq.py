import colorsys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visage.texture.errors import TextureError
from visage.texture.yiq import from_yiq, luminance, to_yiq, with_luminance


@pytest.fixture
def pictures():
    return torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))


def test_luminance_is_y(pictures):
    torch.testing.assert_close(luminance(pictures), to_yiq(pictures)[:, :1])


def test_agrees_with_the_standard_library(pictures):
    """colorsys rounds the same matrix to two digits."""
    found = to_yiq(pictures)
    for b in range(2):
        for v in range(5):
            for u in range(7):
                expected = colorsys.rgb_to_yiq(*pictures[b, :, v, u].tolist())
                assert found[b, :, v, u].tolist() == pytest.approx(expected, abs=0.01)


def test_round_trip(pictures):
    torch.testing.assert_close(from_yiq(to_yiq(pictures)), pictures, atol=2e-6, rtol=0)
    double = pictures.double()
    torch.testing.assert_close(from_yiq(to_yiq(double)), double, atol=1e-14, rtol=0)


def test_grey_has_no_colour():
    grey = torch.linspace(0, 1, 5).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    found = to_yiq(grey)
    torch.testing.assert_close(found[:, :1], grey[:, :1])
    assert found[:, 1:].abs().max() < 1e-6


@given(st.floats(0.2, 0.8), st.floats(-0.1, 0.1), st.integers(0, 2**16))
def test_new_luminance_keeps_colour(level, change, seed):
    generator = torch.Generator().manual_seed(seed)
    texture = level + 0.05 * torch.randn(1, 3, 3, 3, generator=generator).clamp(-1, 1)
    wanted = luminance(texture) + change
    changed = to_yiq(with_luminance(texture, wanted))
    torch.testing.assert_close(changed[:, :1], wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(changed[:, 1:], to_yiq(texture)[:, 1:], atol=1e-4, rtol=0)


def test_same_luminance_changes_nothing(pictures):
    same = with_luminance(pictures, luminance(pictures))
    torch.testing.assert_close(same, pictures)


def test_stays_a_picture(pictures):
    bright = with_luminance(pictures, torch.full((2, 1, 5, 7), 0.95))
    assert bright.min() >= 0
    assert bright.max() == 1


def test_gradients():
    texture = torch.linspace(0.4, 0.6, 12, dtype=torch.float64).view(1, 3, 2, 2)
    new_y = torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64)
    texture.requires_grad_(), new_y.requires_grad_()
    assert torch.autograd.gradcheck(with_luminance, (texture, new_y))


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 1, 4, 4), (1, 4, 4, 4)])
@pytest.mark.parametrize("function", [to_yiq, from_yiq, luminance])
def test_bad_input(function, shape):
    with pytest.raises(TextureError, match=r"expected \(B, 3, H, W\)"):
        function(torch.zeros(shape))


def test_luminance_of_another_size(pictures):
    with pytest.raises(TextureError, match="cannot take the luminance"):
        with_luminance(pictures, torch.zeros(2, 1, 5, 6))
    with pytest.raises(TextureError, match=r"expected \(B, 1, H, W\)"):
        with_luminance(pictures, pictures)
