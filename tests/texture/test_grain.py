"""The grain that synthesis starts from."""

import pytest
import torch

from visage.texture.database import TextureDatabase
from visage.texture.errors import SynthesisError
from visage.texture.grain import detail_strength, grain
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


def textures():
    """Two people: one with detail on the left, one on the right."""
    noise = 0.01 * torch.randn(2, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    noise[0, ..., 64:] = 0
    noise[1, ..., :64] = 0
    return (0.5 + noise).expand(-1, 3, -1, -1).clamp(0, 1)


def test_strength_is_where_the_people_have_detail():
    database = TextureDatabase.of(textures())
    first = detail_strength(database, torch.tensor([1.0, 0.0]))
    assert float(first[..., :56].mean()) > 0.005
    assert float(first[..., 72:].mean()) < 0.002


def test_variances_are_blended_by_the_positive_weights():
    database = TextureDatabase.of(textures())
    one = detail_strength(database, torch.tensor([1.0, 0.0])).square()
    two = detail_strength(database, torch.tensor([0.0, 1.0])).square()
    both = detail_strength(database, torch.tensor([0.75, 0.25])).square()
    torch.testing.assert_close(both, 0.75 * one + 0.25 * two, atol=5e-5, rtol=0.01)
    torch.testing.assert_close(detail_strength(database, torch.tensor([2.0, -1.0])).square(), one)


def test_refuses_weights_of_other_people():
    database = TextureDatabase.of(textures())
    with pytest.raises(SynthesisError, match="weights"):
        detail_strength(database, torch.ones(3))
    with pytest.raises(SynthesisError, match="above 0"):
        detail_strength(database, torch.zeros(2))
