import numpy as np
import pytest
import torch

from visage.recognition.locator import Locator, locate
from visage.recognition.locator_data import Appearance, weather

BOXES = torch.tensor([[60.0, 60, 190, 190]])


@pytest.fixture
def one_core():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("refinements", [1, 3])
def test_locating_a_face(benchmark, one_core, refinements):
    network = Locator().eval()
    image = torch.rand(1, 3, 250, 250, generator=torch.Generator().manual_seed(0))
    found = benchmark(lambda: locate(network, image, BOXES, refinements=refinements))
    assert found.points.shape == (1, 5, 2)


def test_a_step_of_training(benchmark, one_core):
    network = Locator()
    crops = torch.rand(32, 3, 96, 96, generator=torch.Generator().manual_seed(0))

    def step():
        points, logits = network(crops)
        (points.mean() + logits.mean()).backward()

    benchmark(step)


def test_weathering_a_batch(benchmark, one_core):
    random = np.random.default_rng(0)
    appearances = [Appearance.draw(random) for _ in range(32)]
    crops = torch.rand(32, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    assert benchmark(lambda: weather(crops, appearances)).shape == crops.shape
