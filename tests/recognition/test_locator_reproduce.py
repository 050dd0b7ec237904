import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visage.photos.lfw import split
from visage.recognition import locator_reproduce
from visage.recognition.locator import load_locator
from visage.recognition.locator_reproduce import (
    Measured,
    area_under_curve,
    draw,
    measure,
    perturbed_box,
    point_error,
    rows,
)
from visage.recognition.train import FACE_WEIGHT, RECIPES

MEASURED = Measured(
    errors=torch.tensor([[0.02, 0.2, 0.04], [0.02, 0.12, 0.01], [0.01, 0.05, 0.03]]),
    dlib_errors=torch.tensor([0.01, 0.02, 0.03]),
    shifts=torch.tensor([0.1, 0.2, 0.3]),
    dlib_shifts=torch.tensor([0.05, 0.05, 0.05]),
    with_face=torch.tensor([[3.0, 2.0, -1.0], [3.0, 2.0, 0.0], [4.0, 3.0, 2.0]]),
    without_face=torch.tensor([[-4.0, 0.0], [-4.0, 0.0], [-5.0, -1.0]]),
    unlabelled=1,
)


def test_rows_hold_what_was_measured():
    found = {row.name: row for row in rows(MEASURED)}
    assert found["point_error_1_mean"].ours == pytest.approx(0.26 / 3, rel=1e-4)
    assert found["point_error_3_mean"].ours == pytest.approx(0.03)
    assert found["failures_1"].ours == pytest.approx(1 / 3, rel=1e-4)
    assert found["failures_3"].ours == 0
    assert found["face_auc_1"].ours == pytest.approx(5 / 6, rel=1e-4)
    assert found["face_auc_3"].ours == 1
    assert found["embedding_shift_mean"].ours == pytest.approx(0.2)
    assert found["dlib_embedding_shift_p95"].ours == pytest.approx(0.05)
    assert found["unlabelled"].ours == 1
    assert {row.n for name, row in found.items() if name.startswith("point_error")} == {3}


def test_the_figure_has_a_curve_for_each_number_of_passes():
    (axes,) = draw(MEASURED).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[:3] == ["located, 1 pass", "located, 2 passes", "located, 3 passes"]


@given(st.lists(st.integers(-3, 3), min_size=1), st.lists(st.integers(-3, 3), min_size=1))
def test_the_area_counts_pairs(positive, negative):
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    area = area_under_curve(torch.tensor(positive), torch.tensor(negative))
    assert area == pytest.approx(wins / (len(positive) * len(negative)))


def test_point_error_has_no_unit():
    truth = torch.tensor([[[10.0, 0.0], [7, 0], [0, 0], [3, 0], [5, 5]]])
    moved = truth + torch.tensor([0.3, 0.4])
    assert point_error(moved, truth).item() == pytest.approx(0.05)
    assert point_error(9 * moved, 9 * truth).item() == pytest.approx(0.05)


@given(st.integers(0, 10_000))
def test_a_start_is_off_by_what_the_protocol_says(seed):
    box = perturbed_box((100, 80, 200, 180), np.random.default_rng(seed))
    left, top, right, bottom = box[0].tolist()
    assert right - left == pytest.approx(bottom - top, rel=1e-4)
    assert 100 / 1.61 <= right - left <= 161
    assert abs((left + right) / 2 - 150) <= 30.01
    assert abs((top + bottom) / 2 - 130) <= 30.01


def test_nobody_is_both_learned_from_and_measured_on():
    class Everybody:
        def people(self):
            return {f"Person_{k}": [1, 2, 3][: 1 + k % 3] for k in range(300)}

    learned = locator_reproduce.training_photographs(Everybody())
    measured = locator_reproduce.held_out_photographs(Everybody(), 20)
    assert len(measured) == len({name for name, _ in measured}) == 20
    assert {split(name) for name, _ in learned} == {"train"}
    assert {split(name) for name, _ in measured} == {"test"}
    assert max(i for _, i in learned) == 2


def test_the_recipe_has_a_loss_with_its_terms():
    recipe = RECIPES["locator"]
    network = recipe.build_model()
    batch = {
        "crops": torch.rand(4, 3, 96, 96, generator=torch.manual_seed(0)),
        "points": torch.full((4, 5, 2), 40.0),
        "is_face": torch.tensor([1.0, 1.0, 0.0, 1.0]),
    }
    loss, terms = recipe.loss(network, batch, torch.Generator())
    torch.testing.assert_close(loss, terms["points"] + FACE_WEIGHT * terms["face"])
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


@pytest.mark.lfw
@pytest.mark.skipif(
    not os.environ.get("VISAGE_DATA"),
    reason="needs Labeled Faces in the Wild in the folder named by VISAGE_DATA",
)
def test_strangers_are_located(monkeypatch, tmp_path):
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path))
    measured = measure(load_locator(), 25, seed=0)
    assert measured.errors.shape[1] + measured.unlabelled == 25
    assert measured.errors[-1].median() < 0.05
    assert (measured.errors[-1] > locator_reproduce.FAILURE).float().mean() < 0.2
    found = {row.name: row.ours for row in rows(replace(measured))}
    assert found["face_auc_3"] > 0.95
    assert found["embedding_shift_mean"] < 0.3
