"""Recipes, the stream that feeds them, a training in miniature, and what experiments get."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from visage import checkpoints
from visage.nfgan import plans, study, train
from visage.nfgan.algorithm import Auxiliaries
from visage.nfgan.errors import NfganError
from visage.nfgan.family import WeightRange
from visage.nfgan.losses import LETTERS, TERMS, LossWeights
from visage.nfgan.networks import SHIPPED, Nfgan, NfganConfig
from visage.nfgan.pair_stream import PairStream
from visage.nfgan.pairs import Pairs
from visage.training import train as run


class Maps(nn.Module):
    """A small fixed network in the places of both pretrained ones."""

    name = "maps"

    def forward(self, faces):
        return nn.functional.avg_pool2d(faces, 8)

    def layers(self, faces):
        maps = self(faces)
        return maps, maps.mean((2, 3))


AUXILIARIES = Auxiliaries(Maps(), Maps())


@pytest.fixture
def pairs():
    """Six people: smooth targets, and inputs that are darker ones, every other one mirrored."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(6, 1, 4, 4, generator=generator)
    targets = (255 * nn.functional.interpolate(noise, (64, 64), mode="bilinear")).to(torch.uint8)
    person = torch.arange(6).repeat_interleave(2)
    flipped = torch.arange(12) % 2 == 1
    inputs = targets[person] // 2
    inputs = torch.where(flipped[:, None, None, None], inputs.flip(-1), inputs)
    none = torch.zeros(12)
    return Pairs(inputs, targets, person, flipped, none.long(), none, none)


def test_a_batch_is_pairs_and_anybodys_guiding_faces(pairs):
    stream = PairStream(0, pairs)
    batch = stream.batch(range(60))
    assert set(batch) == {"inputs", "targets", "guiding"}
    bytes_ = {name: (255 * faces).round().to(torch.uint8) for name, faces in batch.items()}
    # Each target is its input's, mirrored where that is.
    assert torch.equal(bytes_["inputs"], bytes_["targets"] // 2)
    both = torch.cat([pairs.targets, pairs.targets.flip(-1)])
    rows = [(both == face).flatten(1).all(1).nonzero()[0].item() for face in bytes_["guiding"]]
    assert len(set(rows)) > 8  # of 12: all people, either way
    own = [(both == face).flatten(1).all(1).nonzero()[0].item() for face in bytes_["targets"]]
    assert np.mean([a % 6 == b % 6 for a, b in zip(rows, own, strict=True)]) < 0.5
    again = stream.batch([41])
    assert all(torch.equal(again[name][0], batch[name][41]) for name in batch)
    assert not torch.equal(PairStream(1, pairs).batch([41])["inputs"], again["inputs"])


def test_a_familys_batch_has_weights(pairs):
    within = WeightRange(LossWeights())
    batch = PairStream(0, pairs, within).batch(range(5))
    assert batch["strengths"].shape == (5, len(TERMS))
    assert (batch["strengths"] > 0).any(1).all()


def test_every_subset_has_a_recipe():
    wanted = {"".join(s) for n in range(1, 6) for s in combinations(LETTERS, n)}
    assert len(plans.SUBSETS) == 31
    assert set(plans.SUBSETS) == wanted
    for letters in plans.SUBSETS:
        weights = plans.plan_of(plans.subset_name(letters)).weights
        on = {name for name in TERMS if getattr(weights, name) > 0}
        assert on == {TERMS[LETTERS.index(letter)] for letter in letters}
    assert all(name == recipe.name for name, recipe in train.RECIPES.items())


def test_what_is_compared_differs_in_one_thing():
    twin = plans.plan_of("nfgan_short")
    assert twin.weights == plans.WEIGHTS
    for name, letters in (("no_identity", "psax"), ("no_perceptual", "saix"), ("autoencoder", "x")):
        assert plans.plan_of(f"nfgan_{name}") == replace(twin, weights=plans.WEIGHTS.only(letters))
    for seed in (1, 2):
        other = plans.plan_of(f"nfgan_seed{seed}")
        assert other == replace(twin, training=replace(twin.training, seed=seed))
    assert plans.plan_of("nfgan").config == SHIPPED


@pytest.mark.parametrize("family", [False, True])
def test_a_training_in_miniature(pairs, tmp_path, monkeypatch, family):
    plan = plans.Plan(
        NfganConfig(width=0.1, latent=16),
        LossWeights(1.0, 0.1, 5.0, 1.0, 0.1),
        replace(plans.TRAINING, steps=3, batch_size=4, warmup=1, precision="32-true"),
        family=family,
    )
    recipe = train.nfgan_recipe("tiny", "tiny", plan, lambda: pairs, lambda: AUXILIARIES)
    done = run(recipe, folder=tmp_path)
    shipped = recipe.shipped(done.model)
    monkeypatch.setattr(train, "quality", lambda generator: {"pixel_error": 0.5})
    monkeypatch.setattr(train, "_family_quality", lambda family: {"pixel_error": 0.5})
    card = recipe.card(done)
    assert "--ship" in card.command
    path = checkpoints.save_checkpoint(
        "tiny", shipped.state_dict(), card, recipe.storage, folder=tmp_path
    )
    monkeypatch.setenv("VISAGE_CHECKPOINTS", str(tmp_path))
    own = {name: value.clone() for name, value in shipped.state_dict().items()}
    assert checkpoints.load_into(shipped, "tiny").storage == "int8"
    largest = max((own[k] - v).abs().max() for k, v in shipped.state_dict().items() if v.ndim > 1)
    assert 0 < largest < 0.05
    assert path.stat().st_size < 200_000
    assert isinstance(shipped, Nfgan) is not family


def test_the_fast_profile_trains_a_few_steps(pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path))
    monkeypatch.setattr(study, "few_pairs", lambda: pairs)
    monkeypatch.setattr(train, "_auxiliaries", lambda: AUXILIARIES)
    real = train.nfgan_recipe
    monkeypatch.setattr(
        study, "nfgan_recipe", lambda *a: real(*a[:3], lambda: pairs, lambda: AUXILIARIES)
    )
    study.trained.cache_clear()
    study._run.cache_clear()
    network = study.trained("nfgan_no_identity", "fast")
    assert not network.training
    assert network(torch.rand(2, 1, 64, 64)).faces.shape == (2, 1, 64, 64)
    log = study.history("nfgan_no_identity", "fast")
    assert [row["step"] for row in log] == [0, 1, 2, 3]
    assert "accuracy" in log[0]
    assert "identity" not in log[0]
    assert study.training_seconds("nfgan_no_identity", "fast") > 0
    for name in ("nfgan_light_cnn", "nobody"):
        with pytest.raises(NfganError, match=name):
            study.trained(name, "fast")
    study.trained.cache_clear()
    study._run.cache_clear()


def test_the_light_cnn_has_a_recipe(pairs, tmp_path, monkeypatch):
    recipe = train.identity_recipe(lambda: pairs)
    config = replace(recipe.config, steps=2, batch_size=4, warmup=1, precision="32-true")
    done = run(recipe, config, tmp_path)
    monkeypatch.setattr(train, "pairs", lambda *a: pairs)
    card = recipe.card(done)
    assert 0 <= card.metrics["told_apart"] <= 1
    assert not any("prototypes" in name for name in recipe.shipped(done.model).state_dict())
