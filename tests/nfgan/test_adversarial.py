"""Equations 4 and 5 as the paper writes them, with probabilities."""

import math

import pytest
import torch

from visage.nfgan.adversarial import (
    discriminator_accuracy,
    discriminator_loss,
    generator_loss,
)
from visage.nfgan.errors import AdversarialError


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dis(logit):
    return 1 / (1 + math.exp(-logit))


def test_equations_4_and_5_on_one_place():
    real, fake = draw(3, 1, 1, 1), draw(3, 1, 1, 1, seed=1)
    for b in range(3):
        g, x = dis(float(real[b])), dis(float(fake[b]))
        assert math.isclose(discriminator_loss(real, fake)[b], -math.log(g) - math.log(1 - x))
        assert math.isclose(generator_loss(fake)[b], -math.log(x))


def test_places_are_judged_one_by_one():
    real, fake = draw(2, 1, 3, 4), draw(2, 1, 3, 4, seed=1)
    places = [
        discriminator_loss(real[:, :, y : y + 1, x : x + 1], fake[:, :, y : y + 1, x : x + 1])
        for y in range(3)
        for x in range(4)
    ]
    assert torch.allclose(discriminator_loss(real, fake), torch.stack(places).mean(0))


def test_logits_are_exact_where_probabilities_are_not():
    sure = torch.full((1, 1, 1, 1), 200.0)
    assert generator_loss(-sure).item() == pytest.approx(200)
    assert discriminator_loss(-sure, sure).item() == pytest.approx(400)
    assert discriminator_loss(sure, -sure).item() < 1e-30


def test_gradients():
    real, fake = draw(2, 1, 2, 2).requires_grad_(), draw(2, 1, 2, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(discriminator_loss, (real, fake))
    assert torch.autograd.gradcheck(generator_loss, fake)


def test_accuracy_counts_both_sides():
    up, down = torch.ones(2, 1, 2, 2), -torch.ones(2, 1, 2, 2)
    assert discriminator_accuracy(up, down) == 1
    assert discriminator_accuracy(up, up) == 0.5
    assert discriminator_accuracy(down, up) == 0


def test_other_shapes_are_refused():
    with pytest.raises(AdversarialError, match="same shape"):
        discriminator_loss(torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 4, 4))
    with pytest.raises(AdversarialError, match="expected"):
        generator_loss(torch.zeros(2, 4))
