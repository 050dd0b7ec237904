import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.inversion.defences import Noise, Nothing, Quantised, Rotated
from visage.inversion.errors import InversionError

CENTRE = torch.linspace(-1, 1, 16)


def people(count=400, seed=0, spread=0.3):
    drawn = torch.randn(count, 16, generator=torch.Generator().manual_seed(seed))
    return CENTRE + spread * drawn


def test_nothing_changes_nothing():
    e = people(3)
    assert Nothing().guessed(Nothing().stored(e)) is e


def test_shrinking_is_the_best_linear_guess_under_noise():
    e, noise = people(5000), Noise(1.0, CENTRE, 0.3)
    stored = noise.stored(e)
    assert (stored - e).std().item() == pytest.approx(0.3, rel=0.03)
    best = (noise.guessed(stored) - e).square().mean()
    for share in (0.3, 0.4, 0.6, 0.7):
        other = CENTRE + share * (stored - CENTRE)
        assert best < (other - e).square().mean()
    assert torch.equal(stored, noise.stored(e))
    assert not torch.equal(stored, Noise(1.0, CENTRE, 0.3, seed=1).stored(e))


@given(bits=st.integers(2, 8))
@settings(max_examples=7, deadline=None)
def test_quantised_is_within_half_a_step_and_has_so_many_levels(bits):
    e = people()
    stored = Quantised(bits, CENTRE, 0.3).stored(e)
    step = 0.3 * 6 / 2**bits
    inside = ((e - CENTRE).abs() < 0.9).float().bool()
    assert (stored - e)[inside].abs().max() <= step / 2 + 1e-6
    levels = ((stored - CENTRE) / step).mul(1000).round().unique()
    assert len(levels) <= 2**bits
    torch.testing.assert_close(Quantised(bits, CENTRE, 0.3).stored(stored), stored)


def test_one_bit_is_the_sign_at_the_mean_of_half_a_normal():
    e = people(20000)
    stored = Quantised(1, CENTRE, 0.3).stored(e)
    assert torch.equal((stored > CENTRE), (e > CENTRE))
    above = e[:, 0] > CENTRE[0]
    torch.testing.assert_close(stored[above, 0].mean(), e[above, 0].mean(), atol=0.01, rtol=0)


def test_a_rotation_keeps_distances_and_needs_its_key():
    e, secret = people(20), Rotated(CENTRE, key=5)
    rotation = secret.rotation()
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(16), atol=1e-5, rtol=0)
    turned = secret.stored(e)
    torch.testing.assert_close(torch.cdist(turned, turned), torch.cdist(e, e), atol=1e-3, rtol=0)
    assert (turned - e).norm(dim=1).min() > 0.3
    assert torch.equal(turned, Rotated(CENTRE, key=5).stored(e))
    assert not torch.allclose(turned, Rotated(CENTRE, key=6).stored(e))


def test_pairs_give_the_rotation_away():
    secret = Rotated(CENTRE, key=5)
    e, known = people(20), people(30, seed=9)
    errors = []
    for count in (4, 10, 16, 30):
        thief = Rotated(CENTRE, 5, known=(known[:count], secret.stored(known[:count])))
        errors.append((thief.guessed(secret.stored(e)) - e).norm(dim=1).mean().item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[-1] < 1e-4


@pytest.mark.parametrize(
    "make",
    [
        lambda: Quantised(0, CENTRE, 1.0),
        lambda: Quantised(9, CENTRE, 1.0),
        lambda: Quantised(2, CENTRE, 0.0),
        lambda: Noise(-1.0, CENTRE, 1.0),
        lambda: Noise(1.0, CENTRE, float("nan")),
    ],
)
def test_settings_that_make_no_sense(make):
    with pytest.raises(InversionError):
        make()
