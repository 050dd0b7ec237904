from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls

from visage.texture.errors import SimplexError
from visage.texture.simplex import (
    SOLVERS,
    closest,
    residuals,
    simplex_least_squares,
    simplex_sum_of_norms,
    unconstrained,
)


def problem(rows, columns, seed=0, rank=None, spread=1.0):
    """Columns and an observation, (D, K) and (D,)."""
    generator = np.random.default_rng(seed)
    a = generator.standard_normal((rows, columns))
    if rank is not None:
        a = generator.standard_normal((rows, rank)) @ generator.standard_normal((rank, columns))
    return torch.tensor(10 + spread * a), torch.tensor(10 + generator.standard_normal(rows))


def products(a, b):
    return a.mT @ a, a.mT @ b


def brute_force(a, b):
    """The least distance over all faces of the simplex, one after the other."""
    count, best, found = a.shape[1], np.inf, None
    a, b = a.numpy(), b.numpy()
    for size in range(1, count + 1):
        for chosen in combinations(range(count), size):
            base = a[:, chosen[0]]
            edges = a[:, list(chosen[1:])] - base[:, None]
            rest = np.linalg.lstsq(edges, b - base, rcond=None)[0]
            weights = np.concatenate([[1 - rest.sum()], rest])
            distance = np.linalg.norm(a[:, list(chosen)] @ weights - b)
            if (weights >= -1e-12).all() and distance < best - 1e-14:
                best, found = distance, (chosen, weights)
    weights = np.zeros(count)
    weights[list(found[0])] = found[1]
    return torch.tensor(weights)


def on_simplex(weights):
    return bool((weights >= 0).all()) and float(weights.sum()) == pytest.approx(1, abs=1e-12)


def optimality(a, b, weights):
    """How much a step to the best corner would gain at first, relative to the polytope's size."""
    gradient = a.mT @ (a @ weights - b)
    size = (a - a[:, :1]).square().sum(0).max().clamp_min(1e-30)
    return float((weights @ gradient - gradient.min()) / size)


class TestSimplex:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 2**16))
    def test_brute_force(self, rows, columns, seed):
        a, b = problem(rows, columns, seed)
        found = simplex_least_squares(*products(a, b))
        expected = brute_force(a, b)
        assert on_simplex(found)
        torch.testing.assert_close(
            (a @ found - b).norm(), (a @ expected - b).norm(), atol=1e-9, rtol=0
        )
        # The nearest point is one; weights are where columns are affinely independent.
        torch.testing.assert_close(a @ found, a @ expected, atol=1e-6, rtol=0)
        if rows >= columns - 1:
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)

    @pytest.mark.parametrize("seed", range(6))
    def test_scipy(self, seed):
        """Sequential quadratic programming, and non-negative least squares with a heavy row."""
        a, b = problem(60, 12, seed)
        found = simplex_least_squares(*products(a, b))
        normal, right = (values.numpy() for values in products(a - b[:, None], 0 * b))
        reference = minimize(
            lambda w: w @ normal @ w / 2 - right @ w,
            np.full(12, 1 / 12),
            jac=lambda w: normal @ w - right,
            method="SLSQP",
            bounds=[(0, 1)] * 12,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
            options={"ftol": 1e-16, "maxiter": 1000},
        )
        np.testing.assert_allclose(found, reference.x, atol=1e-6)
        heavy = 1e4
        rows = np.vstack([(a - b[:, None]).numpy(), np.full((1, 12), heavy)])
        weights, _ = nnls(rows, np.append(np.zeros(60), heavy))
        np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-5)

    @settings(max_examples=30, deadline=None)
    @given(
        st.integers(1, 40),
        st.integers(1, 30),
        st.integers(1, 4),
        st.sampled_from([1e-3, 1.0, 1e3]),
        st.integers(0, 2**16),
    )
    def test_rank_deficient(self, rows, columns, rank, spread, seed):
        a, b = problem(rows, columns, seed, rank, spread)
        found = simplex_least_squares(*products(a, b))
        assert on_simplex(found)
        assert optimality(a, b, found) < 1e-7
        assert (found > 0).sum() <= rank + 1  # affinely independent columns (Carathéodory)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(2, 8), st.integers(0, 2**16), st.data())
    def test_duplicates(self, columns, seed, data):
        """Columns may be there more than once, and the observation may be one of them."""
        a, b = problem(12, columns, seed)
        again = data.draw(st.lists(st.integers(0, columns - 1), min_size=1, max_size=9))
        doubled = torch.cat([a, a[:, again]], 1)
        found = simplex_least_squares(*products(doubled, b))
        alone = simplex_least_squares(*products(a, b))
        torch.testing.assert_close(doubled @ found, a @ alone, atol=1e-7, rtol=0)
        corner = data.draw(st.integers(0, columns - 1))
        found = simplex_least_squares(*products(doubled, a[:, corner]))
        torch.testing.assert_close(doubled @ found, a[:, corner], atol=1e-7, rtol=0)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(1, 25), st.integers(0, 2**16))
    def test_recovers_blends(self, columns, seed):
        a, _ = problem(columns + 10, columns, seed)
        true = torch.tensor(np.random.default_rng(seed).dirichlet(np.full(columns, 0.5)))
        found = simplex_least_squares(*products(a, a @ true))
        torch.testing.assert_close(found, true, atol=1e-6, rtol=0)

    def test_all_the_same(self):
        a = torch.ones(4, 5, dtype=torch.float64)
        assert on_simplex(simplex_least_squares(*products(a, torch.zeros(4).double())))

    def test_many(self):
        a, b = problem(2000, 256, 3, spread=0.3)
        found = simplex_least_squares(*products(a, b))
        assert on_simplex(found)
        assert optimality(a, b, found) < 1e-10

    @pytest.mark.parametrize("scale", [1e-12, 1e12])
    def test_scale(self, scale):
        a, b = problem(20, 8)
        found = simplex_least_squares(*products(scale * a, scale * b))
        torch.testing.assert_close(found, simplex_least_squares(*products(a, b)))

    def test_order(self):
        a, b = problem(20, 8)
        order = [3, 1, 7, 0, 2, 6, 5, 4]
        found = simplex_least_squares(*products(a[:, order], b))
        torch.testing.assert_close(found, simplex_least_squares(*products(a, b))[order])

    def test_one(self):
        assert simplex_least_squares(torch.ones(1, 1), torch.zeros(1)).tolist() == [1]


