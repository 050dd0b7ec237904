"""A fresh discriminator: right where there is something to see, and at a loss where not."""

import pytest
import torch

from visage.nfgan.discrimination import DiscriminationError, fresh_accuracy

PEOPLE = torch.arange(40).repeat_interleave(2)


def _faces(seed: int) -> torch.Tensor:
    return torch.rand(80, 1, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_the_obvious_is_told_apart():
    found = fresh_accuracy(_faces(0), 0.3 * _faces(1), PEOPLE, steps=25)
    assert found > 0.95


def test_the_same_cannot_be_told_apart():
    faces = _faces(0)
    assert fresh_accuracy(faces, faces, PEOPLE, steps=3) == 0.5


def test_the_seed_decides_and_nothing_else_is_touched():
    before = torch.random.get_rng_state()
    first = fresh_accuracy(_faces(0), _faces(1), PEOPLE, steps=2, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert fresh_accuracy(_faces(0), _faces(1), PEOPLE, steps=2, seed=3) == first


def test_one_person_is_too_few():
    with pytest.raises(DiscriminationError, match="two people"):
        fresh_accuracy(_faces(0), _faces(1), torch.zeros(80), steps=1)
