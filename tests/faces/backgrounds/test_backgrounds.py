"""Backgrounds: the same scene at every size, smooth, varied, and within range."""

import numpy as np
import pytest
import torch

from visage.faces.backgrounds import BACKGROUND_KINDS, BackgroundError, background, backgrounds
from visage.faces.backgrounds.canvas import CANVAS, Canvas, noise


def shrunk(picture, factor):
    return torch.nn.functional.avg_pool2d(picture, factor)


@pytest.mark.parametrize("kind", BACKGROUND_KINDS)
def test_a_kind_is_light_and_smooth(kind):
    for seed in range(3):
        picture = background(kind, seed, 64, 64)
        assert picture.shape == (3, 64, 64)
        assert picture.dtype == torch.float32
        assert picture.isfinite().all()
        assert picture.min() >= 0
        assert 0.05 < picture.mean() < 0.65
        # Out of focus: a larger picture has nothing more to show.
        larger = background(kind, seed, 128, 128)
        enlarged = torch.nn.functional.interpolate(picture[None], scale_factor=2, mode="bicubic")
        assert (enlarged[0] - larger).abs().mean() < 0.02 * larger.mean()


@pytest.mark.parametrize("kind", BACKGROUND_KINDS)
def test_a_scene_is_the_same_at_every_size(kind):
    small, large = background(kind, 7, 48, 48), background(kind, 7, 192, 192)
    difference = (shrunk(large[None], 4)[0] - small).abs().mean()
    assert difference < 0.02 * small.mean()


def test_a_wide_picture_is_a_band_of_the_square():
    square, wide = background("room", 3, 64, 64), background("room", 3, 32, 64)
    ratio = wide / square[:, 16:48]
    assert ratio.std() < 0.01  # but for exposure


def test_rows_depend_on_their_seeds_only():
    seeds = torch.tensor([4, 9, 4, -1])
    pictures = backgrounds(seeds, 24, 32)
    assert pictures.shape == (4, 3, 24, 32)
    assert torch.equal(pictures[0], pictures[2])
    assert torch.equal(pictures[1:2], backgrounds(seeds[1:2], 24, 32))
    assert not torch.equal(pictures[0], pictures[1])
    assert backgrounds(seeds[:0], 8, 8).shape == (0, 3, 8, 8)


def test_seeds_give_different_scenes():
    for kind in BACKGROUND_KINDS:
        first, second = background(kind, 1, 32, 32), background(kind, 2, 32, 32)
        assert (first - second).abs().mean() > 0.02


def test_a_mix_has_every_brightness():
    means = backgrounds(torch.arange(60), 16, 16).mean((1, 2, 3))
    assert means.min() < 0.2
    assert means.max() > 0.4
    assert 0.2 < means.mean() < 0.5


def test_boxes_cover_their_area():
    canvas = Canvas(np.zeros((CANVAS, CANVAS, 3)), 1.0, 0.3)
    canvas.boxes([[10.25, 20.5, 14.75, 22.0, 0.5]], [[2.0, 4.0, 6.0]])
    area = 4.5 * 1.5 * 0.5
    np.testing.assert_allclose(canvas.light.sum((0, 1)), area * np.array([2, 4, 6]), rtol=1e-5)


def test_discs_cover_or_add():
    light = np.ones((CANVAS, CANVAS, 3))
    covered, added = Canvas(light.copy(), 1.0, 0.3), Canvas(light.copy(), 1.0, 0.3)
    disc = [60.0, 60.0, 9.0, 1.0, 1.0]
    covered.discs([[*disc, 0]], [[3.0, 3.0, 3.0]])
    added.discs([[*disc, 1]], [[3.0, 3.0, 3.0]])
    assert covered.light[60, 60, 0] == 3
    assert added.light[60, 60, 0] == 4
    assert (added.light - 1).sum() / 9 == pytest.approx(np.pi * 81, rel=0.03)
    # What lies beyond the canvas is left out, not an error.
    covered.discs([[-500.0, 900.0, 9.0, 1.0, 1.0, 0]], [[1.0, 1.0, 1.0]])
    covered.boxes([[-9.0, -9.0, 900.0, 900.0, 1.0]], [[5.0, 5.0, 5.0]])
    assert (covered.light == 5).all()


def test_noise_is_smooth_and_of_unit_size():
    sample = np.stack([noise(np.random.default_rng(seed), (6,)) for seed in range(20)])
    assert 0.4 < sample.std() < 1.3
    assert np.abs(np.diff(sample, axis=1)).max() < 0.4


def test_bad_input_is_refused():
    with pytest.raises(BackgroundError, match="no background 'sea'"):
        background("sea", 0, 8, 8)
    with pytest.raises(BackgroundError, match="at least"):
        background("wall", 0, 0, 8)
    with pytest.raises(BackgroundError, match="int64"):
        backgrounds(torch.zeros(2), 8, 8)
