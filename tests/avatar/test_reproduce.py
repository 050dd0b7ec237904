"""The rows and the figure of ``book/avatar``, of the avatar that all tests share."""

import pytest
import torch

from visage.avatar import reproduce
from visage.avatar.held_out import ANSWERS, Measured
from visage.avatar.reproduce import EXPERIMENTS, PLANS
from visage.avatar.stages import STAGES


@pytest.fixture(scope="module")
def found(avatar):
    errors = {
        name: {"head": torch.tensor([4.0 + k]), "face": torch.tensor([1.0 + k])}
        for k, name in enumerate(ANSWERS)
    }
    return Measured((avatar,), (0,), 1, errors)


def test_the_ledger_knows_the_experiment():
    assert list(EXPERIMENTS) == ["book/avatar"]
    assert PLANS["full"].people >= 20
    assert PLANS["fast"].people <= 2


def test_errors_are_the_heads_first(found):
    rows = {row.name: row.ours for row in reproduce._shape_rows(found)}
    assert rows["vertex_error_mm"] == 4
    assert rows["vertex_error_mm/mean"] == 4 + ANSWERS.index("mean")
    assert rows["face_vertex_error_mm/coarse"] == 1 + ANSWERS.index("coarse")


def test_distances_are_those_of_the_stages(found, avatar):
    rows = {row.name: row.ours for row in reproduce._identity_rows(found, None)}
    final = avatar.stage("texture").distance
    assert rows["identity_distance"] == rows["identity_distance/texture"] == pytest.approx(final)
    front, generated = avatar.stage("texture").also, avatar.stage("normalized").also
    assert rows["identity_distance/front"] == pytest.approx(front.distance)
    assert rows["identity_distance/nfgan"] == pytest.approx(generated.distance)
    assert rows["identity_within_threshold"] == (final <= avatar.threshold)
    assert found.seconds().tolist() == pytest.approx([avatar.seconds])


def test_the_figure_shows_every_stage_of_everybody(found):
    figure = reproduce._figure(found)
    titles = [axes.get_title() for axes in figure.axes]
    assert set(titles) == {*STAGES, "nfgan", "front"} - {"embedding"}
    assert figure.axes[0].get_ylabel() == "person 0"
    assert all(len(axes.images) == 1 for axes in figure.axes)


def test_the_protocol_says_what_was_done():
    text = reproduce._protocol(PLANS["full"])
    assert f"{PLANS['full'].people} synthetic test people" in text
    assert "2 threads" in text
