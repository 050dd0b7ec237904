"""The terms of the objective that need no recogniser: known values, loops, derivatives."""

import math
from itertools import pairwise

import pytest
import torch
from torch.autograd import gradcheck

from visage.inversion.embedding_distance import embedding_distance, normalised_dot
from visage.inversion.errors import InversionError
from visage.inversion.guiding_image import guide_distance
from visage.inversion.mirror import mirror_asymmetry
from visage.inversion.total_variation import total_variation, total_variation_weight


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestEmbeddingDistance:
    def test_l2_is_the_squared_length_of_the_difference(self):
        a, b = drawn(3, 5), drawn(3, 5, seed=1)
        loop = [sum((x - 2 * y) ** 2 for x, y in zip(*rows, strict=True))
                for rows in zip(a.tolist(), b.tolist(), strict=True)]  # fmt: skip
        assert embedding_distance(a, b, target_scale=2).tolist() == pytest.approx(loop)

    def test_dot_is_the_negative_inner_product(self):
        a, b = drawn(3, 5), drawn(1, 5, seed=1)
        assert torch.allclose(embedding_distance(a, b, "dot", target_scale=3), -3 * (a @ b[0]))

    def test_normalised_embeddings_do_not_feel_length(self):
        a, b = drawn(3, 5), drawn(3, 5, seed=1)
        for kind in ("l2", "dot"):
            once = embedding_distance(a, b, kind, normalised=True)
            assert torch.allclose(once, embedding_distance(7 * a, 0.1 * b, kind, normalised=True))

    def test_normalised_l2_and_dot_agree_up_to_a_constant(self):
        a, b = drawn(3, 5), drawn(3, 5, seed=1)
        l2, dot = (embedding_distance(a, b, kind, normalised=True) for kind in ("l2", "dot"))
        assert torch.allclose(l2, 2 + 2 * dot)
        assert torch.allclose(-dot, normalised_dot(a, b))

    def test_a_long_target_turns_l2_into_dot(self):
        # The directions of the gradients approach each other like 1/s: fig. 8.
        a, b = drawn(1, 5).requires_grad_(), drawn(1, 5, seed=1)
        (dot,) = torch.autograd.grad(embedding_distance(a, b, "dot").sum(), a)
        angles = []
        for scale in (1, 10, 100):
            l2 = embedding_distance(a, b, target_scale=scale).sum()
            (gradient,) = torch.autograd.grad(l2, a)
            angles.append(1 - torch.cosine_similarity(gradient, dot).item())
        assert angles[0] > 10 * angles[1] > 100 * angles[2]

    def test_the_centre_is_taken_from_both(self):
        a, b, c = drawn(3, 5), drawn(3, 5, seed=1), drawn(5, seed=2)
        for kind in ("l2", "dot"):
            assert torch.allclose(
                embedding_distance(a, b, kind, centre=c), embedding_distance(a - c, b - c, kind)
            )
        assert torch.allclose(normalised_dot(a, b, c), normalised_dot(a - c, b - c))

    @pytest.mark.parametrize("kind", ["l2", "dot"])
    @pytest.mark.parametrize("normalised", [False, True])
    def test_derivatives(self, kind, normalised):
        a, b = drawn(2, 4).requires_grad_(), drawn(2, 4, seed=1)
        assert gradcheck(
            lambda x: embedding_distance(x, b, kind, normalised=normalised, target_scale=1.5), a
        )

    def test_what_does_not_fit_is_refused(self):
        a = drawn(2, 4)
        with pytest.raises(InversionError, match="expected"):
            embedding_distance(a, drawn(2, 5))
        with pytest.raises(InversionError, match="3 targets for 2"):
            embedding_distance(a, drawn(3, 4))
        with pytest.raises(InversionError, match="target_scale"):
            embedding_distance(a, a, target_scale=0)
        with pytest.raises(InversionError, match="'l2' or 'dot'"):
            embedding_distance(a, a, "cosine")


def loop_total_variation(image, alpha):
    channels, rows, columns = image.shape
    total = 0.0
    for c in range(channels):
        for y in range(rows):
            for x in range(columns):
                here = image[c, y, x]
                total += (here - image[c, y, x - 1]) ** 2 + (here - image[c, y - 1, x]) ** 2
    return total ** (alpha / 2)


