"""The conditional family: its weights, what it refuses, and that it listens."""

import numpy as np
import pytest
import torch

from visage.nfgan.errors import LossError
from visage.nfgan.family import FamilyPlayers, LossFamily, WeightRange, balanced
from visage.nfgan.losses import TERMS, LossWeights
from visage.nfgan.networks import Nfgan, NfganConfig

MIDDLE = LossWeights(perceptual=2.0, identity=0.5, pixel=10.0, symmetry=1.0, adversarial=4.0)
SMALL = NfganConfig(width=0.1, latent=16)


def family(seed=0):
    torch.manual_seed(seed)
    return LossFamily(WeightRange(MIDDLE, factor=4.0), SMALL).eval()


def faces(count=3):
    return torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(0))


def test_weights_are_drawn_in_their_ranges():
    within = WeightRange(MIDDLE, factor=4.0, off=0.4)
    drawn = torch.stack([within.draw(np.random.default_rng(seed)) for seed in range(600)])
    relative, on = drawn / torch.tensor(within.centre()), drawn > 0
    assert on.any(1).all()
    # 60 % and the one that is always kept.
    assert ((on.float().mean(0) > 0.6) & (on.float().mean(0) < 0.75)).all()
    assert torch.allclose(relative.sum(1) / on.sum(1), torch.ones(600))
    ratios = torch.where(on, relative, torch.nan)
    spread = ratios.nan_to_num(0).amax(1) / ratios.nan_to_num(1e9).amin(1)
    assert 10 < spread.max() <= 16.001
    assert torch.equal(within.draw(np.random.default_rng(1)), drawn[1])


def test_only_ratios_count():
    centre = torch.tensor(WeightRange(MIDDLE).centre())
    weights = torch.tensor([[2.0, 0.0, 4.0, 1.0, 30.0], [0.0, 0.0, 0.0, 0.0, 0.1]])
    assert torch.allclose(balanced(7 * weights, centre), balanced(weights, centre))
    assert torch.allclose(balanced(weights, centre)[1], torch.tensor([0, 0, 0, 0, 10.0]))
    network = family()
    some = network(faces(2), weights)
    assert torch.allclose(network(faces(2), 7 * weights), some, atol=1e-5)


def test_the_code_is_the_logarithm_and_what_is_on():
    conditional = family().encoder
    centre = torch.tensor(WeightRange(MIDDLE).centre())
    weights = torch.stack([centre, centre * 9, centre * torch.tensor([0.5, 1.5, 0, 0, 0])])
    code = conditional.code(weights)
    assert torch.allclose(code[0], torch.tensor([0.0] * 5 + [1.0] * 5), atol=1e-6)
    assert torch.allclose(code[1], code[0], atol=1e-6)
    halves = torch.tensor([0.5, 1.5]).log() / torch.tensor(4.0).log()
    assert torch.allclose(code[2], torch.tensor([*halves, 0, 0, 0, 1, 1, 0, 0, 0]), atol=1e-6)


def test_it_generates_and_listens():
    network = family()
    middle = torch.tensor(WeightRange(MIDDLE).centre()).expand(3, 5)
    found = network(faces(), middle)
    assert found.shape == (3, 1, 64, 64)
    assert 0 <= found.min() < found.max() <= 1
    tilted = middle * torch.tensor([3.0, 1, 1, 1, 0.3])
    assert not torch.allclose(found, network(faces(), tilted))
    # One face's weights are nothing to another's.
    mixed = middle.clone()
    mixed[1] = 0.0
    assert torch.allclose(network(faces(), mixed)[[0, 2]], found[[0, 2]], atol=1e-5)


def test_without_films_it_is_the_plain_network():
    network = family()
    with torch.no_grad():
        for part in (network.encoder, network.decoder):
            part.read[-1].weight.zero_()
    plain = Nfgan(SMALL).eval()
    plain.encoder.load_state_dict(network.encoder.network.state_dict())
    plain.decoder.load_state_dict(network.decoder.network.state_dict())
    assert torch.allclose(network(faces(), torch.ones(3, 5)), plain(faces()).faces, atol=1e-6)


def test_ranges_come_back_from_a_checkpoint():
    fresh = LossFamily(config=SMALL)
    fresh.load_state_dict(family().state_dict())
    low, middle, high = fresh.ranges()["pixel"]
    assert (low, middle, high) == pytest.approx((2.5, 10.0, 40.0))
    assert tuple(fresh.ranges()) == TERMS


def test_the_players_share_the_family():
    network = FamilyPlayers(WeightRange(MIDDLE), SMALL)
    assert network.encoder is network.family.encoder
    assert network.decoder is network.family.decoder
    assert network.discriminator(faces(), torch.ones(3, 5)).shape == (3, 1, 4, 4)


def test_what_is_no_weight_is_refused():
    network = family()
    with pytest.raises(LossError, match=r"\(3, 5\)"):
        network(faces(), torch.ones(3, 4))
    with pytest.raises(LossError, match="below 0"):
        network(faces(), -torch.ones(3, 5))
    with pytest.raises(LossError, match="middle above 0"):
        WeightRange(MIDDLE.only("px"))
    with pytest.raises(LossError, match="factor"):
        WeightRange(MIDDLE, factor=1.0)
