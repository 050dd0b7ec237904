import numpy as np
import pytest
import torch

from visage.texture.errors import PatchMatchError
from visage.texture.patch_match import PatchPair, nearest_neighbour_field


def picture(height=28, width=30, seed=0):
    """Smooth enough for neighbours to help each other, as photographs are."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 8, 8, generator=generator)
    fine = torch.rand(1, 3, height, width, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (smooth + 0.1 * fine)[0]


def exact_means(target, source, radius):
    """(H, W) least mean squared difference, over all patches; what sticks out does not count."""
    side = 2 * radius + 1
    patches = source.unfold(1, side, 1).unfold(2, side, 1)  # (C, V, U, side, side)
    padded = torch.nn.functional.pad(target, [radius] * 4, value=torch.nan)
    best = torch.empty(target.shape[1:])
    for y in range(target.shape[1]):
        for x in range(target.shape[2]):
            one = padded[:, y : y + side, x : x + side][:, None, None]
            best[y, x] = ((patches - one) ** 2).nanmean((0, 3, 4)).min()
    return best


@pytest.mark.parametrize(("related", "sweeps"), [(True, 12), (False, 20)])
def test_the_field_is_nearly_as_good_as_brute_force(related, sweeps):
    """Two pictures of the same thing, moved and with noise; and two that have nothing in common."""
    whole, noise = picture(36, 36, seed=3), 0.05 * picture(20, 22, seed=4)
    target, source = whole[:, 3:23, 2:24] + noise, whole[:, 8:30, 6:30]
    if not related:
        source = picture(22, 24, seed=5)
    found = nearest_neighbour_field(target, source, sweeps=sweeps)[1]
    best = exact_means(target, source, 3)
    assert (found >= best - 1e-6).all()
    assert found.mean() <= 1.05 * best.mean()


def test_costs_are_those_of_the_places():
    target, source = picture(seed=1), picture(24, 26, seed=2)
    places, means = nearest_neighbour_field(target, source, radius=2, sweeps=1)
    for y, x in ((0, 0), (10, 20), (27, 29), (5, 0)):
        total, count = 0.0, 0
        v, u = places[y, x].tolist()
        for i in range(-2, 3):
            for j in range(-2, 3):
                if 0 <= y + i < 28 and 0 <= x + j < 30:
                    total += float(((target[:, y + i, x + j] - source[:, v + i, u + j]) ** 2).sum())
                    count += 3
        assert float(means[y, x]) == pytest.approx(total / count, rel=1e-4)


def test_a_picture_finds_itself():
    one = picture()
    places, means = nearest_neighbour_field(one, one, radius=2, sweeps=6)
    there = torch.stack(torch.meshgrid(torch.arange(28), torch.arange(30), indexing="ij"), -1)
    found = (places == there).all(-1)[2:-2, 2:-2]
    assert found.float().mean() > 0.95
    assert means[2:-2, 2:-2][found].max() == 0


def test_no_cost_rises_and_their_sum_falls():
    pair = PatchPair.of(picture(seed=1), picture(seed=2), 2)
    generator = np.random.default_rng(0)
    field = pair.random_field(generator)
    costs = pair.costs(field)
    for _ in range(4):
        before = costs.copy()
        pair.improve(field, costs, 1, generator)
        assert (costs <= before).all()
        assert np.allclose(costs, pair.costs(field), rtol=1e-6)
    assert costs.sum() < 0.5 * pair.costs(pair.random_field(generator)).sum()


def test_the_seed_decides():
    pictures = picture(seed=1), picture(seed=2)
    first, again, other = (
        nearest_neighbour_field(*pictures, radius=2, sweeps=1, seed=seed)[0] for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_only_usable_patches_are_taken():
    usable = torch.ones(28, 30, dtype=torch.bool)
    usable[:, 15] = False
    pair = PatchPair.of(picture(seed=1), picture(seed=2), 2, usable=usable)
    field = pair.random_field(np.random.default_rng(0))
    pair.improve(field, pair.costs(field), 3, np.random.default_rng(1))
    rows, columns = field[:, 0], field[:, 1]
    assert ((rows >= 2) & (rows < 26) & (columns >= 2) & (columns < 28)).all()
    assert (abs(columns - 15) > 2).all()


def test_texels_that_do_not_count_change_nothing():
    target, source = picture(seed=1), picture(seed=2)
    counted = torch.ones(28, 30, dtype=torch.bool)
    counted[5:12, 6:20] = False
    other = torch.where(counted, target, torch.rand(3, 28, 30))
    costs = []
    for some in (target, other):
        pair = PatchPair.of(some, source, 2, counted=counted)
        costs.append(pair.costs(pair.random_field(np.random.default_rng(0))))
    assert np.array_equal(*costs)
    assert (costs[0].reshape(28, 30)[7:10, 8:18] == 0).all()


def test_vote_is_the_weighted_mean_of_what_patches_say():
    target, source = picture(9, 10, seed=1), picture(9, 10, seed=2)
    pair = PatchPair.of(target, source, 1)
    field = pair.random_field(np.random.default_rng(0))
    weights = np.random.default_rng(1).random(90).astype(np.float32) + 0.1
    hearing = np.zeros((9, 10), bool)
    hearing[2:6, 3:7] = True
    voted = pair.vote(field, weights, hearing)
    assert np.array_equal(voted[~hearing], pair.target[~hearing])
    for y, x in ((2, 3), (5, 6), (4, 4)):
        total, mass = np.zeros(3), 0.0
        for i in range(-1, 2):
            for j in range(-1, 2):
                n = (y + i) * 10 + x + j
                v, u = field[n]
                total += weights[n] * source[:, v - i, u - j].numpy()
                mass += weights[n]
        assert np.allclose(voted[y, x], total / mass, atol=1e-6)


def test_bad_input():
    one = picture()
    with pytest.raises(PatchMatchError, match="radius"):
        PatchPair.of(one, one, -1)
    with pytest.raises(PatchMatchError, match="give"):
        PatchPair.of(one, one[:2])
    with pytest.raises(PatchMatchError, match="wanted"):
        PatchPair.of(one, one, wanted=torch.ones(2, 2))
    with pytest.raises(PatchMatchError, match="7 x 7"):
        PatchPair.of(one, picture(6, 30))
    with pytest.raises(PatchMatchError, match="usable"):
        PatchPair.of(one, one, usable=torch.zeros(28, 30))