class TestTotalVariation:
    @pytest.mark.parametrize("alpha", [0.5, 1, 2, 3])
    def test_is_what_a_loop_sums(self, alpha):
        images = drawn(2, 3, 4, 5)
        expected = [float(loop_total_variation(image, alpha)) for image in images]
        assert total_variation(images, alpha).tolist() == pytest.approx(expected)

    @pytest.mark.parametrize("alpha", [0.5, 1, 2, 3])
    def test_derivatives(self, alpha):
        assert gradcheck(lambda x: total_variation(x, alpha), drawn(2, 1, 3, 4).requires_grad_())

    @pytest.mark.parametrize("alpha", [1, 1.5, 2, 3])
    def test_its_gradient_is_diffusion(self, alpha):
        # Eq. 3: ∂R/∂p = −α R^(1−2/α) Δp, Δ the five-point Laplacian with cyclic neighbours.
        p = drawn(1, 2, 5, 6).requires_grad_()
        r = total_variation(p, alpha)
        (gradient,) = torch.autograd.grad(r.sum(), p)
        laplacian = sum(p.roll(s, d) for s in (1, -1) for d in (-1, -2)) - 4 * p
        assert torch.allclose(gradient, -alpha * r ** (1 - 2 / alpha) * laplacian)

    @pytest.mark.parametrize("alpha", [0.5, 1, 2, 3])
    def test_a_flat_image_is_at_rest(self, alpha):
        flat = torch.full((1, 3, 4, 4), 0.3).requires_grad_()
        total_variation(flat, alpha).sum().backward()
        assert (flat.grad == 0).all()

    def test_shifting_around_the_edge_changes_nothing(self):
        images = drawn(2, 3, 6, 7)
        moved = images.roll((2, 3), (-2, -1))
        assert torch.allclose(total_variation(moved), total_variation(images))

    def test_bad_input(self):
        with pytest.raises(InversionError, match="alpha"):
            total_variation(drawn(1, 1, 2, 2), alpha=0)
        with pytest.raises(InversionError, match="B, C, H, W"):
            total_variation(drawn(3, 2, 2))


class TestWeightDecay:
    def test_falls_by_the_same_factor_each_step(self):
        weights = [total_variation_weight(step, 5, 2.0, 0.1) for step in range(5)]
        ratios = {round(b / a, 9) for a, b in pairwise(weights)}
        assert weights[0] == 2
        assert weights[-1] == pytest.approx(0.2)
        assert ratios == {round(0.1**0.25, 9)}

    def test_one_step_has_the_first_weight(self):
        assert total_variation_weight(0, 1, 2.0, 0.1) == 2

    def test_bad_input(self):
        with pytest.raises(InversionError, match="start"):
            total_variation_weight(0, 1, -1.0, 0.1)
        with pytest.raises(InversionError, match="final"):
            total_variation_weight(0, 1, 1.0, 0)
        with pytest.raises(InversionError, match="step 3"):
            total_variation_weight(3, 3, 1.0, 0.1)


class TestGuideDistance:
    @pytest.mark.parametrize("exponent", [0.5, 1, 2, 3])
    def test_is_the_sum_of_powers_of_norms(self, exponent):
        a = {"x": drawn(2, 3, 4), "y": drawn(2, 5, seed=1)}
        g = {"x": drawn(1, 3, 4, seed=2), "y": drawn(2, 5, seed=3)}
        expected = [
            math.dist(a["x"][i].flatten().tolist(), g["x"][0].flatten().tolist()) ** exponent
            + math.dist(a["y"][i].tolist(), g["y"][i].tolist()) ** exponent
            for i in range(2)
        ]
        assert guide_distance(a, g, exponent).tolist() == pytest.approx(expected)

    def test_relative_does_not_feel_the_unit_of_a_layer(self):
        a, g = {"x": drawn(2, 3)}, {"x": drawn(1, 3, seed=1)}
        larger = [{"x": 9 * value["x"]} for value in (a, g)]
        once = guide_distance(a, g, 1.5, relative=True)
        assert torch.allclose(once, guide_distance(*larger, 1.5, relative=True))

    @pytest.mark.parametrize("exponent", [1, 2, 3])
    def test_derivatives(self, exponent):
        g = {"x": drawn(1, 3, seed=1)}
        a = drawn(2, 3).requires_grad_()
        for relative in (False, True):
            assert gradcheck(
                lambda x, r=relative: guide_distance({"x": x}, g, exponent, relative=r), a
            )

    @pytest.mark.parametrize("exponent", [0.5, 1, 2])
    def test_the_guide_is_at_rest(self, exponent):
        a = torch.ones(1, 3, requires_grad=True)
        guide_distance({"x": a}, {"x": torch.ones(1, 3)}, exponent).sum().backward()
        assert (a.grad == 0).all()

    def test_bad_input(self):
        a = {"x": drawn(2, 3)}
        with pytest.raises(InversionError, match="same layers"):
            guide_distance(a, {"y": drawn(1, 3)})
        with pytest.raises(InversionError, match="same layers"):
            guide_distance({}, {})
        with pytest.raises(InversionError, match="layer 'x'"):
            guide_distance(a, {"x": drawn(1, 4)})
        with pytest.raises(InversionError, match="exponent"):
            guide_distance(a, a, 0)


class TestMirror:
    def test_is_what_a_loop_sums(self):
        images = drawn(2, 3, 4, 5)
        n = images.shape[-1]
        expected = [sum(float((row[x] - row[n - 1 - x]) ** 2) for row in image.flatten(0, 1)
                        for x in range(n)) for image in images]  # fmt: skip
        assert mirror_asymmetry(images).tolist() == pytest.approx(expected)

    def test_a_symmetric_image_costs_nothing(self):
        images = drawn(1, 3, 4, 5)
        assert mirror_asymmetry(images + images.flip(-1)).item() == 0

    def test_derivatives(self):
        assert gradcheck(mirror_asymmetry, drawn(2, 1, 3, 4).requires_grad_())
