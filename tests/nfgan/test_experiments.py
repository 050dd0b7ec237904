"""The experiments run, on few made-up faces and untrained networks; the rows are there."""

from functools import lru_cache

import pytest
import torch
import torch.nn.functional as F

from visage.nfgan import (
    experiment,
    filters_reproduce,
    generation_reproduce,
    identity_reproduce,
    loss_reproduce,
    training_reproduce,
    traversal_reproduce,
)
from visage.nfgan.filters_reproduce import first_filters, untrained_filters
from visage.nfgan.loss_reproduce import effects
from visage.nfgan.networks import Nfgan, NfganConfig
from visage.nfgan.pairs import Pairs
from visage.nfgan.train import SUBSETS
from visage.nfgan.training_reproduce import Ending, ending, stable


@lru_cache(maxsize=2)
def _faces(split: str) -> Pairs:
    people, each = 2, 4
    generator = torch.Generator().manual_seed({"test": 1, "validation": 2}[split])
    base = torch.rand(people, 1, 8, 8, generator=generator)
    targets = F.interpolate(base, 64, mode="bicubic").clamp(0, 1)
    person = torch.arange(people).repeat_interleave(each)
    noise = 0.2 * torch.rand(people * each, 1, 64, 64, generator=generator)
    inputs = (0.8 * targets[person] + noise).clamp(0, 1)
    count = torch.arange(people * each)
    return Pairs(
        inputs=(255 * inputs).to(torch.uint8),
        targets=(255 * targets).to(torch.uint8),
        person=person,
        flipped=count % 2 == 0,
        expression=count % 8,
        intensity=torch.ones(len(count)),
        yaw=torch.zeros(len(count)),
    )


@lru_cache(maxsize=8)
def _network(name: str, profile: str) -> Nfgan:
    torch.manual_seed(sum(name.encode()))
    return Nfgan(NfganConfig(width=0.125, latent=32)).eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    experiment.sample_of.cache_clear()
    monkeypatch.setattr(experiment, "pairs", lambda split, people, each: _faces(split))
    for module in (
        filters_reproduce,
        generation_reproduce,
        identity_reproduce,
        loss_reproduce,
        training_reproduce,
        traversal_reproduce,
    ):
        monkeypatch.setattr(module, "trained", _network)
    yield
    experiment.sample_of.cache_clear()


def _rows(result) -> dict[str, float]:
    assert result.paper == "liu2018normalized"
    return {row.name: row.ours for row in result.rows}


def test_fig1():
    result, figure = generation_reproduce.reproduce_fig1("fast", 0)
    rows = _rows(result)
    assert rows["within_over_between_inputs"] > 0
    assert len(figure.axes) == 2 * 2 * 5  # four inputs and the truth


def test_fig3():
    result, _ = generation_reproduce.reproduce_fig3("fast", 0)
    rows = _rows(result)
    assert rows["sharpness_targets"] == pytest.approx(1)
    assert rows["pixel_error_targets"] == 0 < rows["pixel_error_shipped"]
    assert {f"sharpness_{name}" for name in ("nfgan", "without_identity", "autoencoder")} <= set(
        rows
    )


def test_fig4():
    result, figure = identity_reproduce.reproduce_fig4("fast", 0)
    rows = _rows(result)
    paper = {row.name: row.paper for row in result.rows if row.paper is not None}
    assert paper == {
        "within_threshold_with": 1.0,
        "within_threshold_without": 0.98,
        "threshold": 1.242,
    }
    assert rows["threshold"] == pytest.approx(0.6)
    for judge in ("", "_light_cnn"):
        assert 0 <= rows[f"within_calibrated_with{judge}"] <= 1
        assert rows[f"identified_targets{judge}"] == 1  # a true face is in the gallery
    assert len(figure.axes) == 2


def test_fig5():
    result, figure = filters_reproduce.reproduce_fig5("fast", 0)
    rows = _rows(result)
    for name in ("with", "without", "untrained"):
        assert 0 <= rows[f"orientation_selectivity_{name}"] <= 1
    assert figure.axes


def test_first_filters_are_conv1():
    encoder = _network("nfgan", "fast").encoder
    assert first_filters(encoder).shape == (4, 1, 3, 3)
    assert torch.equal(untrained_filters(0, 2), untrained_filters(0, 2))
    assert untrained_filters(0, 2).shape == (64, 1, 3, 3)


def test_fig7(monkeypatch, tmp_path):
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path))
    result, figure = traversal_reproduce.reproduce_fig7("fast", 0)
    rows = _rows(result)
    assert rows["largest_step_generator"] >= 1
    assert rows["first_to_input_reconstruction"] > 0
    assert figure.axes


def test_loss_subsets(monkeypatch):
    monkeypatch.setattr(loss_reproduce, "_FEW", ("p", "px"))
    result, figure = loss_reproduce.reproduce_loss_subsets("fast", 0)
    rows = _rows(result)
    for name in ("identity_distance", "pixel_error", "perceptual_error", "sharpness",
                 "symmetry_error", "identified", "realism", "told_apart"):  # fmt: skip
        assert rows[f"effect_of_pixel_on_{name}"] == pytest.approx(
            rows[f"{name}_px"] - rows[f"{name}_p"]
        )
    assert rows["pixel_error_targets"] == 0
    assert figure.axes


def test_effects_are_means_over_all_pairs_of_subsets():
    table = {subset: {"error": 10.0 - 2 * ("p" in subset) + ("i" in subset)} for subset in SUBSETS}
    found = effects(table)
    assert found["p", "error"] == pytest.approx(-2)
    assert found["i", "error"] == pytest.approx(1)
    assert found["s", "error"] == pytest.approx(0)


def test_training(monkeypatch):
    log = [
        {"step": step, "perceptual": 3.0 - step, "pixel": 0.3, "accuracy": 0.7, "seconds": 60.0}
        for step in range(2)
    ]
    monkeypatch.setattr(training_reproduce, "history", lambda name, profile: log)
    monkeypatch.setattr(training_reproduce, "training_seconds", lambda name, profile: 120.0)
    result, figure = training_reproduce.reproduce_training("fast", 0)
    rows = _rows(result)
    assert rows["minutes"] == 2
    assert 0 <= rows["seeds_stable"] <= 1
    assert len(figure.axes) == 3


@pytest.mark.parametrize(
    ("end", "held"),
    [
        (Ending(0.8, 0.9, 0.05), True),
        (Ending(0.995, 0.9, 0.05), False),
        (Ending(0.8, 0.3, 0.05), False),
        (Ending(0.8, 0.9, 0.07), False),
    ],
)
def test_what_counts_as_stable(end, held):
    good = Ending(0.8, 1.0, 0.05)
    assert stable([good, good, end]) == [True, True, held]


def test_the_end_is_the_last_quarter():
    log = [{"accuracy": value} for value in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.7)]
    assert ending(log, 1.0, 0.1).accuracy == pytest.approx(0.6)
