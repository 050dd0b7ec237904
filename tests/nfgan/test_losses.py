"""Equations 2, 6 and 7 against loops, and what their weights refuse."""

import math
from dataclasses import replace

import pytest
import torch

from visage.nfgan.errors import LossError
from visage.nfgan.losses import (
    LETTERS,
    TERMS,
    LossWeights,
    identity_loss,
    perceptual_loss,
    pixel_loss,
)


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_perceptual_loss_is_equation_2():
    ours, wanted = draw(2, 3, 4, 5), draw(2, 3, 4, 5, seed=1)
    for b in range(2):
        total = 0.0
        for m in range(4):
            for n in range(5):
                total += sum((float(ours[b, c, m, n] - wanted[b, c, m, n])) ** 2 for c in range(3))
        assert math.isclose(perceptual_loss(ours, wanted)[b], total / 20, rel_tol=1e-12)


def test_identity_loss_is_equation_6():
    maps, embedding = (draw(2, 3, 4, 4), draw(2, 3, 4, 4, seed=1)), (draw(2, 5), draw(2, 5, seed=2))
    found = identity_loss((maps[0], embedding[0]), (maps[1], embedding[1]))
    for b in range(2):
        first = sum(
            abs(float(maps[0][b, c, m, n] - maps[1][b, c, m, n]))
            for c in range(3)
            for m in range(4)
            for n in range(4)
        )
        second = sum(abs(float(embedding[0][b, c] - embedding[1][b, c])) for c in range(5))
        assert math.isclose(found[b], first / 16 + second, rel_tol=1e-12)


def test_pixel_loss_is_equation_7():
    ours, wanted = draw(2, 1, 3, 4), draw(2, 1, 3, 4, seed=1)
    for b in range(2):
        total = sum(
            abs(float(ours[b, 0, m, n] - wanted[b, 0, m, n])) for m in range(3) for n in range(4)
        )
        assert math.isclose(pixel_loss(ours, wanted)[b], total / 12, rel_tol=1e-12)


@pytest.mark.parametrize("loss", [perceptual_loss, pixel_loss])
def test_gradients_of_maps(loss):
    a, b = draw(2, 2, 3, 4).requires_grad_(), draw(2, 2, 3, 4, seed=1)
    assert torch.autograd.gradcheck(lambda x: loss(x, b), a)
    assert torch.equal(loss(b, b), torch.zeros(2, dtype=torch.float64))


def test_gradients_of_layers():
    maps, embedding = draw(2, 2, 3, 3).requires_grad_(), draw(2, 4).requires_grad_()
    there = [draw(2, 2, 3, 3, seed=1), draw(2, 4, seed=2)]
    assert torch.autograd.gradcheck(lambda a, b: identity_loss([a, b], there), (maps, embedding))


def test_what_cannot_be_compared_is_refused():
    for loss in (perceptual_loss, pixel_loss):
        with pytest.raises(LossError, match="same shape"):
            loss(draw(2, 1, 4, 4), draw(1, 1, 4, 4))
        with pytest.raises(LossError, match="same shape"):
            loss(draw(4, 4), draw(4, 4))
    with pytest.raises(LossError, match="2 layers and 1"):
        identity_loss([draw(1, 2), draw(1, 2)], [draw(1, 2)])
    with pytest.raises(LossError, match="0 layers"):
        identity_loss([], [])
    with pytest.raises(LossError, match="same shape"):
        identity_loss([draw(1, 2)], [draw(1, 3)])


def test_default_weights_are_the_papers():
    weights = LossWeights()
    assert [getattr(weights, name) for name in TERMS] == [1.0, 0.3, 0.1, 3e-3, 1e-3]
    assert weights.symmetry_space == "pixel"


def test_a_subset_keeps_the_weights_it_names():
    weights = LossWeights(symmetry_space="laplacian", identity=0.7)
    for letter, name in zip(LETTERS, TERMS, strict=True):
        alone = weights.only(letter)
        assert alone.symmetry_space == "laplacian"
        assert getattr(alone, name) == getattr(weights, name)
        assert sum(getattr(alone, other) > 0 for other in TERMS) == 1
    assert weights.only(LETTERS) == weights


@pytest.mark.parametrize("letters", ["", "pp", "q", "pq"])
def test_a_subset_that_is_none_is_refused(letters):
    with pytest.raises(LossError, match="letters"):
        LossWeights().only(letters)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_weights_that_are_none_are_refused(value):
    with pytest.raises(LossError, match="identity"):
        LossWeights(identity=value)
    with pytest.raises(LossError, match="symmetry_space"):
        replace(LossWeights(), symmetry_space="fourier")
