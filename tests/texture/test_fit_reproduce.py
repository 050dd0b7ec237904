"""The experiment's rows and figure, on a drawn head."""

from dataclasses import replace

import pytest
import torch

from tests.texture.drawn_head import drawn_head
from visage.faces.light import Light
from visage.photos.landmarks import Face, NoFaceError
from visage.texture import fit_reproduce
from visage.texture.fit_figure import draw_fit
from visage.texture.fit_reproduce import EXPERIMENTS, reproduce_fit
from visage.texture.fit_surface import shipped_surface
from visage.texture.held_out import HeldOutViews
from visage.texture.model_fit import ModelFit


def _views(count: int, split: str, *, yaw: float) -> HeldOutViews:
    head = drawn_head(0.3 if yaw == 0 else -0.75)
    light = Light(head.light, torch.tensor([[0.0, 0, 1]]), torch.zeros(1, 3), torch.zeros(1))
    seen = torch.ones_like(head.image[:, :1])
    return HeldOutViews(split, (0,), head.image, seen, head.identity, head.expression,
                        head.landmarks, head.camera, light)  # fmt: skip


@pytest.fixture
def quick(monkeypatch):
    def found(image, which):
        return Face(None, _views(1, "test", yaw=0 if image[0, 0, 80, 45] != 0.4 else 45).landmarks)

    monkeypatch.setattr(fit_reproduce, "held_out_views", _views)
    monkeypatch.setattr(fit_reproduce, "find_face", found)
    monkeypatch.setattr(fit_reproduce, "segment", lambda image, _: torch.ones_like(image[:, :1]))
    monkeypatch.setattr(fit_reproduce, "_THREADS", 1)
    monkeypatch.setattr(
        fit_reproduce, "true_albedo", lambda *_: drawn_head().albedo.expand(1, -1, -1)
    )
    monkeypatch.setitem(fit_reproduce._STEPS, "fast", (4, 0, 0))


def test_rows_and_figure(quick):
    result, figure = reproduce_fit("fast", 0, split="validation")
    rows = {row.name: row for row in result.rows}
    assert result.id in EXPERIMENTS
    assert {"seconds", "time_ratio_to_first_order", "vertex_error_mm", "vertex_error_mm/45",
            "albedo_error", "light_error"} <= set(rows)  # fmt: skip
    assert rows["seconds"].n == 2
    assert rows["missed"].ours == 0
    # The face is what the photograph shows; so few steps leave the skull to chance.
    assert rows["face_vertex_error_mm"].ours < rows["mean_face_face_vertex_error_mm"].ours
    assert rows["time_ratio_to_first_order"].ours > 0
    assert "validation" in result.protocol
    assert len(figure.axes) == 10


def test_pictures_without_a_face_are_missed(quick, monkeypatch):
    def nobody(image, which):
        raise NoFaceError("no face is seen")

    both = fit_reproduce.find_face
    calls = iter([nobody, both])
    monkeypatch.setattr(fit_reproduce, "find_face", lambda *a, **k: next(calls)(*a, **k))

    def two(count: int, split: str, *, yaw: float) -> HeldOutViews:
        one = _views(1, split, yaw=yaw)
        parts = {name: getattr(one, name).repeat(2, *[1] * (getattr(one, name).ndim - 1))
                 for name in ("image", "seen", "identity", "expression", "landmarks")}  # fmt: skip
        camera = replace(one.camera, **{
            name: getattr(one.camera, name).repeat(2, *[1] * (getattr(one.camera, name).ndim - 1))
            for name in ("angles", "translation", "focal", "distance")})  # fmt: skip
        light = Light(*(part.repeat(2, *[1] * (part.ndim - 1)) for part in (
            one.light.ambient, one.light.key_direction, one.light.key_colour,
            one.light.key_radius)))  # fmt: skip
        return HeldOutViews(split, (0, 1), **parts, camera=camera, light=light)

    monkeypatch.setattr(fit_reproduce, "held_out_views", two)
    fitted = fit_reproduce.fitted_views(2, "test", 0, fit_reproduce._BRIEF)
    assert fitted.missed == 1
    assert fitted.views.indices == (1,)
    assert len(fitted.fit) == len(fitted.seconds) == 1


def test_the_true_fit_draws_the_picture():
    head, surface = drawn_head(), shipped_surface()
    coefficients = torch.linalg.lstsq(
        surface.priors.albedo.basis.flatten(1).T,
        (head.albedo[0].log() - surface.priors.albedo.mean).flatten(),
    ).solution
    fit = ModelFit(
        head.identity, head.expression, coefficients[None], head.camera, head.light, ((),)
    )
    drawn, albedo, light = draw_fit(head.image, fit)
    assert (drawn - head.image).abs().max() < 0.03
    assert albedo.shape == light.shape == head.image.shape
