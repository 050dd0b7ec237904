"""The filter's criteria: known answers, what they ignore, thresholds."""

import itertools
from dataclasses import replace

import pytest
import torch

from visage.normalization.errors import NormalizationError
from visage.normalization.filter_reproduce import blurred
from visage.normalization.quality import (
    MEASURED_AT,
    Measures,
    Quality,
    colourfulness,
    eye_light,
    sharpness,
)


@pytest.fixture(scope="module")
def pictures():
    """Noise with the spectrum of photographs, about 1/f."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(4, 3, MEASURED_AT, MEASURED_AT, generator=generator)
    frequency = torch.fft.fftfreq(MEASURED_AT).square()
    frequency = (frequency[:, None] + frequency).sqrt().clamp(min=1 / MEASURED_AT)
    shaped = torch.fft.ifft2(torch.fft.fft2(noise) / frequency).real
    return (0.5 + 0.12 * shaped / shaped.std()).clamp(0.02, 0.98)


def test_blur_lowers_sharpness_more_and_more(pictures):
    values = [sharpness(blurred(pictures, sigma)) for sigma in (0.5, 1.0, 2.0)]
    values = [sharpness(pictures), *values]
    for sharper, softer in itertools.pairwise(values):
        assert (softer < sharper).all()


def test_contrast_and_brightness_do_not_change_sharpness(pictures):
    assert torch.allclose(sharpness(0.4 * pictures + 0.3), sharpness(pictures), rtol=1e-3)


def test_grey_and_toned_pictures_have_no_colour(pictures):
    grey = pictures.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    toned = grey * torch.tensor([0.9, 0.8, 0.6]).view(3, 1, 1)
    assert colourfulness(grey).max() < 1e-3
    assert colourfulness(toned).max() < 1e-3
    assert colourfulness(pictures).min() > 5


def test_colourfulness_counts_grey_levels():
    """Red that changes by itself, by 0.1 either way: 25.5 levels of red minus green, no blue."""
    picture = torch.full((1, 3, MEASURED_AT, MEASURED_AT), 0.5)
    stripes = 0.1 * (2 * (torch.arange(MEASURED_AT) % 2) - 1)
    picture[:, 0] += stripes
    picture[:, 1] -= 0.5 * stripes
    picture[:, 2] -= 0.5 * stripes
    expected = 255 * 0.15 / 2**0.5  # brightness is constant; blue minus green is zero
    assert float(colourfulness(picture)) == pytest.approx(expected, rel=0.01)


def test_only_the_face_counts(pictures):
    other = pictures.clone()
    other[..., :40, :] = 0
    other[..., -30:, :] = 1
    for measured in (sharpness, colourfulness):
        assert torch.allclose(measured(other), measured(pictures), rtol=1e-4)


def test_dark_lenses_take_the_light_from_the_eyes(pictures):
    """A band over the eyes, as wide as glasses, is darkened to a quarter."""
    bare = torch.full_like(pictures, 0.8)
    worn = bare.clone()
    worn[..., 58:78, 40:120] *= 0.25
    assert torch.allclose(eye_light(bare), torch.ones(4))
    assert float(eye_light(worn).max()) == pytest.approx(0.25, abs=0.02)
    assert torch.allclose(eye_light(0.5 * worn), eye_light(worn), atol=1e-5)


def good() -> Measures:
    one = torch.ones(1)
    values = (0.6, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8)
    return Measures(*(value * one for value in values))


@pytest.mark.parametrize(
    ("name", "value", "criterion"),
    [
        ("sharpness", 0.1, "blur"),
        ("colourfulness", 0.5, "monochrome"),
        ("yaw", -40.0, "frontal"),
        ("pitch", 40.0, "frontal"),
        ("smile", 1.0, "neutral"),
        ("opening", 1.0, "neutral"),
        ("glasses", 2.0, "glasses"),
        ("eye_light", 0.3, "dark_eyes"),
    ],
)
def test_each_measure_has_its_criterion(name, value, criterion):
    assert bool(Quality().keeps_all(good()))
    bad = replace(good(), **{name: torch.tensor([value])})
    failed = [which for which, kept in Quality().keeps(bad).items() if not kept]
    assert failed == [criterion]
    assert not Quality().keeps_all(bad)


def test_rows_of_measures():
    both = Measures(*torch.arange(16.0).view(8, 2))
    assert len(both) == 2
    assert both[1:].yaw.tolist() == [5.0]


def test_refuses_another_size():
    with pytest.raises(NormalizationError, match=str(MEASURED_AT)):
        sharpness(torch.rand(1, 3, 32, 32))
