import numpy as np
import pytest
import torch

from visage.texture.analysis import (
    METHODS,
    SHARES,
    AnalysisConfig,
    blend,
    blend_weights,
    infer_grams,
    layer_shares,
)
from visage.texture.backbones import load_backbone
from visage.texture.database import TextureDatabase
from visage.texture.errors import GramError
from visage.texture.gram_database import GramDatabase
from visage.texture.inner_products import Comparison
from visage.texture.yiq import luminance

SIZE, COUNT = 48, 6
CONVEX = AnalysisConfig()


def textures(count, seed=0):
    """Noise of another grain and contrast for each."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, 3, SIZE, SIZE, generator=generator)
    contrast = torch.rand(count, 1, 1, 1, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    return 0.4 + 0.4 * contrast * (torch.lerp(noise, smooth, contrast) - 0.5)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return GramDatabase.of(
        load_backbone("random_vgg19", width=0.05),
        TextureDatabase.of(textures(COUNT)),
        region=torch.ones(1, 1, SIZE, SIZE),
        folder=tmp_path_factory.mktemp("cache"),
        progress=False,
    )


@pytest.fixture(scope="module")
def half():
    seen = torch.ones(1, 1, SIZE, SIZE)
    seen[..., 20:] = 0
    return seen


@pytest.fixture(scope="module")
def comparison(database, half):
    return database.compare(luminance(textures(1, seed=5)), half, progress=False)


def with_target(comparison, weights):
    """The comparison that a query with exactly such a blend of correlations would give."""
    weights = torch.as_tensor(weights, dtype=torch.float64)
    rights = comparison.normals @ weights
    squares = rights @ weights
    return Comparison(comparison.layers, comparison.normals, rights, squares)


@pytest.mark.parametrize("method", METHODS)
def test_a_person_of_the_database(database, half, method):
    """Seen in half, found, and given back whole."""
    query = database.database.luminance([4])
    found = infer_grams(query, half, database, AnalysisConfig(method), progress=False)
    expected = torch.eye(COUNT)[4]
    torch.testing.assert_close(found.weights, expected, atol=1e-4, rtol=0)
    assert found.residual < 1e-3
    for layer, matrix in database.complete([4]).items():
        torch.testing.assert_close(found.full[layer], matrix, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("squared", [True, False])
def test_known_blend(comparison, database, share, squared):
    true = torch.tensor(np.random.default_rng(0).dirichlet(np.ones(COUNT)))
    found = blend(database, with_target(comparison, true), AnalysisConfig("convex", share, squared))
    torch.testing.assert_close(found.weights, true.float(), atol=1e-5, rtol=0)
    assert found.residual < 1e-5
    assert max(found.residuals.values()) < 1e-4


def test_convex_stays_inside(comparison, database):
    """What no blend reaches is met from outside by the free weights alone."""
    outside = torch.tensor([1.5, -0.5, 0, 0, 0, 0], dtype=torch.float64)
    target = with_target(comparison, outside)
    free = blend(database, target, AnalysisConfig("unconstrained"))
    inside = blend(database, target, CONVEX)
    torch.testing.assert_close(free.weights, outside.float(), atol=1e-3, rtol=0)
    assert inside.weights.min() >= 0
    assert float(inside.weights.sum()) == pytest.approx(1)
    assert free.residual < 1e-3 < inside.residual


def test_methods_in_order(comparison, database):
    found = {name: blend(database, comparison, AnalysisConfig(name)).residual for name in METHODS}
    assert found["unconstrained"] <= found["convex"] <= found["closest"]
    assert found["convex"] <= 1  # no worse than the mean of all


def test_residual(comparison, database):
    """Of the layers as they are weighed, over the mean person's."""
    found = blend(database, comparison, AnalysisConfig(share="plain"))
    even = torch.full((COUNT,), 1 / COUNT, dtype=torch.float64)

    def distance(weights):
        total = 0.0
        for layer in range(len(comparison.layers)):
            normal, right = comparison.normals[layer], comparison.rights[layer]
            total += weights @ normal @ weights - 2 * weights @ right + comparison.squares[layer]
        return float(total) ** 0.5

    expected = distance(found.weights.double()) / distance(even)
    assert found.residual == pytest.approx(expected, rel=1e-3)


class TestShares:
    def test_naive(self):
        generator = torch.Generator().manual_seed(0)
        columns = torch.rand(2, 9, 4, dtype=torch.float64, generator=generator)
        columns[1] *= 100
        normals = columns.mT @ columns
        given = Comparison(("a", "b"), normals, torch.zeros(2, 4), torch.zeros(2))
        spread = layer_shares(given, "spread")
        size = layer_shares(given, "size")
        for layer in range(2):
            mean = columns[layer].mean(1, keepdim=True)
            expected = (columns[layer] - mean).square().sum(0).mean()
            assert float(spread[layer]) == pytest.approx(1 / float(expected))
            expected = columns[layer].square().sum(0).mean()
            assert float(size[layer]) == pytest.approx(1 / float(expected))
        assert layer_shares(given, "plain").tolist() == [1, 1]

    def test_what_the_mask_leaves(self):
        """Half of a layer's length, a quarter of its weight; the paper's plain sum stays."""
        normals = torch.stack([torch.eye(3), torch.eye(3)]).double()
        seen = torch.tensor([1.0, 0.5], dtype=torch.float64)
        given = Comparison(("a", "b"), normals, torch.zeros(2, 3), torch.zeros(2), seen)
        for share in ("spread", "size"):
            first, second = layer_shares(given, share).tolist()
            assert second == pytest.approx(first / 4)
        assert layer_shares(given, "plain").tolist() == [1, 1]

    def test_all_alike(self):
        given = Comparison(("a",), torch.ones(1, 3, 3).double(), torch.ones(1, 3), torch.ones(1))
        assert layer_shares(given, "spread").tolist() == [1]

    def test_scale_of_a_layer_does_not_count(self, comparison):
        """With spread and size; a backbone's units are arbitrary."""
        scale = torch.tensor([1.0, 1e3, 1e-3, 10.0, 1.0, 5.0]).double()
        scaled = Comparison(
            comparison.layers,
            comparison.normals * scale[:, None, None],
            comparison.rights * scale[:, None],
            comparison.squares * scale,
        )
        for share in ("spread", "size"):
            config = AnalysisConfig(share=share)
            torch.testing.assert_close(
                blend_weights(scaled, config), blend_weights(comparison, config)
            )


class TestBadInput:
    def test_names(self, comparison):
        with pytest.raises(GramError, match="no method 'nearest'"):
            blend_weights(comparison, AnalysisConfig(method="nearest"))
        with pytest.raises(GramError, match="no share 'even'"):
            blend_weights(comparison, AnalysisConfig(share="even"))
        with pytest.raises(GramError, match="squared=True"):
            blend_weights(comparison, AnalysisConfig("closest", squared=False))

    def test_another_database(self, comparison, database):
        with pytest.raises(GramError, match="compared with 3 textures"):
            blend(database, comparison.of_first(3))
