"""The grain that synthesis starts from."""

import torch

from visage.texture.grain import grain
from visage.texture.measures import band_energies
from visage.texture.window import resized


def test_is_the_same_for_a_seed_only():
    torch.testing.assert_close(grain.__wrapped__(96, 1), grain.__wrapped__(96, 1))
    assert float((grain(96, 1) - grain(96, 2)).abs().max()) > 1


def test_has_unit_spread_and_nothing_of_the_low_frequencies():
    made = grain(256)
    assert made.shape == (1, 1, 256, 256)
    torch.testing.assert_close(made.std(), torch.tensor(1.0))
    assert float(resized(made, 64).std()) < 0.3


def test_middle_frequencies_outweigh_high_ones():
    made = grain(512)
    high, middle, low = band_energies(made, torch.ones_like(made))[0].sqrt().tolist()
    assert 0.3 < high / middle < 0.9
    assert low < middle


def test_small_textures_get_some_too():
    assert grain(32).shape == (1, 1, 32, 32)
