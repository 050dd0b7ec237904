from dataclasses import replace

import pytest
import torch

from visage.geometry.coarse_network import CoarseNet
from visage.geometry.coarse_stream import CoarseData
from visage.geometry.coarse_train import RECIPES, TRAINING, coarse_recipe, measure
from visage.geometry.training_faces import kept_faces
from visage.training import train


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return kept_faces("validation", 2, folder=tmp_path_factory.mktemp("kept"), progress=False)


def test_recipes_are_named_after_themselves():
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {
        name: name for name in ("coarse_net", "coarse_net_single")
    }


def test_a_few_steps_learn_a_few_faces(kept, tmp_path):
    recipe = coarse_recipe("few", "a few steps", kept=lambda split: kept)
    config = replace(TRAINING, steps=8, batch_size=8, warmup=1, ema=0.0, log_every=1)
    trained = train(recipe, config, tmp_path)
    lines = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 8
    card = recipe.card(trained)
    assert set(card.metrics) == {"vertex_mm", "placed_mm", "yaw_degrees"}
    assert all(value > 0 for value in card.metrics.values())


def test_an_untrained_network_is_as_far_off_as_the_mean_face(kept):
    found = measure(CoarseNet().eval(), kept, CoarseData(), 8)
    assert 2 < found["vertex_mm"] < 8
    assert found["placed_mm"] > 10
    assert found["yaw_degrees"] > 5


def test_a_single_pass_is_one_iteration(kept, monkeypatch):
    network, calls = CoarseNet().eval(), []
    step = network.step

    def counted(*args):
        calls.append(1)
        answer = step(*args)
        return type(answer).of(answer.numbers + 1)  # moves, so that it does not converge

    monkeypatch.setattr(network, "step", counted)
    with torch.no_grad():
        measure(network, kept, CoarseData(feedback=False), 2)
    assert len(calls) == 1
    measure(network, kept, CoarseData(), 2)
    assert len(calls) == 5
