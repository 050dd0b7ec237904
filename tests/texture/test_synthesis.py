"""Synthesis on small textures: detail comes back, and a run can be stopped and continued."""

from dataclasses import replace

import pytest
import torch

from visage.texture.backbones import load_backbone
from visage.texture.blend import Blend
from visage.texture.errors import SynthesisError
from visage.texture.gram import grams
from visage.texture.measures import band_energy_ratio
from visage.texture.synthesis import SynthesisConfig, synthesise
from visage.texture.window import resized
from visage.texture.yiq import luminance, to_yiq

SIZE = 48
LAYERS = ("relu1_1", "relu1_2", "relu2_1", "relu2_2")
CONFIG = SynthesisConfig(iterations=40, feature_layers=("relu3_1",), hold=False)


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(width=0.15)


@pytest.fixture(scope="module")
def true():
    """A skin-coloured texture with grain."""
    grain = 0.04 * torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    return (torch.tensor([0.8, 0.6, 0.5]).view(1, 3, 1, 1) + grain).clamp(0, 1)


@pytest.fixture(scope="module")
def low(true):
    return resized(resized(true, 8), SIZE)


@pytest.fixture(scope="module")
def region():
    inside = torch.zeros(1, 1, SIZE, SIZE)
    inside[..., 8:40, 6:42] = 1
    return inside


@pytest.fixture(scope="module")
def targets(backbone, true, region):
    return grams(backbone, luminance(true), region, LAYERS)


@pytest.fixture(scope="module")
def done(low, targets, backbone, region):
    return synthesise(low, targets, backbone, CONFIG, region=region, progress=False)


def test_detail_comes_back(done, true, low, region):
    truth = luminance(true)
    before = float(band_energy_ratio(luminance(low), truth, region)[0, 0])
    after = float(band_energy_ratio(done.luminance, truth, region)[0, 0])
    assert before < 0.1
    assert 0.8 < after < 1.2


def test_energy_never_rises(done):
    assert list(done.history) == sorted(done.history, reverse=True)
    assert len(done.history) == 1 + CONFIG.iterations
    assert done.finished


def test_colours_are_those_of_the_low_frequencies(done, low):
    inside = (done.texture > 0).all(1) & (done.texture < 1).all(1)
    difference = (to_yiq(done.texture) - to_yiq(low))[:, 1:].abs().amax(1)
    assert inside.float().mean() > 0.95
    assert float(difference[inside].max()) < 1e-5


def test_far_from_the_face_nothing_changes(done, low):
    torch.testing.assert_close(done.texture[..., :4, :], low[..., :4, :], atol=1e-5, rtol=0)


def test_texels_beyond_the_region_do_not_matter(done, low, targets, backbone, region):
    other = torch.where(region > 0, low, 1 - low)
    made = synthesise(other, targets, backbone, CONFIG, region=region, progress=False)
    assert made.history == done.history


def test_the_same_again(done, low, targets, backbone, region):
    again = synthesise(low, targets, backbone, CONFIG, region=region, progress=False)
    torch.testing.assert_close(again.texture, done.texture, atol=1e-6, rtol=0)


def test_a_stopped_run_goes_on_to_the_same_end(done, low, targets, backbone, region, tmp_path):
    path = tmp_path / "run.pt"
    config = replace(CONFIG, save_every=3)

    def stop(steps, _):
        if steps == 5:
            raise KeyboardInterrupt

    first = synthesise(low, targets, backbone, config, region=region, resume=path, preview=stop,
                       progress=False)  # fmt: skip
    assert not first.finished
    assert len(first.history) == 6
    seen = []
    second = synthesise(low, targets, backbone, config, region=region, resume=path,
                        preview=lambda steps, y: seen.append((steps, y.shape)),
                        progress=False)  # fmt: skip
    assert seen[0] == (6, (1, 1, SIZE, SIZE))
    assert second.history == pytest.approx(done.history, rel=1e-4)
    torch.testing.assert_close(second.texture, done.texture, atol=1e-4, rtol=0)
    third = synthesise(low, targets, backbone, config, region=region, resume=path, progress=False)
    assert third.evaluations == second.evaluations  # nothing was left to do


def test_a_state_of_another_problem_is_refused(low, targets, backbone, region, tmp_path):
    path = tmp_path / "run.pt"
    short = replace(CONFIG, iterations=1)
    synthesise(low, targets, backbone, short, region=region, resume=path, progress=False)
    with pytest.raises(SynthesisError, match="other targets"):
        synthesise(low, targets, backbone, replace(short, alpha=1.0), region=region, resume=path,
                   progress=False)  # fmt: skip
    path.write_bytes(b"not a state")
    with pytest.raises(SynthesisError, match="no saved synthesis"):
        synthesise(low, targets, backbone, short, region=region, resume=path, progress=False)


def test_without_alpha_the_low_frequencies_stay(low, targets, backbone, region):
    config = replace(CONFIG, alpha=0.0, noise=0.0)
    made = synthesise(low, targets, backbone, config, region=region, progress=False)
    torch.testing.assert_close(made.texture, low, atol=1e-4, rtol=0)


def blend(low, tone, most=1.0):
    """Of people that light, whose detail goes so far."""
    whole = torch.ones_like(low[:, :1])
    return Blend(0.02 * whole, tone * whole, -most * whole, most * whole)


def test_a_face_lighter_than_the_blend_gets_its_detail_and_keeps_its_tone(
    low, targets, backbone, region, true
):
    config = replace(CONFIG, hold=True)
    pale = (low + 0.3).clamp(0, 1)
    tone = float((luminance(true) * region).sum() / region.sum())
    plain = synthesise(pale, targets, backbone, config, region=region, progress=False)
    toned = synthesise(pale, targets, backbone, config, region=region, blend=blend(low, tone),
                       progress=False)  # fmt: skip
    assert toned.terms["gram_relu1_1"] < 0.5 * plain.terms["gram_relu1_1"]
    away = (toned.luminance - luminance(pale)) * region
    assert abs(float(away.sum() / region.sum())) < 0.01
    ratio = band_energy_ratio(toned.luminance, luminance(true), region)[0, 0]
    assert 0.5 < float(ratio) < 1.5


def test_no_texel_goes_farther_than_the_blends(low, targets, backbone, region, true):
    config, tone = replace(CONFIG, hold=True), float(luminance(true).mean())
    limit = 0.03
    made = synthesise(low, targets, backbone, config, region=region,
                      blend=blend(low, tone, limit), progress=False)  # fmt: skip
    away = (made.luminance - luminance(low)) * region
    assert float(away.abs().max()) == pytest.approx(limit, abs=1e-5)


def test_refuses_what_does_not_fit(low, targets, backbone, region):
    with pytest.raises(SynthesisError, match=r"expected \(1, 3, S, S\)"):
        synthesise(low[:, :1], targets, backbone, CONFIG, region=region)
    with pytest.raises(SynthesisError, match="not empty"):
        synthesise(low, targets, backbone, CONFIG, region=0 * region)
    with pytest.raises(SynthesisError, match="no target for layer 'relu3_1'"):
        synthesise(low, targets, backbone, replace(CONFIG, gram_layers=("relu3_1",)),
                   region=region)  # fmt: skip
    with pytest.raises(SynthesisError, match="alpha"):
        SynthesisConfig(alpha=-1.0)
    with pytest.raises(SynthesisError, match="noise"):
        SynthesisConfig(noise=-0.1)
    with pytest.raises(SynthesisError, match="not finite"):
        synthesise(low * torch.inf, targets, backbone, replace(CONFIG, feature_layers=()),
                   region=region)  # fmt: skip
