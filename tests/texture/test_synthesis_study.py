"""Figures 6, 8 and 14 and the timing, on tiny plans without photographs."""

from dataclasses import replace

import pytest
import torch

from visage.texture import alpha_reproduce, backbone_reproduce, layers_reproduce, timing_reproduce
from visage.texture.backbones import load_backbone
from visage.texture.database import TextureDatabase
from visage.texture.gram import grams
from visage.texture.gram_database import GramDatabase
from visage.texture.methods import Bench
from visage.texture.observation import Observation
from visage.texture.regional import Regional
from visage.texture.synthesis import SynthesisConfig
from visage.texture.synthesis_study import Case, StudyPlan, detail_rows, loupes
from visage.texture.window import face_region, resized
from visage.texture.yiq import luminance

SIZE = 64
PLAN = StudyPlan(views=1, size=SIZE, people=2, iterations=12)


def skins(count):
    grain = torch.randn(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
    return (torch.tensor([0.8, 0.6, 0.5]).view(1, 3, 1, 1) + 0.03 * grain).clamp(0, 1)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A bench of two people, and a study of one, whatever is asked for."""

    def load(size, people, synthesis, *, backbone=None, folder=None):
        database = TextureDatabase.of(skins(people))
        if backbone is None or backbone.key.startswith(load_backbone().key):
            backbone = Regional(load_backbone(width=0.06))  # small ones will do
        found = GramDatabase.of(backbone, database, folder=tmp_path, progress=False)
        return Bench(database, found, synthesis, tmp_path)

    def cases(plan, made):
        true = skins(3)[2:]
        seen = Observation(true, face_region(SIZE), resized(resized(true, 8), SIZE))
        return [Case(seen, grams(made.backbone, luminance(true), face_region(SIZE)), true)]

    for module in (alpha_reproduce, layers_reproduce, backbone_reproduce):
        monkeypatch.setattr(module, "PLANS", {"fast": PLAN})
        monkeypatch.setattr(module, "cases", cases)
    monkeypatch.setattr(Bench, "load", load)
    return load(SIZE, 2, SynthesisConfig())


def values(result):
    return {row.name: row.ours for row in result.rows}


def test_more_weight_on_correlations_brings_more_detail_and_less_of_the_features(bench):
    result, figure = alpha_reproduce.reproduce_fig6("fast", 0)
    found = values(result)
    assert found["high_band_energy_ratio/alpha_0"] < 0.2
    high = [found[f"high_band_energy_ratio/alpha_{alpha}"] for alpha in (0, 2, 2000)]
    assert high == sorted(high)
    assert high[2] > 1.5 * high[0]
    assert found["gram_error/alpha_2000"] < found["gram_error/alpha_2"] + 0.05
    assert found["feature_error/alpha_2000"] > found["feature_error/alpha_2"]
    assert "gram_error/alpha_0" not in found
    assert len(figure.axes) == 2 * (len(alpha_reproduce.ALPHAS) + 1)


def test_all_layers_come_nearer_than_the_deepest_alone(bench):
    result, figure = layers_reproduce.reproduce_fig8("fast", 0)
    found = values(result)
    distances = {k: v for k, v in found.items() if k.startswith("gram_distance")}
    assert len(distances) == 2 * len(layers_reproduce.depths(bench.grams.layers)) - 1
    assert distances["gram_distance/all"] < distances["gram_distance/from_deepest_1"]
    assert len(figure.axes) == 2 * (len(layers_reproduce.depths(bench.grams.layers)) + 1)


def test_networks_stand_side_by_side(bench, monkeypatch):
    small = {
        "random_vgg19": lambda: load_backbone(width=0.06),
        "random_vgg19_max": lambda: load_backbone(width=0.06, pooling="max"),
    }
    monkeypatch.setattr(backbone_reproduce, "networks", lambda profile: small)
    result, _ = backbone_reproduce.reproduce_fig14("fast", 0)
    found = values(result)
    assert {name.partition("/")[2] for name in found} == set(small)
    assert found["seconds_per_evaluation/random_vgg19"] > 0
    assert "vgg19, squeezenet" in result.protocol


def test_networks_that_are_not_there_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("VISAGE_DATA", str(tmp_path))
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path))
    assert set(backbone_reproduce.networks("full")) == {
        "random_vgg19", "random_vgg19_max", "recogniser"
    }  # fmt: skip
    (tmp_path / "squeezenet_v1.0_imagenet.npz").touch()
    assert "squeezenet" in backbone_reproduce.networks("full")
    assert "squeezenet" not in backbone_reproduce.networks("fast")


def test_timing_has_the_papers_three_numbers_beside_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path))
    monkeypatch.setattr(
        TextureDatabase, "load", lambda size, people: TextureDatabase.of(skins(people))
    )
    monkeypatch.setattr(timing_reproduce, "face_textures", lambda *asked: skins(1))
    monkeypatch.setattr(timing_reproduce, "_THREADS", 1)  # others may need the other core
    plan = replace(timing_reproduce.PLANS["fast"], people=2, iterations=2)
    monkeypatch.setattr(timing_reproduce, "PLANS", {"fast": plan})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    threads = torch.get_num_threads()
    rows = {row.name: row for row in timing_reproduce.reproduce_timing("fast", 0).rows}
    assert torch.get_num_threads() == threads
    assert rows["correlation_seconds"].paper == 75
    assert rows["weights_seconds"].paper == 14
    thousand = rows["synthesis_512_seconds_per_1000"]
    assert thousand.paper == 172
    assert thousand.ours == pytest.approx(500 * rows["synthesis_512_seconds"].ours)


def test_detail_rows_of_the_truth_are_one():
    true = skins(2)
    rows = {row.name: row.ours for row in detail_rows(true, true, "/x")}
    assert rows == pytest.approx(
        {"high_band_energy_ratio/x": 1, "middle_band_energy_ratio/x": 1,
         "low_band_energy_ratio/x": 1, "ssim/x": 1}
    )  # fmt: skip


def test_loupes_are_squares_of_a_quarter():
    assert [tuple(part.shape) for part in loupes(skins(1))] == [(3, 16, 16)] * 2
