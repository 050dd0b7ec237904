"""Before and after are measured on the same pixels, and the truth would win."""

import pytest
import torch
from torch import nn

from tests.geometry.rippled_faces import kept_faces
from visage.geometry import end_to_end_reproduce
from visage.geometry.end_to_end_reproduce import (
    EXPERIMENTS,
    against_truth,
    reproduce_end_to_end,
)


def test_both_stages_are_measured(monkeypatch):
    monkeypatch.setattr(
        end_to_end_reproduce, "detailed_faces", lambda split, count, **how: kept_faces(count, 100)
    )
    result, figure = reproduce_end_to_end("fast", 0)
    values = {row.name: row.ours for row in result.rows}
    measures = ("criterion_renders", "mean_mm", "high_frequency_mm", "normals_deg")
    assert {f"{name}/{stage}" for name in measures for stage in ("before", "after")} <= set(values)
    # One step moves CoarseNet, and by next to nothing.
    assert 0 < values["moved_mm_renders"] < 1
    assert values["mean_mm/after"] == pytest.approx(values["mean_mm/before"], abs=0.5)
    assert len(figure.axes) == 6 * 2
    assert set(EXPERIMENTS) == {"geometry/end_to_end"}


class Told(nn.Module):
    """A network that knows the answers, and says something else."""

    def __init__(self, people, change):
        super().__init__()
        self.people, self.change = people, change

    def forward(self, faces):
        row = int((self.people.faces == faces[:1]).flatten(1).all(1).nonzero()[0, 0])
        some = self.people[slice(row, row + len(faces))]
        return {"depth": self.change(some)}


def test_errors_are_of_the_depth_that_a_stage_gives():
    people = kept_faces(8, 96).rows(slice(None))
    stages = {
        "truth": Told(people, lambda some: some.depth),
        "moved": Told(people, lambda some: some.depth + 7),
        "smooth": Told(people, lambda some: some.depth + some.relief),
    }
    rows = {row.name: row.ours for found in against_truth(stages, people).values() for row in found}
    for measure in ("mean_mm", "high_frequency_mm", "normals_deg"):
        # Weak perspective does not know how far away a face is.
        assert rows[f"{measure}/truth"] == pytest.approx(0, abs=0.05)
        assert rows[f"{measure}/moved"] == pytest.approx(0, abs=0.05)
    relief = people.relief[people.mask > 0].abs().mean().item()
    assert rows["mean_mm/smooth"] == pytest.approx(relief, rel=0.1)
    assert rows["high_frequency_mm/smooth"] == pytest.approx(relief, rel=0.2)


def test_pixels_that_one_stage_does_not_show_count_for_none():
    people = kept_faces(1, 96).rows(slice(None))

    def half(some):
        hidden = torch.arange(96) < 48
        return (some.depth + 3 * hidden).masked_fill(hidden, torch.inf)

    stages = {
        "half": Told(people, half),
        "wrong_there": Told(people, lambda some: some.depth + 3 * (torch.arange(96) < 40)),
    }
    rows = {row.name: row.ours for found in against_truth(stages, people).values() for row in found}
    assert rows["mean_mm/wrong_there"] == pytest.approx(0, abs=1e-3)
