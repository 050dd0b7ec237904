"""The experiments run on few made-up faces; their rows are there, and mean what they say."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from visage.faces.camera import Perspective
from visage.faces.light import Light
from visage.texture import (
    comparison,
    convex_reproduce,
    resolution_reproduce,
    study,
    truth_reproduce,
    viewpoints_reproduce,
)
from visage.texture.backbones import load_backbone
from visage.texture.comparison import Measured, identity_rows, measure
from visage.texture.database import TextureDatabase
from visage.texture.errors import HeldOutError, TextureError
from visage.texture.gram_database import GramDatabase
from visage.texture.held_out import HeldOutViews
from visage.texture.methods import Bench
from visage.texture.observation import Observation
from visage.texture.resolution_reproduce import downsized
from visage.texture.synthesis import SynthesisConfig
from visage.texture.window import face_region

_SIZE, _PIXELS = 64, 32


def _textures(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    tone = 0.3 + 0.4 * torch.rand(count, 3, 1, 1, generator=generator)
    return (tone + 0.1 * torch.rand(count, 3, _SIZE, _SIZE, generator=generator)).clamp(0, 1)


@lru_cache(maxsize=1)
def _bench() -> Bench:
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp())
    database = TextureDatabase.of(_textures(4))
    backbone = load_backbone("random_vgg19", width=0.1)
    grams = GramDatabase.of(backbone, database, folder=folder, progress=False)
    return Bench(database, grams, SynthesisConfig(iterations=2), folder / "inferred")


class _Views(HeldOutViews):
    def textures(self, size: int) -> torch.Tensor:
        return torch.cat([_textures(1, 100 + index) for index in self.indices])


def _views(count, split="test", size=_PIXELS, yaw=0.0, **_) -> HeldOutViews:
    ones = torch.ones(count)
    camera = Perspective(torch.zeros(count, 3), torch.zeros(count, 2), _PIXELS, _PIXELS,
                         focal=100 * ones, distance=1000 * ones)  # fmt: skip
    forward = torch.tensor([0.0, 0.0, 1.0]).expand(count, 3)
    light = Light(torch.ones(count, 9, 3), forward, torch.ones(count, 3), 0.1 * ones)
    image = torch.rand(count, 3, _PIXELS, _PIXELS, generator=torch.Generator().manual_seed(0))
    return _Views(
        split, tuple(range(count)), image, torch.ones_like(image[:, :1]),
        torch.zeros(count, 80), torch.zeros(count, 52), torch.zeros(count, 68, 2), camera, light,
    )  # fmt: skip


def _observe(views: HeldOutViews, row: int, size: int) -> Observation:
    true = views[[row]].textures(size)
    visible = face_region(size).clone()
    visible[..., size // 2 :] = 0
    smooth = true.mean((2, 3), keepdim=True).expand_as(true).contiguous()
    return Observation(torch.where(visible > 0, true, 0.5), visible, smooth)


class _MeanColour:
    threshold = 0.1

    def embed(self, chips):
        return chips.mean((2, 3))

    def distance(self, a, b):
        return (a - b).norm(dim=-1)


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    def chips(textures, identity, expression=None):
        return textures

    def distances(made, true):
        judge = _MeanColour()
        return judge.distance(judge.embed(made)[:, None], judge.embed(true)[None])

    for module in (truth_reproduce, convex_reproduce, viewpoints_reproduce, resolution_reproduce):
        monkeypatch.setattr(module, "held_out_views", _views)
        monkeypatch.setattr(module, "observe_truly", _observe)
        monkeypatch.setattr(module.Bench, "load", lambda *_, **__: _bench())
    smooth = staticmethod(lambda albedo: albedo.mean((2, 3), keepdim=True).expand_as(albedo))
    monkeypatch.setattr(convex_reproduce, "_smoothed", smooth)
    for module in (comparison, truth_reproduce, viewpoints_reproduce, resolution_reproduce):
        if hasattr(module, "face_chips"):
            monkeypatch.setattr(module, "face_chips", chips)
        if hasattr(module, "identity_distances"):
            monkeypatch.setattr(module, "identity_distances", distances)
            monkeypatch.setattr(module, "recogniser", _MeanColour)
    monkeypatch.setattr(
        truth_reproduce, "observe", lambda image, size: _observe(_views(1), 0, size)
    )


def _rows(result) -> dict[str, float]:
    assert result.paper == study.PAPER
    values = {row.name: row.ours for row in result.rows}
    assert len(values) == len(result.rows)
    assert all(np.isfinite(value) for value in values.values())
    return values


def _measured(views, true, methods=("pca",), **options) -> Measured:
    return measure(views, true, _bench(), methods, _observe, **options)


def test_the_truth_is_as_good_as_can_be():
    true = _textures(1, 100)
    seen = _observe(_views(1), 0, _SIZE)
    found = study.scores(true, true, seen, _bench().backbone)
    assert found["high"] == found["middle"] == found["low"] == pytest.approx(1)
    assert found["gram"] == found["gram_invented"] == 0
    assert found["ssim_visible"] == found["ssim_invented"] == pytest.approx(1)


def test_what_is_not_there_is_not_measured():
    seen = replace(_observe(_views(1), 0, _SIZE), visible=face_region(_SIZE))
    found = study.scores(_textures(1, 3), _textures(1, 100), seen, _bench().backbone)
    assert np.isnan(found["gram_invented"])
    assert np.isnan(found["ssim_invented"])
    assert found["gram_visible"] == pytest.approx(found["gram"])


def test_photographs_without_a_face_are_counted(monkeypatch):
    def look(views, row, size):
        if row == 1:
            raise TextureError("nothing to see")
        return _observe(views, row, size)

    views = _views(3)
    found = measure(views, views.textures(_SIZE), _bench(), ("pca",), look)
    assert found.rows == [0, 2]
    assert found.asked == 3
    assert len(found.joined()["pca"]["high"]) == 2
    assert all(row.n == 2 for row in found.means("front"))


def test_unconstrained_weights_are_measured_on_the_first():
    views = _views(2)
    found = _measured(views, views.textures(_SIZE), loose=1)
    assert len(found.scores["unconstrained"]) == 1
    assert len(found.scores["pca"]) == 2


def test_a_head_is_compared_with_its_own_person():
    """Means of low frequencies have the true colours: everybody is taken for themselves."""
    views = _views(3)
    true = views.textures(_SIZE)
    rows = {row.name: row.ours for row in identity_rows([_measured(views, true)], true)}
    assert rows["pca_identity_first"] == 1
    assert rows["pca_identity_distance"] < 1e-3
    swapped = identity_rows([_measured(views, true)], true.flip(0))
    assert next(row.ours for row in swapped if row.name == "pca_identity_first") < 1


def test_truth(monkeypatch):
    plan = replace(truth_reproduce.FAST, people=2, whole=1, photographed=1, fine=1, fine_size=_SIZE)
    monkeypatch.setattr(truth_reproduce, "FAST", plan)
    result, figure = truth_reproduce.reproduce_truth("fast", 0)
    rows = _rows(result)
    wanted = ("high_band_energy_ratio", "pca_high_band_energy_ratio",
              "gram_distance_ratio_to_closest", "identity_within_threshold")  # fmt: skip
    assert set(wanted) <= set(rows)
    assert rows["pca_high_band_energy_ratio"] < 0.01  # its albedo has no grain at all
    for method in ("convex", "closest", "quilting", "pca"):
        for view in ("front", "side"):
            assert f"gram_invented/{method}/{view}" in rows
    assert rows["inferred/front_photo"] == 1
    assert {"high/whole_face/side", "high/convex/front_photo", f"high/convex/front_{_SIZE}"} <= set(
        rows
    )
    assert len(figure.axes) == 2 * 7


@pytest.mark.parametrize("which", ["fig5", "fig16"])
def test_weights(which):
    result, figure = convex_reproduce.EXPERIMENTS[f"texture/{which}"]("fast", 0)
    rows = _rows(result)
    tail = "convex" if which == "fig16" else "convex/noise_0.08"
    assert rows[f"high/{tail}"] > 0
    assert figure.axes


def test_blends(monkeypatch):
    monkeypatch.setattr(convex_reproduce, "COUNTS", (1, 4))
    result, figure = convex_reproduce.reproduce_fig4("fast", 0)
    rows = _rows(result)
    assert {"high/1", "low/4", "gram_error/4"} <= set(rows)
    assert len(figure.axes) == 4


def test_noise_is_where_the_face_is_seen():
    seen = _observe(_views(1), 0, _SIZE)
    noisy = convex_reproduce.noisy(seen, 0.05, 1)
    changed = (noisy.texture - seen.texture).abs().amax(1, keepdim=True) > 0
    assert not (changed & (seen.visible == 0)).any()
    difference = (noisy.texture - seen.texture)[seen.visible.expand(-1, 3, -1, -1) > 0]
    assert 0.03 < float(difference.std()) < 0.06
    assert torch.equal(noisy.texture, convex_reproduce.noisy(seen, 0.05, 1).texture)
    assert torch.equal(convex_reproduce.noisy(seen, 0.0, 1).texture, seen.texture)


def test_viewpoints():
    result, figure = viewpoints_reproduce.reproduce_fig9("fast", 0)
    rows = _rows(result)
    # Both views are the same picture here: nothing differs, and everybody is nearest to themselves.
    assert rows["gram_views"] == pytest.approx(0, abs=1e-6)
    assert rows["nearest"] == 1
    assert rows["gram_people"] > 0.01
    assert len(figure.axes) == 2 * 4


def test_resolution():
    result, figure = resolution_reproduce.reproduce_fig15("fast", 0)
    rows = _rows(result)
    assert {"high/whole", "high/quarter", "identity_within_threshold/quarter"} <= set(rows)
    assert len(figure.axes) == 5


def test_a_smaller_photograph_shows_the_same():
    views = _views(2)
    small = downsized(views, 4)
    assert small.image.shape == (2, 3, 8, 8)
    torch.testing.assert_close(small.image[0, 0, 0, 0], views.image[0, 0, :4, :4].mean())
    point = torch.tensor([[[20.0, -30.0, 10.0]]])
    large, less = (one.camera.project(point)[..., :2] for one in (views, small))
    torch.testing.assert_close((large + 0.5) / 4 - 0.5, less)
    with pytest.raises(HeldOutError, match="cannot be reduced 5"):
        downsized(views, 5)
