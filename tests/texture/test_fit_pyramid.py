"""Levels of a picture."""

import pytest
import torch

from visage.texture.fit_pyramid import pyramid


def test_levels_halve_from_coarse_to_fine():
    levels = pyramid(0.9 * torch.rand(3, 90, 121), None, 3, 0.7)
    assert [level.size for level in levels] == [(22, 30), (45, 60), (90, 121)]
    assert all(bool(level.clear.all()) for level in levels)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_ramp_is_the_same_ramp_at_every_level(number):
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")
    image = torch.stack([0.005 * x, 0.004 * y, 0.2 + 0.001 * x - 0.002 * y])
    level = pyramid(image, None, 3, 0.7)[number]
    pixels = torch.tensor([[40.3, 50.0], [64.0, 47.5], [80.9, 30.2]])
    colours, slopes = level.at(pixels)
    x, y = pixels.unbind(1)
    expected = torch.stack([0.005 * x, 0.004 * y, 0.2 + 0.001 * x - 0.002 * y], 1)
    torch.testing.assert_close(colours, expected, rtol=0, atol=1e-4)
    slope = torch.tensor([[0.005, 0.0], [0.0, 0.004], [0.001, -0.002]])
    torch.testing.assert_close(slopes, slope.expand(3, 3, 2), rtol=0, atol=1e-5)


def test_a_coarse_pixel_is_clear_where_all_of_it_is():
    mask = torch.ones(1, 16, 16)
    mask[0, 5, 9] = 0
    coarse, fine = pyramid(torch.zeros(3, 16, 16), mask, 2, 0.7)
    assert (~fine.clear).nonzero().tolist() == [[5, 9]]
    assert (~coarse.clear).nonzero().tolist() == [[2, 4]]


def test_what_is_burnt_out_is_not_clear():
    image = torch.full((3, 8, 8), 0.5)
    image[1, 2, 3] = 1
    (level,) = pyramid(image, None, 1, 0.7)
    assert (~level.clear).nonzero().tolist() == [[2, 3]]


def test_places_are_those_of_the_pixels_centres():
    coarse = pyramid(torch.zeros(3, 64, 64), None, 3, 0.7)[0]
    # The first coarse pixel covers the first four: its centre is theirs.
    torch.testing.assert_close(coarse.places(torch.tensor([1.5, 5.5])), torch.tensor([0.0, 1.0]))
