import itertools

import pytest
import torch

from visage.texture.errors import PatchMatchError
from visage.texture.patch_completion import CompletionConfig, complete

QUICK = CompletionConfig(rounds=3, coarsest=16)


def stripes(height=64, width=64):
    """A pattern that repeats every 8 texels."""
    wave = torch.sin(torch.arange(width) * 2 * torch.pi / 8) * 0.4 + 0.5
    return wave.expand(1, 3, height, width).contiguous()


def window(size=64, hole=slice(24, 40)):
    known = torch.ones(1, 1, size, size)
    known[..., hole, hole] = 0
    return known


def test_stripes_go_on():
    true, known = stripes(), window()
    done = complete(true * known, known, config=QUICK).picture
    assert (done - true)[..., 24:40, 24:40].abs().mean() < 0.01


def test_what_is_known_stays():
    picture = torch.rand(1, 3, 64, 64)
    known = window()
    done = complete(picture, known, config=QUICK).picture
    assert torch.equal(done * known, picture * known)


def test_the_energy_never_rises():
    generator = torch.Generator().manual_seed(0)
    picture = torch.nn.functional.interpolate(
        torch.rand(1, 3, 20, 20, generator=generator), (96, 96), mode="bicubic"
    )
    config = CompletionConfig(radius=2, coarsest=16)
    energies = complete(picture, window(96, slice(40, 60)), config=config).energies
    assert len(energies) == 3
    for level in energies:
        assert all(b <= a * (1 + 1e-4) for a, b in itertools.pairwise(level))
        assert level[-1] < level[0]


def test_what_lies_in_the_hole_does_not_matter():
    picture, known = torch.rand(1, 3, 48, 48), window(48, slice(20, 30))
    spoilt = torch.where(known > 0, picture, torch.nan)
    first, second = (complete(some, known, config=QUICK).picture for some in (picture, spoilt))
    assert torch.equal(first, second)


def test_patches_come_only_from_what_lends():
    picture, known = torch.rand(1, 3, 64, 64) * 0.3, window()
    picture[..., 40:] += 0.7
    lending = torch.ones(1, 1, 64, 64)
    lending[..., 40:] = 0
    done = complete(picture, known, lending, QUICK)
    assert done.picture[..., 24:40, 24:40].max() <= 0.3
    places = done.matches[done.matches[..., 0] >= 0]
    assert places[:, 1].max() <= 39 - QUICK.radius


def test_the_seed_decides():
    picture, known = torch.rand(1, 3, 48, 48), window(48, slice(16, 32))
    first, again, other = (
        complete(picture, known, config=QUICK, seed=seed).picture for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_odd_sizes_and_one_channel():
    picture = torch.rand(1, 1, 45, 51)
    known = torch.ones(1, 1, 45, 51)
    known[..., :13, :13] = 0
    done = complete(picture, known, config=QUICK).picture
    assert done.shape == picture.shape
    assert done.isfinite().all()


def test_nothing_to_fill():
    picture = torch.rand(1, 3, 40, 40)
    done = complete(picture, torch.ones(1, 1, 40, 40))
    assert torch.equal(done.picture, picture)
    assert done.energies == ()


def test_a_strip_too_narrow_when_small_still_lends():
    """8 texels are one patch wide at the full size, and less at half of it."""
    picture, known = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    known[..., :8] = 1
    done = complete(picture, known, config=QUICK)
    assert len(done.energies) == 1
    assert done.picture.isfinite().all()


def test_bad_input():
    picture = torch.rand(1, 3, 40, 40)
    with pytest.raises(PatchMatchError, match="picture"):
        complete(picture[0], torch.ones(1, 1, 40, 40))
    with pytest.raises(PatchMatchError, match="known"):
        complete(picture, torch.ones(1, 3, 40, 40))
    with pytest.raises(PatchMatchError, match="lending"):
        complete(picture, torch.ones(1, 1, 40, 40), torch.ones(1, 1, 4, 4))
    with pytest.raises(PatchMatchError, match="no patch"):
        complete(picture, torch.zeros(1, 1, 40, 40))
