import pytest
import torch

from visage.inversion.colour import colour_statistics
from visage.inversion.guides import mean_guide
from visage.inversion.network_loss import measure
from visage.inversion.networks import NetworkConfig
from visage.inversion.objective import ObjectiveConfig, References
from visage.inversion.problem import Problem
from visage.inversion.spectrum import mean_band_energy
from visage.inversion.train import RECIPES, network_recipe
from visage.recognition.examples import Examples
from visage.training import TrainingConfig, train

OBJECTIVE = ObjectiveConfig(guide_layers=("low",), bands_weight=0.01, colour_weight=0.01)
SHAPE = NetworkConfig(dim=6, size=16, filters=4, base=4, doublings=2)


@pytest.fixture
def problem(tiny, pictures):
    tiny = tiny.float()
    chips = (255 * pictures).round().to(torch.uint8)
    # Pictures of 16 pixels have two bands; the usual four need larger ones.
    chips = chips.repeat_interleave(2, -1).repeat_interleave(2, -2)[..., ::2, ::2]
    embeddings = tiny.embed(chips.float() / 255)
    some = Examples(tuple(f"synthetic-train/{n}" for n in range(10)), chips, embeddings)
    return Problem(tiny, some, Examples(some.names[:4], some.chips[:4], some.embeddings[:4]))


def recipe(problem, steps=6):
    config = TrainingConfig(steps=steps, batch_size=4, learning_rate=1e-2, warmup=1, log_every=1)
    references = References(
        guide=mean_guide(problem.train.pictures()),
        bands=mean_band_energy(problem.train.pictures(), 2, by_colour=True),
        colours=colour_statistics(problem.train.pictures()),
    )
    return network_recipe(
        "tiny_network",
        lambda: problem,
        lambda targets: references,
        network=SHAPE,
        objective=OBJECTIVE,
        config=config,
    )


def test_training_runs_and_makes_a_card(problem, tmp_path):
    made = recipe(problem)
    trained = train(made, folder=tmp_path)
    card = made.card(trained)
    assert card.metrics.keys() >= {"distance", "normalized_dot", "within_threshold"}
    assert "10 synthetic people" in card.data
    assert torch.equal(trained.model.input.centre, problem.train.embeddings.mean(0))


def test_a_network_learns_to_be_recognised(problem, tmp_path):
    made = recipe(problem, steps=80)
    torch.manual_seed(0)
    before = measure(made.build_model(), problem)
    after = measure(train(made, folder=tmp_path).model, problem)
    assert after["distance"] < 0.8 * before["distance"]


def test_the_loss_is_the_objective_and_depends_on_the_generator(problem):
    made = recipe(problem)
    torch.manual_seed(0)
    model, targets = made.build_model(), problem.train.embeddings[:3]
    losses = [made.loss(model, targets, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    (total, terms), (again, _), (other, _) = losses
    assert total == again
    assert total != other
    assert total.item() == pytest.approx(sum(v.item() for k, v in terms.items() if k != "distance"))


def test_the_shipped_recipe_is_listed():
    assert RECIPES["inversion_network_50"].name == "inversion_network_50"