class TestSumOfNorms:
    @pytest.mark.parametrize("seed", range(4))
    def test_scipy(self, seed):
        parts = [problem(15, 5, 10 * seed + layer, spread=3.0**layer) for layer in range(3)]
        normals, rights = (torch.stack(p) for p in zip(*[products(*p) for p in parts], strict=True))
        squares = torch.stack([b @ b for _, b in parts])
        found = simplex_sum_of_norms(normals, rights, squares)
        assert on_simplex(found)

        def total(weights):
            weights = torch.as_tensor(weights)
            return sum(float((a @ weights - b).norm()) for a, b in parts)

        reference = minimize(
            total, np.full(5, 0.2), method="SLSQP", bounds=[(0, 1)] * 5,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )  # fmt: skip
        assert total(found) <= reference.fun + 1e-7 * reference.fun
        np.testing.assert_allclose(found, reference.x, atol=1e-3)

    def test_one_layer_is_least_squares(self):
        a, b = problem(20, 6)
        normal, right = products(a, b)
        found = simplex_sum_of_norms(normal[None], right[None], (b @ b)[None])
        torch.testing.assert_close(found, simplex_least_squares(normal, right))

    def test_exact_blend(self):
        a, _ = problem(20, 6)
        true = torch.tensor([0.5, 0, 0.25, 0, 0, 0.25], dtype=torch.float64)
        normal, right = products(a, a @ true)
        found = simplex_sum_of_norms(
            torch.stack([normal, normal]), torch.stack([right] * 2), (true @ right).expand(2)
        )
        torch.testing.assert_close(found, true, atol=1e-6, rtol=0)


def test_residuals():
    a, b = problem(20, 6)
    weights = torch.full((6,), 0.2, dtype=torch.float64)
    normal, right = products(a, b)
    found = residuals(normal[None], right[None], (b @ b)[None], weights)
    torch.testing.assert_close(found[0], (a @ weights - b).square().sum())


class TestUnconstrained:
    @pytest.mark.parametrize("rank", [None, 2])
    def test_shortest(self, rank):
        a, b = problem(20, 6, rank=rank)
        expected = np.linalg.lstsq(a.numpy(), b.numpy(), rcond=1e-10)[0]
        np.testing.assert_allclose(unconstrained(*products(a, b)), expected, atol=1e-6)

    @pytest.mark.parametrize("rank", [None, 2])
    def test_sum_to_one(self, rank):
        a, b = problem(20, 6, rank=rank)
        found = unconstrained(*products(a, b), sum_to_one=True)
        assert float(found.sum()) == pytest.approx(1)
        edges = (a[:, 1:] - a[:, :1]).numpy()
        rest = np.linalg.lstsq(edges, (b - a[:, 0]).numpy(), rcond=1e-10)[0]
        best = np.linalg.norm(edges @ rest - (b - a[:, 0]).numpy())
        assert float((a @ found - b).norm()) == pytest.approx(best)

    def test_not_farther_than_convex(self):
        a, b = problem(30, 9)
        normal, right = products(a, b)
        distances = [
            float((a @ weights - b).norm())
            for weights in (
                unconstrained(normal, right),
                unconstrained(normal, right, sum_to_one=True),
                simplex_least_squares(normal, right),
                closest(normal, right),
            )
        ]
        assert distances == sorted(distances)


def test_closest():
    a, b = problem(30, 9)
    found = closest(*products(a, b))
    assert int(found.argmax()) == int((a - b[:, None]).norm(dim=0).argmin())
    assert sorted(found.tolist()) == [0] * 8 + [1]


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
class TestBadInput:
    @pytest.mark.parametrize("shapes", [((3, 3), (2,)), ((3, 2), (3,)), ((0, 0), (0,))])
    def test_shapes(self, solver, shapes):
        with pytest.raises(SimplexError, match=r"expected \(K, K\) and \(K,\)"):
            solver(*(torch.zeros(shape) for shape in shapes))

    def test_nan(self, solver):
        with pytest.raises(SimplexError, match="NaN"):
            solver(torch.full((2, 2), torch.nan), torch.zeros(2))

    def test_no_inner_products(self, solver):
        with pytest.raises(SimplexError, match="not symmetric"):
            solver(torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.zeros(2))
        with pytest.raises(SimplexError, match="negative diagonal"):
            solver(-torch.eye(2), torch.zeros(2))
