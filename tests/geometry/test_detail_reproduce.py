"""Both experiments run on faces without wrinkles, and a network that knows the truth wins them."""

import pytest
import torch

from tests.geometry.rippled_faces import kept_faces
from visage.geometry import detail_reproduce
from visage.geometry.detail_reproduce import (
    EXPERIMENTS,
    measured,
    relit,
    reproduce_detail,
    reproduce_fig11,
)


@pytest.fixture
def quick(monkeypatch):
    def faces(split, count, size=200, **options):
        return kept_faces(count, size * 48 // 200)

    monkeypatch.setattr(detail_reproduce, "detailed_faces", faces)
    monkeypatch.setattr(detail_reproduce, "_LARGE", 400)


def test_detail_has_the_rows_that_the_ledger_looks_for(quick):
    result, figure = reproduce_detail("fast", 0)
    names = {row.name for row in result.rows}
    wanted = {"high_frequency_error_ratio", "normal_error_deg", "wrinkle_energy_recovered"}
    measures = ("high_frequency_mm", "normals_deg", "wrinkle_energy_recovered")
    methods = ("ours", "coarse", "template_sfs")
    controls = {f"{name}/{method}" for name in measures for method in methods}
    assert wanted | controls <= names
    assert {f"{name}_over_50" for name in wanted} <= names
    assert {f"{name}_true_numbers" for name in wanted} <= names
    values = {row.name: row.ours for row in result.rows}
    # An untrained FineNet changes nothing.
    assert values["high_frequency_error_ratio"] == pytest.approx(1)
    assert values["wrinkle_energy_recovered/coarse"] == pytest.approx(0, abs=1e-6)
    assert len(figure.axes) == 5 * 3


def test_fig11_compares_both_sizes(quick):
    result, _ = reproduce_fig11("fast", 0)
    values = {row.name: row.ours for row in result.rows}
    for method in ("fine_200", "fine_400"):
        assert values[f"high_frequency_mm/{method}"] == pytest.approx(
            values["high_frequency_mm/coarse"], rel=1e-3
        )
    assert set(EXPERIMENTS) == {"geometry/detail", "geometry/fig11"}


def test_the_truth_has_all_the_wrinkles_and_the_smooth_surface_none():
    people = kept_faces(2, 96).rows(slice(None))

    def perfect(some, coarse, numbers):
        return some.depth.where(some.mask > 0, coarse.depth)

    def smooth(some, coarse, numbers):
        return coarse.depth

    found = measured({"perfect": perfect, "smooth": smooth}, people, people.truth)
    assert (found["perfect"].high_frequency < 0.02).all()
    assert (found["perfect"].carved / found["perfect"].energy - 1).abs().max() < 0.1
    assert (found["smooth"].carved / found["smooth"].energy).abs().max() < 0.1
    assert (found["smooth"].wrinkles / found["smooth"].energy - 1).abs().max() < 0.1


def test_a_lamp_from_the_left_lights_what_faces_left():
    at = torch.arange(20.0).expand(1, 1, 20, 20)
    mask = torch.ones(1, 1, 20, 20)
    mask[..., 0] = 0
    left, right = (relit(sign * at, mask, torch.ones(1)) for sign in (-1.0, 1.0))
    inside = (..., slice(2, None))
    # What is deeper towards the right faces right, away from the lamp.
    assert right[inside].mean() < left[inside].mean()
    assert (left[..., 0] == 1).all()
