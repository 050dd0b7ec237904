import numpy as np
import pytest
import torch

from visage.recognition.acceptance import AcceptanceError, Bench

PEOPLE = 40


class FirstPixels:
    """Compares the first pixel of the first channel, and two more."""

    def look(self, chips):
        chips = chips.float() / 255 if chips.dtype == torch.uint8 else chips
        return chips[:, 0, 0, :3].double()

    def scores(self, a, b):
        return -torch.cdist(a, b)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def photographs(generator):
    first = torch.randint(0, 200, (PEOPLE, 3, 4, 4), generator=generator, dtype=torch.uint8)
    second = first.clone()
    second[:, 0, 0, 0] += 5
    return first, second


def test_thresholds_accept_the_stated_share_of_strangers(photographs):
    bench = Bench.of(FirstPixels(), *photographs)
    first, second = (p[:, 0, 0, :3].double() / 255 for p in photographs)
    strangers = [
        float((first[i] - second[j]).norm())
        for i in range(PEOPLE) for j in range(PEOPLE) if i != j
    ]  # fmt: skip
    for rate, name in ((0.01, "1e-2"), (0.001, "1e-3")):
        accepted = np.mean(np.array(strangers) <= -bench.thresholds[name])
        assert accepted <= rate
        more = sorted(strangers)[int(rate * len(strangers))]
        assert -bench.thresholds[name] < more
    assert {row.name: row.ours for row in bench.real_rows()}["real_pairs_far_1e-2"] == 1


def test_the_photograph_itself_passes_and_a_stranger_does_not(photographs):
    first, second = photographs
    bench = Bench.of(FirstPixels(), first, second)
    itself = bench.accepted(first.float() / 255)
    assert all(passed.all() for passed in itself.values())
    stranger = bench.accepted(first.roll(1, 0).float() / 255)
    assert stranger["type1_far_1e-3"].mean() < 0.1
    rows = {row.name: row for row in bench.rows(second.float() / 255, "_x")}
    assert rows["type2_far_1e-3_x"].ours == 1
    assert rows["type2_far_1e-3_x"].n == PEOPLE


def test_too_few_people(photographs):
    first, second = photographs
    with pytest.raises(AcceptanceError, match="too few"):
        Bench.of(FirstPixels(), first[:5], second[:5])
    with pytest.raises(AcceptanceError, match="two of each"):
        Bench.of(FirstPixels(), first, second[:5])
