import pytest
import torch

from visage.faces.population import SPLITS, PopulationError, people, seed_of
from visage.faces.shape import MorphableModel


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def same_person(a, b):
    assert torch.equal(a.identity, b.identity)
    assert torch.equal(a.skin.melanin, b.skin.melanin)
    assert torch.equal(a.garment.colour, b.garment.colour)
    assert torch.equal(a.glasses.tint, b.glasses.tint)
    assert a.hair == b.hair


def test_a_person_is_a_number(model):
    """Whoever else is drawn, and in whatever order."""
    several = people(model, 3, [0, 1, 2, 7])
    alone = people(model, 3, [7])
    same_person(several[3:], alone)
    same_person(people(model, 3, [7, 2, 0])[1:2], several[2:3])


def test_both_levels_have_the_same_people(model):
    fine = MorphableModel.load(1)
    same_person(people(fine, 0, [4]), people(model, 0, [4]))


def test_splits_and_seeds_have_people_of_their_own(model):
    drawn = [people(model, seed, range(20), split=s) for seed in (0, 1) for s in SPLITS]
    seeds = torch.cat([group.seeds for group in drawn])
    assert len(seeds.unique()) == len(seeds)
    identities = torch.cat([group.identity for group in drawn])
    apart = torch.cdist(identities, identities) + 1e3 * torch.eye(len(identities))
    assert apart.min() > 1


def test_labels_are_read_off_the_identity(model):
    group = people(model, 0, range(6))
    for name, values in model.read(group.identity).items():
        torch.testing.assert_close(group.labels[name], values)


def test_people_can_be_chosen_and_repeated(model):
    group = people(model, 0, range(3))
    chosen = group[torch.tensor([2, 0, 2])]
    assert len(chosen) == 3
    same_person(chosen[:1], group[2:3])
    same_person(chosen[2:], group[2:3])
    assert chosen.hair[1] == group.hair[0]
    assert len(group[[1]]) == 1


def test_the_population_varies(model):
    group = people(model, 0, range(120))
    assert group.skin.melanin.std() > 0
    assert len({hair.style for hair in group.hair}) >= 5
    wearing = group.glasses.worn.float().mean()
    assert 0.05 < wearing < 0.5


def test_nobody(model):
    assert len(people(model, 0, [])) == 0


def test_bad_input(model):
    with pytest.raises(PopulationError, match="held_out"):
        people(model, 0, [0], split="held_out")
    with pytest.raises(PopulationError, match="-1"):
        people(model, 0, [-1])
    with pytest.raises(PopulationError, match="-2"):
        people(model, -2, [0])


def test_seeds_of_neighbours_are_unlike():
    seeds = {seed_of(a, b) for a in range(30) for b in range(30)}
    assert len(seeds) == 900
    assert max(seeds) < 2**62
