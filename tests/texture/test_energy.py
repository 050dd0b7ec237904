"""Eq. 3 against its formula, its gradients against autograd."""

import pytest
import torch
from torch.autograd import gradcheck

from visage.texture.backbones import load_backbone
from visage.texture.energy import Energy, frobenius_gradient, gram_gradient
from visage.texture.errors import SynthesisError
from visage.texture.gram import gram, grams, mask_out

SIZE = 24
GRAMS, FEATURES = ("relu1_1", "relu1_2", "relu2_1"), ("relu2_1", "relu2_2")


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(width=0.05)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(3)
    return torch.rand(2, 1, SIZE, SIZE, generator=generator).split(1)


@pytest.fixture
def region():
    inside = torch.zeros(1, 1, SIZE, SIZE)
    inside[..., 4:20, 3:18] = 1
    return inside


def energy_of(backbone, texture, region, alpha=2000.0):
    with torch.no_grad():
        found = backbone.features(mask_out(texture, region), FEATURES)
        return Energy(backbone, grams(backbone, texture, region, GRAMS), found, region, alpha)


def written_out(backbone, made, true, region, alpha):
    """Eq. 3, with the norms of `visage.texture.energy`, as autograd sees it."""
    a = backbone.features(mask_out(made, region), {*GRAMS, *FEATURES})
    b = backbone.features(mask_out(true, region), {*GRAMS, *FEATURES})
    low = sum(((a[k] - b[k]) ** 2).sum() / (b[k] ** 2).sum() for k in FEATURES)
    high = sum(((gram(a[k]) - gram(b[k])) ** 2).sum() / (gram(b[k]) ** 2).sum() for k in GRAMS)
    return low + alpha * high


def test_frobenius_gradient_is_that_of_the_squared_norm():
    x, a = torch.randn(3, 4, dtype=torch.float64, requires_grad=True), torch.randn(3, 4)
    (expected,) = torch.autograd.grad(((x - a) ** 2).sum(), x)
    torch.testing.assert_close(frobenius_gradient(x.detach(), a), expected)


def test_gram_gradient_is_that_of_autograd_for_any_upstream():
    features = torch.randn(2, 5, 3, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(2, 5, 5, dtype=torch.float64)  # not symmetric
    (expected,) = torch.autograd.grad(gram(features), features, upstream)
    torch.testing.assert_close(gram_gradient(features.detach(), upstream), expected)


def test_gram_gradient_in_loops():
    features = torch.randn(1, 2, 1, 3)
    upstream = torch.tensor([[[1.0, 2.0], [2.0, -1.0]]])
    expected = torch.zeros(2, 3)
    for i in range(2):
        for m in range(3):
            expected[i, m] = sum(
                2 / 3 * float(upstream[0, i, j] * features[0, j, 0, m]) for j in range(2)
            )
    torch.testing.assert_close(gram_gradient(features, upstream)[0, :, 0], expected)


@pytest.mark.parametrize("alpha", [0.5, 2000.0])
def test_energy_and_gradient_agree_with_autograd(backbone, pair, region, alpha):
    made, true = pair
    value, gradient, terms = energy_of(backbone, true, region, alpha)(made)
    free = made.clone().requires_grad_(True)
    expected = written_out(backbone, free, true, region, alpha)
    (expected_gradient,) = torch.autograd.grad(expected, free)
    assert value == pytest.approx(float(expected.detach()), rel=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-5 * value)
    assert set(terms) == {f"gram_{k}" for k in GRAMS} | {f"feature_{k}" for k in FEATURES}


def test_gradient_agrees_with_differences():
    network = load_backbone(width=0.03).double()
    true, made = torch.rand(2, 1, 8, 8, dtype=torch.float64).split(1)
    inside = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    inside[..., 6:] = 0
    energy = energy_of(network, true, inside, 3.0)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            value, gradient, _ = energy(x)
            context.save_for_backward(gradient)
            return x.new_tensor(value)

        @staticmethod
        def backward(context, upstream):
            return upstream * context.saved_tensors[0]

    assert gradcheck(Function.apply, made.requires_grad_(True), eps=1e-7, atol=1e-4)


def test_the_target_itself_costs_nothing(backbone, pair, region):
    value, gradient, _ = energy_of(backbone, pair[0], region)(pair[0])
    assert value < 1e-8
    assert float(gradient.abs().max()) < 1e-3


def test_texels_beyond_the_region_count_for_nothing(backbone, pair, region):
    made, true = pair
    energy = energy_of(backbone, true, region)
    changed = torch.where(region > 0, made, torch.rand_like(made))
    assert energy(changed)[0] == energy(made)[0]
    assert float((energy(made)[1] * (1 - region)).abs().max()) == 0


def test_refuses_what_does_not_fit(backbone, pair, region):
    true = grams(backbone, pair[0], region, GRAMS)
    with pytest.raises(SynthesisError, match="nothing to match"):
        Energy(backbone, {}, {}, region, 1.0)
    with pytest.raises(SynthesisError, match="no layer 'relu9_1'"):
        Energy(backbone, {"relu9_1": true["relu1_1"]}, {}, region, 1.0)
    with pytest.raises(SynthesisError, match="finite"):
        Energy(backbone, {"relu1_1": true["relu1_1"] * torch.nan}, {}, region, 1.0)
    wrong = Energy(backbone, {"relu1_1": torch.ones(1, 2, 2)}, {}, region, 1.0)
    with pytest.raises(SynthesisError, match="same network"):
        wrong(pair[0])
