import json
import os

import numpy as np
import pytest

from visage import ledger
from visage.photos.lfw import Pair, open_lfw
from visage.recognition import parity_reproduce, reproduce
from visage.recognition.portraits import Embedded, Setting
from visage.recognition.reproduce import (
    CANDIDATES,
    CHOSEN,
    PLAIN,
    development_pairs,
    label,
    verify,
)


class InventedLFW:
    """60 people with four photographs each, as far as their names; pairs use the first two."""

    def people(self):
        return {f"P_{i:02d}": [1, 2, 3, 4] for i in range(60)}

    def pairs(self):
        names = list(self.people())
        same = [Pair(i % 10, (name, 1), (name, 2), True) for i, name in enumerate(names)]
        apart = [Pair(i % 10, (name, 1), (names[i - 1], 2), False) for i, name in enumerate(names)]
        return same + apart


def invented_embeddings(data, encoder, photos, scales):
    photos = sorted(set(photos))
    rng = np.random.default_rng(0)
    centres = {name: rng.normal(size=16) for name in data.people()}
    views = [centres[name] + 0.5 * rng.normal(size=(len(scales), 2, 16)) for name, _ in photos]
    found_by = ["mmod", *["hog"] * (len(photos) - 1)]
    return Embedded(photos, np.zeros((len(photos), 4)), found_by, 0.15 * np.stack(views))


@pytest.fixture
def invented(monkeypatch, tmp_path):
    monkeypatch.setattr(reproduce, "open_lfw", InventedLFW)
    monkeypatch.setattr(reproduce, "embed_portraits", invented_embeddings)
    monkeypatch.setenv("VISAGE_RESULTS", str(tmp_path))
    return tmp_path / "recognition"


def test_verify_equals_a_loop():
    data = InventedLFW()
    pairs = data.pairs()
    photos = [photo for pair in pairs for photo in (pair.a, pair.b)]
    embedded = invented_embeddings(data, None, photos, (1.0, 1.15))
    found = verify(pairs, embedded, (1.0, 1.15), Setting((1.15,)))
    for pair, distance, same in zip(pairs, found.distances, found.same, strict=True):
        a, b = (embedded.embeddings[embedded.photos.index(p), 1, 0] for p in (pair.a, pair.b))
        assert distance == pytest.approx(np.linalg.norm(a - b))
        assert same == pair.same


def test_the_lfw_experiment_says_what_is_looked_for(invented):
    result, figure = reproduce.reproduce_lfw("full", 0)
    ledger.record(result, figure)
    rows = {row.name: row for row in ledger.read("recognition/lfw").rows}
    assert {"accuracy", "tar_far_1e-2", "tar_far_1e-3", "missed", "plain_accuracy"} <= set(rows)
    assert rows["accuracy"].n == 120
    assert rows["accuracy"].ours >= rows["plain_accuracy"].ours
    assert rows["missed"].ours == 1
    assert "mmod (1)" in result.protocol
    assert json.loads((invented / "lfw.missed.json").read_text()) == [
        {"photo": "P_00_0001.jpg", "found_by": "mmod", "box": [0.0, 0.0, 0.0, 0.0]}
    ]


def test_the_histograms_hold_every_pair(invented):
    reproduce.reproduce_lfw("full", 0)
    curves = json.loads((invented / "lfw.histograms.json").read_text())
    for kind in ("plain", "best"):
        assert sum(curves[kind]["same"]) == sum(curves[kind]["different"]) == 60
        assert len(curves[kind]["edges"]) == len(curves[kind]["same"]) + 1
        assert curves[kind]["tar"][-1] == curves[kind]["far"][-1] == 1
        assert (np.diff(curves[kind]["far"]) > 0).all()


def test_a_fast_run_leaves_the_files_of_a_full_one(invented):
    ledger.record(*reproduce.reproduce_lfw("full", 0))
    before = {path.name: path.read_bytes() for path in invented.iterdir()}
    ledger.record(*reproduce.reproduce_lfw("fast", 0))
    assert {path.name: path.read_bytes() for path in invented.iterdir()} == before
    assert ledger.list_results() == ["recognition/lfw"]


def test_every_candidate_is_measured(invented):
    rows = reproduce.reproduce_development("fast", 0).rows
    assert len(rows) == 2 * len(CANDIDATES)
    assert PLAIN in CANDIDATES
    assert CHOSEN in CANDIDATES


def test_the_choice_is_the_recorded_best(monkeypatch):
    monkeypatch.delenv("VISAGE_RESULTS", raising=False)
    result = ledger.read("recognition/lfw_development")
    eers = {row.name: row.ours for row in result.rows if row.name.startswith("eer_")}
    assert min(eers, key=eers.get) == f"eer_{label(CHOSEN)}"
    assert set(eers) == {f"eer_{label(setting)}" for setting in CANDIDATES}


def test_development_pairs_keep_away_from_the_official_photographs():
    data = InventedLFW()
    pairs = development_pairs(data, 50, seed=3)
    official = {photo for pair in data.pairs() for photo in (pair.a, pair.b)}
    assert sum(pair.same for pair in pairs) == 50
    assert len(pairs) == 51 * 50
    for pair in pairs:
        assert official.isdisjoint((pair.a, pair.b))
        assert pair.a != pair.b
        assert (pair.a[0] == pair.b[0]) == pair.same
    assert len({pair.a[0] for pair in pairs if pair.same}) == 50
    assert pairs == development_pairs(data, 50, seed=3)
    assert pairs != development_pairs(data, 50, seed=4)


def test_parity_chips_without_lfw_are_the_astronauts(monkeypatch, tmp_path):
    monkeypatch.delenv("VISAGE_DATA", raising=False)
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path))
    chips = parity_reproduce.parity_chips(200)
    assert chips.shape == (16, 3, 150, 150)
    assert 0 <= chips.min() < chips.max() <= 1


@pytest.mark.lfw
@pytest.mark.skipif(
    not os.environ.get("VISAGE_DATA"), reason="VISAGE_DATA names no folder with LFW"
)
def test_real_pairs(monkeypatch, tmp_path, encoder):
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path))
    data = open_lfw()
    pairs = [pair for fold in data.folds()[:4] for pair in (fold[0], fold[-1])]
    photos = [photo for pair in pairs for photo in (pair.a, pair.b)]
    embedded = reproduce.embed_portraits(data, encoder, photos, CHOSEN.scales)
    found = verify(pairs, embedded, CHOSEN.scales, PLAIN)
    right = (found.distances <= encoder.threshold) == found.same
    assert right.sum() >= 7
