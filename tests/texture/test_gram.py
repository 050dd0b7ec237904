import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visage.texture.backbones import load_backbone
from visage.texture.errors import GramError
from visage.texture.gram import frobenius, gram, grams, mask_out, packed, unpacked


def random(*shape, seed=0, dtype=torch.float64):
    return torch.rand(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("random_vgg19", width=0.05)


class TestGram:
    def test_naive(self):
        features = random(2, 3, 4, 5)
        expected = np.zeros((2, 3, 3))
        for b in range(2):
            for i in range(3):
                for j in range(3):
                    for y in range(4):
                        for x in range(5):
                            expected[b, i, j] += features[b, i, y, x] * features[b, j, y, x] / 20
        np.testing.assert_allclose(gram(features), expected)

    def test_place_does_not_count(self):
        features = random(1, 3, 4, 6)
        shuffled = features.flatten(2)[:, :, torch.arange(24).flip(0).roll(5)].view(1, 3, 4, 6)
        torch.testing.assert_close(gram(shuffled), gram(features))

    def test_tiling_changes_nothing(self):
        """M normalises: twice the same texture has the same matrix."""
        features = random(1, 3, 4, 6)
        torch.testing.assert_close(gram(features.repeat(1, 1, 2, 3)), gram(features))

    def test_gradient(self):
        features = random(1, 3, 2, 2).requires_grad_()
        assert torch.autograd.gradcheck(gram, (features,))

    @pytest.mark.parametrize("shape", [(3, 4, 5), (1, 3, 0, 5)])
    def test_bad_input(self, shape):
        with pytest.raises(GramError, match=r"expected \(B, C, h, w\)"):
            gram(torch.zeros(shape))


class TestMaskOut:
    def test_naive(self):
        luminance = random(2, 1, 3, 4)
        visible = (random(2, 1, 3, 4, seed=1) > 0.4).float()
        found = mask_out(luminance, visible)
        for b in range(2):
            for y in range(3):
                for x in range(4):
                    seen = visible[b, 0, y, x] == 1
                    assert found[b, 0, y, x] == (luminance[b, 0, y, x] if seen else 0.5)

    def test_half_visible(self):
        found = mask_out(torch.full((1, 1, 1, 1), 0.9), torch.full((1, 1, 1, 1), 0.5))
        assert float(found) == pytest.approx(0.7)

    def test_what_is_hidden_may_be_nan(self):
        luminance = torch.tensor([[[[torch.nan, 0.25]]]]).requires_grad_()
        visible = torch.tensor([[[[0.0, 1.0]]]])
        found = mask_out(luminance, visible)
        assert found.flatten().tolist() == [0.5, 0.25]

    def test_gradient_only_where_visible(self):
        luminance = random(1, 1, 2, 2).requires_grad_()
        visible = torch.tensor([[[[1.0, 0.0], [0.5, 1.0]]]])
        (gradient,) = torch.autograd.grad(mask_out(luminance, visible).sum(), luminance)
        torch.testing.assert_close(gradient, visible.double())

    def test_bad_input(self):
        with pytest.raises(GramError, match="same size"):
            mask_out(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 5))
        with pytest.raises(GramError, match="same size"):
            mask_out(torch.zeros(3, 1, 4, 4), torch.ones(2, 1, 4, 4))
        with pytest.raises(GramError, match=r"expected \(B, 1, H, W\)"):
            mask_out(torch.zeros(1, 3, 4, 4), torch.ones(1, 1, 4, 4))


class TestGrams:
    def test_by_hand(self, backbone):
        luminance = random(2, 1, 32, 32, dtype=torch.float32)
        visible = torch.ones(1, 1, 32, 32)
        visible[..., 20:] = 0
        layers = ["relu2_1", "relu1_1"]
        found = grams(backbone, luminance, visible, layers)
        assert tuple(found) == ("relu1_1", "relu2_1")
        features = backbone.features(mask_out(luminance, visible), layers)
        for layer, matrices in found.items():
            torch.testing.assert_close(matrices, gram(features[layer]))

    def test_layers_of_the_backbone(self, backbone):
        assert tuple(grams(backbone, torch.zeros(1, 1, 32, 32))) == backbone.gram_layers

    def test_what_is_hidden_does_not_count(self, backbone):
        one = random(1, 1, 32, 32, dtype=torch.float32)
        visible = torch.ones(1, 1, 32, 32)
        visible[:, :, :10] = 0
        other = torch.where(visible > 0, one, random(1, 1, 32, 32, seed=9).float())
        for layer, matrices in grams(backbone, one, visible).items():
            assert torch.equal(matrices, grams(backbone, other, visible)[layer])

    def test_gradient(self):
        backbone = load_backbone("random_vgg19", width=0.05).double()
        luminance = random(1, 1, 5, 5, seed=4).requires_grad_()
        visible = torch.ones(1, 1, 5, 5)
        visible[..., :2] = 0
        assert torch.autograd.gradcheck(
            lambda y: grams(backbone, y, visible, ["relu1_1", "relu2_1"])["relu2_1"], (luminance,)
        )


class TestPacked:
    @given(st.integers(1, 9), st.integers(0, 2**16))
    def test_keeps_inner_products(self, size, seed):
        matrices = random(3, size, size, seed=seed) - 0.5
        matrices = matrices + matrices.mT
        vectors = packed(matrices)
        assert vectors.shape == (3, size * (size + 1) // 2)
        expected = torch.einsum("aij,bij->ab", matrices, matrices)
        torch.testing.assert_close(vectors @ vectors.mT, expected)
        torch.testing.assert_close(unpacked(vectors), matrices)

    def test_no_triangle(self):
        with pytest.raises(GramError, match="4 numbers"):
            unpacked(torch.zeros(1, 4))


def test_frobenius():
    one, other = {"a": torch.zeros(2, 2, 2)}, {"a": torch.full((1, 2, 2), 3.0)}
    assert frobenius(one, other)["a"].tolist() == [6, 6]
