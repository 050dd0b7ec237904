"""Long waves of luminance."""

import torch

from visage.texture.long_waves import held, spread_out, toned

SIZE = 96


def region():
    inside = torch.zeros(1, 1, SIZE, SIZE)
    inside[..., 20:70, 15:80] = 1
    return inside


def noise(seed):
    return 0.02 * torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def slope():
    return torch.linspace(0, 0.3, SIZE).expand(1, 1, SIZE, SIZE)


def test_holding_takes_long_waves_away_and_leaves_detail():
    base, inside = torch.full((1, 1, SIZE, SIZE), 0.5), region() > 0
    made = base + 0.2 + slope() + noise(0)
    left = held(base, made, region())[inside] - 0.5
    assert float(left.mean().abs()) < 0.002
    assert 0.8 < float(left.std() / noise(0)[inside].std()) < 1.05


def test_the_tone_of_another_is_taken_inside_and_fades_outside():
    base = 0.4 + noise(1)
    dark = torch.full_like(base, 0.3) + slope()
    found = toned(base, dark, region())
    again = held(dark, found, region())
    torch.testing.assert_close(again[region() > 0], found[region() > 0], atol=0.01, rtol=0)
    torch.testing.assert_close(found[..., :5, :5], base[..., :5, :5])


def test_a_texture_of_the_same_tone_stays():
    base = 0.4 + noise(2)
    torch.testing.assert_close(toned(base, base, region()), base)


def test_a_shift_goes_on_beyond_the_face_and_fades():
    base = torch.zeros(1, 1, SIZE, SIZE)
    found = spread_out(base, base + 0.1, region())
    assert float(found[0, 0, 45, 14]) > 0.07
    assert float(found[0, 0, 45, 2]) < 0.001
    assert torch.equal(found[region() > 0], torch.full_like(found, 0.1)[region() > 0])


def test_held_takes_back_slow_drift_and_leaves_detail():
    base, region = torch.zeros(1, 1, 64, 64), torch.ones(1, 1, 64, 64)
    detail = 0.1 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    drift = torch.linspace(0.2, 0.3, 64).expand(1, 1, 64, 64)
    made = held(base, detail + drift, region)
    assert float((made - detail).mean().abs()) < 1e-3
    assert float((made - detail).std()) < 0.3 * float(detail.std())


def test_spread_out_keeps_the_inside_and_fades():
    base, region = torch.zeros(1, 1, 40, 40), torch.zeros(1, 1, 40, 40)
    region[..., :20] = 1
    made = spread_out(base, torch.ones_like(base), region)
    assert bool((made[..., :20] == 1).all())
    across = made[0, 0, 20, 20:].tolist()
    assert across[0] > 0.5
    assert across[-1] < 1e-3
    assert across == sorted(across, reverse=True)
