"""Figure 7, with inference left out: what is rendered, and what is measured of it."""

from types import SimpleNamespace

import pytest
import torch

from visage.faces.shape import MorphableModel
from visage.texture import render_reproduce
from visage.texture.head_surface import blurred
from visage.texture.render_reproduce import EXPERIMENTS, METHODS, PLANS, Plan
from visage.texture.textured_head import TexturedHead, portrait_camera
from visage.texture.window import face_region

SIZE = 64


class Views:
    """One photograph of somebody with freckles."""

    image = torch.rand(1, 3, 80, 80)
    expression = torch.zeros(1, 52)

    def __len__(self):
        return 1

    def __getitem__(self, _):
        return self

    def textures(self, size):
        spots = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
        return 0.4 + 0.4 * spots


@pytest.fixture
def figure(monkeypatch):
    views = Views()
    true = views.textures(SIZE)
    made = {"pca": blurred(true, 3.0), "convex": blurred(true, 0.5)}
    sight = SimpleNamespace(
        partial=SimpleNamespace(texture=true, pixels=torch.ones(1)),
        visible=true[:, :1],
        low_frequency=true,
        fit=SimpleNamespace(identity=torch.zeros(1, 80)),
    )
    monkeypatch.setattr(render_reproduce, "held_out_views", lambda count: views)
    monkeypatch.setattr(render_reproduce, "look", lambda image, config: sight)
    monkeypatch.setattr(render_reproduce, "Bench", SimpleNamespace(load=lambda *given: None))
    monkeypatch.setattr(render_reproduce, "infer", lambda seen, bench, methods, seed: dict(made))
    plan = Plan(1, SIZE, 4, 1, 96, 0, 0, 1)
    monkeypatch.setattr(render_reproduce, "PLANS", PLANS | {"fast": plan})
    return EXPERIMENTS["texture/fig7"]("fast", 0)


def test_what_is_blurred_has_less_detail_in_the_picture(figure):
    result, drawn = figure
    rows = {row.name: row.ours for row in result.rows}
    assert rows["high_band_in_picture/pca"] < rows["high_band_in_picture/convex"] < 1
    assert rows["seconds_a_picture"] > 0
    assert result.profile == "fast"
    titles = [axes.get_title() for axes in drawn.axes]
    assert titles == ["photograph", "shape", "linear model", "ours", "true skin"]


def test_the_pixels_that_are_judged_are_the_face_s():
    model = MorphableModel.load()
    texture = torch.rand(1, 3, SIZE, SIZE)
    head = TexturedHead.of(texture, torch.zeros(1, 80), bump=None)
    for yaw in (0.0, 60.0):
        region = render_reproduce._face_pixels(model, head, portrait_camera(96, (yaw,)))
        assert set(region.unique().tolist()) == {0.0, 1.0}
        assert 0.08 < region.mean() < 0.45
        assert region[..., :8, :].sum() == 0  # nothing above the hairline
    assert set(METHODS) < {"pca", "convex", "truth"}
    assert face_region(SIZE).mean() > 0.2
