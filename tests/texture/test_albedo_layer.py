"""The low-frequency albedo as a layer of the analysis."""

import pytest
import torch

from visage.texture.albedo_layer import with_albedo
from visage.texture.analysis import AnalysisConfig, blend_weights
from visage.texture.database import TextureDatabase
from visage.texture.errors import GramError
from visage.texture.inner_products import Comparison
from visage.texture.low_frequency import LowFrequencyAlbedo

SIZE = 64


@pytest.fixture(scope="module")
def people():
    """Four faces that differ in their albedo."""
    coefficients = 1.5 * torch.randn(4, 6, generator=torch.Generator().manual_seed(3))
    return LowFrequencyAlbedo.load().texture(coefficients, SIZE)


def silent(count):
    """A comparison in which all people are alike."""
    return Comparison(
        ("a",),
        torch.ones(1, count, count).double(),
        torch.ones(1, count).double(),
        torch.ones(1).double(),
    )


def test_where_correlations_are_silent_the_albedo_decides(people):
    database = TextureDatabase.of(people)
    for row in range(4):
        found = with_albedo(silent(4), database, people[row : row + 1], 5.0)
        assert found.layers == ("a", "albedo")
        assert int(blend_weights(found).argmax()) == row


def test_a_mean_of_two_is_found(people):
    target = people[:2].mean(0, keepdim=True)
    found = with_albedo(silent(4), TextureDatabase.of(people), target, 5.0)
    torch.testing.assert_close(
        blend_weights(found).float(), torch.tensor([0.5, 0.5, 0, 0]), atol=0.05, rtol=0
    )


def test_it_counts_as_many_layers_as_are_asked_for(people):
    one = people[:1]
    rows = torch.eye(4).double()
    told = Comparison(("a",), (rows @ rows.T)[None], rows[3:4], torch.ones(1).double())
    database = TextureDatabase.of(people)
    weights = [
        float(blend_weights(with_albedo(told, database, one, count), AnalysisConfig())[0])
        for count in (0.01, 1.0, 100.0)
    ]
    assert weights[0] < 0.1
    assert weights[0] < weights[1] < weights[2]
    assert weights[2] > 0.9


def test_refuses_another_database(people):
    with pytest.raises(GramError, match="rows"):
        with_albedo(silent(3), TextureDatabase.of(people), people[:1], 1.0)
