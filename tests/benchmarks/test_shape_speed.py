"""How fast the morphable model is read and evaluated (`pytest --benchmark-enable`)."""

import pytest
import torch

from visage.faces.shape import MorphableModel


@pytest.fixture(scope="module", params=[0, 1], ids=["coarse", "smooth"])
def model(request):
    return MorphableModel.load(request.param)


@pytest.mark.parametrize("subdivision", [0, 1])
def test_load(benchmark, subdivision):
    assert benchmark(MorphableModel.load, subdivision).subdivision == subdivision


def test_vertices_of_16_people(benchmark, model):
    identity, expression = torch.zeros(16, 80), torch.zeros(16, 52)
    assert benchmark(model.vertices, identity, expression).shape[0] == 16


def test_normals_of_16_people(benchmark, model):
    heads = model.vertices(torch.zeros(16, 80))
    assert benchmark(model.normals, heads).shape == heads.shape


def test_sample_100_people(benchmark):
    model = MorphableModel.load()
    generator = torch.Generator().manual_seed(0)
    assert benchmark(model.sample_identity, 100, generator).shape == (100, 80)
