"""A fit of a head whose answers are known."""

from dataclasses import replace

import pytest
import torch

from tests.texture.drawn_head import drawn_head
from visage.faces.camera import WeakPerspective
from visage.faces.harmonics import shade
from visage.texture.fit_config import FitConfig
from visage.texture.fit_surface import shipped_surface
from visage.texture.model_fit import ModelFit, ModelFitError, fit_model

QUICK = FitConfig(steps=(14, 4, 2), pixels=(600, 800, 1000), detector=False)


@pytest.fixture(scope="module")
def face():
    return shipped_surface().model.regions["face"] > 0.5


@pytest.fixture(scope="module")
def head():
    return drawn_head()


@pytest.fixture(scope="module")
def fit(head):
    return fit_model(head.image, head.landmarks, None, QUICK)


def _vertex_error(fit: ModelFit, head, face) -> float:
    """Mean distance, mm, over the face, its mean place taken out."""
    found, true = (v[:, face] for v in (fit.vertices(shipped_surface().model), head.vertices))
    found, true = (v - v.mean(1, keepdim=True) for v in (found, true))
    return float((found - true).norm(dim=2).mean())


def _colour_errors(fit: ModelFit, head, face) -> tuple[float, float]:
    """Relative errors of shading times albedo's gain, and of the albedo but for its gain."""
    found, true = fit.vertex_albedo()[:, face], head.albedo[:, face]
    gain = (true.log() - found.log()).mean(1, keepdim=True)
    albedo = (true.log() - found.log() - gain).abs().mean()
    normals = shipped_surface().model.normals(head.vertices)[:, face]
    normals = head.camera.turn(normals).mT[..., None]
    lit, truly = fit.shading(normals), shade(normals, head.light)
    lit = lit / gain.exp().mT[..., None]
    return float((lit - truly).abs().mean() / truly.mean()), float(albedo)


def test_known_head_is_found(head, face, fit):
    mean = replace(fit, identity=0 * fit.identity, expression=0 * fit.expression)
    assert _vertex_error(mean, head, face) > 2.5, "the mean head would do"
    assert _vertex_error(fit, head, face) < 1.3
    light, albedo = _colour_errors(fit, head, face)
    assert light < 0.04
    assert albedo < 0.04
    assert torch.allclose(fit.camera.angles, head.camera.angles, atol=0.03)


def test_energy_falls(fit):
    history = fit.history[0]
    assert len(history) <= sum(QUICK.steps)
    assert history[-1] < 0.8 * history[0]


def test_turned_head_is_found(face):
    head = drawn_head(-0.75)
    found = fit_model(head.image, head.landmarks, None, QUICK)
    assert _vertex_error(found, head, face) < 1.6
    assert torch.allclose(found.camera.angles, head.camera.angles, atol=0.05)


@pytest.mark.parametrize("yaw", [0.3, -0.75])
def test_a_thousandth_of_a_pixel_does_not_make_another_face(yaw):
    """A fit that jumps between sets of pixels moves by 0.1 to 0.4 standard deviations here."""
    head = drawn_head(yaw)
    fit = fit_model(head.image, head.landmarks, None, QUICK)
    for seed in range(6):
        noise = 1e-3 * torch.randn(1, 68, 2, generator=torch.Generator().manual_seed(seed))
        other = fit_model(head.image, head.landmarks + noise, None, QUICK)
        torch.testing.assert_close(other.identity, fit.identity, atol=0.04, rtol=0)


def test_mask_keeps_an_occluder_out(head, face, fit):
    image, mask = head.image.clone(), torch.ones_like(head.image[:, :1])
    left, top = (int(x) for x in head.landmarks[0, 33])
    hidden = (..., slice(top, top + 45), slice(left - 5, left + 50))
    image[hidden] = torch.tensor([0.1, 0.9, 0.2]).view(1, 3, 1, 1)
    mask[hidden] = 0
    masked = _colour_errors(fit_model(image, head.landmarks, mask, QUICK), head, face)
    fooled = _colour_errors(fit_model(image, head.landmarks, None, QUICK), head, face)
    clear = _colour_errors(fit, head, face)
    assert sum(masked) < sum(clear) + 0.02
    assert sum(masked) < 0.6 * sum(fooled)


def test_fit_from_its_own_answer_stays(head, fit, face):
    short = replace(QUICK, steps=(0, 0, 2))
    again = fit_model(head.image, head.landmarks, None, short, start=fit)
    assert _vertex_error(again, head, face) < _vertex_error(fit, head, face) + 0.1
    weak = WeakPerspective(
        head.camera.angles, head.camera.translation, 160, 160,
        scale=head.camera.focal / head.camera.distance,
    )  # fmt: skip
    start = head.identity, head.expression, weak
    known = fit_model(head.image, head.landmarks, None, short, start=start)
    assert _vertex_error(known, head, face) < 1.2


def test_pictures_are_fitted_one_by_one(head, fit):
    short = replace(QUICK, steps=(3, 0, 0), landmark_steps=2)
    dim = 0.8 * head.image
    both = torch.cat([head.image, dim]), head.landmarks.expand(2, -1, -1)
    together = fit_model(*both, None, short)
    alone = fit_model(dim, head.landmarks, None, short)
    torch.testing.assert_close(together.identity[1:], alone.identity, rtol=0, atol=0.01)
    torch.testing.assert_close(together.light[1:], alone.light, rtol=0, atol=0.01)
    assert len(together) == len(together.history) == 2


def _changed(head, **changes) -> dict:
    return {"image": head.image, "landmarks": head.landmarks, "mask": None} | changes


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"image": torch.zeros(3, 64, 64)}, r"expected \(B, 3, H, W\)"),
        ({"image": torch.zeros(0, 3, 64, 64)}, "there is no picture"),
        ({"landmarks": torch.zeros(1, 5, 2)}, r"landmarks are \(1, 5, 2\)"),
        ({"landmarks": torch.full((1, 68, 2), 80.0)}, "one spot"),
        ({"landmarks": torch.full((1, 68, 2), 900.0)}, "outside of the picture"),
        ({"landmarks": torch.full((1, 68, 2), torch.nan)}, "NaN"),
        ({"image": torch.full((1, 3, 160, 160), torch.nan)}, "NaN"),
        ({"mask": torch.ones(1, 1, 80, 80)}, "the mask is"),
    ],
)
def test_bad_input_is_refused(head, changes, sentence):
    with pytest.raises(ModelFitError, match=sentence):
        fit_model(**_changed(head, **changes))


def test_bad_start_is_refused(head):
    with pytest.raises(ModelFitError, match="the start has identity"):
        fit_model(head.image, head.landmarks, start=(head.identity, head.identity, head.camera))
    other = replace(head.camera, width=100)
    with pytest.raises(ModelFitError, match="the start's camera"):
        fit_model(head.image, head.landmarks, start=(head.identity, head.expression, other))


def test_a_mask_that_hides_all_leaves_the_landmarks(head):
    none = torch.zeros_like(head.image[:, :1])
    found = fit_model(head.image, head.landmarks, none, replace(QUICK, steps=(4, 1, 1)))
    assert found.identity.isfinite().all()
    assert found.light.isfinite().all()


@pytest.mark.parametrize(
    "wrong",
    [{"steps": (3, 2)}, {"pixels": (0, 1, 1)}, {"w_lan": -1.0}, {"refresh": 0}, {"steps": ()}],
)
def test_bad_config_is_refused(wrong):
    with pytest.raises(ModelFitError, match="give"):
        replace(QUICK, **wrong)
