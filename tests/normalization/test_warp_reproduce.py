"""The experiments with the warp run, on few people, and name the rows looked for."""

import pytest
import torch
from matplotlib import pyplot

from visage.faces.portraits import Detail
from visage.normalization import warp_reproduce, warp_speed_reproduce
from visage.normalization.warp import dense_flow
from visage.normalization.warp_examples import (
    astronaut,
    mean_geometry,
    person_landmarks,
    synthetic_portraits,
)
from visage.normalization.warp_reproduce import flow_determinant
from visage.normalization.warp_speed_reproduce import plain_warp, scipy_flow, warp_problem


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


@pytest.fixture
def bald(monkeypatch):
    """People without hair, which would be most of the time."""
    quick = Detail(texture=64, hair=False, wear=False, background=False)
    monkeypatch.setattr(warp_reproduce, "_PLAIN", quick)


def test_fig2(bald):
    result, figure = warp_reproduce.reproduce_fig2("fast", 0)
    rows = {row.name: row.ours for row in result.rows}
    assert rows["gradient_of_mean_after"] > 0
    assert figure.axes


def test_fig5(bald):
    result, figure = warp_reproduce.reproduce_fig5("fast", 0)
    rows = {row.name: row.ours for row in result.rows}
    assert rows["landmark_error_px_linear"] < 1e-3
    assert rows["overshoot_linear"] <= rows["overshoot_thin_plate"]
    assert rows["folded_linear"] <= rows["folded_linear_twice"]
    assert len(figure.axes) == 5


def test_warp_speed(monkeypatch):
    """Without kornia's half minute: its place is taken by plain torch."""
    monkeypatch.setattr(warp_speed_reproduce, "kornia_warp", plain_warp)
    result = warp_speed_reproduce.reproduce_warp_speed("fast", 0)
    names = [row.name for row in result.rows]
    assert names[:3] == ["ratio_to_kornia", "ratio_to_plain_torch", "max_abs_difference_to_scipy"]
    assert {"ours_ms", "ours_backward_ms", "kornia_ms", "kornia_backward_ms"} <= set(names)
    assert all(row.ours > 0 for row in result.rows)


@pytest.mark.parametrize("order", [1, 2])
def test_flows_of_faces_are_scipy_s(order):
    _, source, target = warp_problem(1, 0, size=64)
    flow = dense_flow(source, target, 64, 64, order=order)[0].double()
    assert (flow - scipy_flow(source[0], target[0], 64, 64, order)).abs().max() < 1e-3


def test_determinant_of_known_flows():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    grown = torch.stack([0.5 * x, -0.2 * y])[None]
    torch.testing.assert_close(flow_determinant(grown), torch.full((1, 4, 5), 1.5 * 0.8))
    turned = torch.stack([-2 * x, 0 * y])[None]
    assert (flow_determinant(turned) < 0).all()


def test_examples_lie_in_the_crop():
    portrait, mean = astronaut(112), mean_geometry(112)
    assert portrait.images.shape == (1, 3, 112, 112)
    eyes = torch.tensor([[41.75, 45.5], [69.25, 45.5]])
    for points in (portrait.landmarks[0], mean, *person_landmarks(3, size=112)):
        found = torch.stack([points[36:42].mean(0), points[42:48].mean(0)])
        torch.testing.assert_close(found, eyes, atol=2.0, rtol=0)
    quick = Detail(texture=64, hair=False, wear=False, background=False)
    drawn = synthetic_portraits((0,), size=64, detail=quick)
    known = person_landmarks(1, split="test", size=64)
    torch.testing.assert_close(drawn.landmarks, known, atol=1e-3, rtol=0)
