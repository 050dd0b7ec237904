"""Synthesis over several sizes."""

import pytest
import torch

from visage.texture.backbones import load_backbone
from visage.texture.coarse_to_fine import synthesise_coarse_to_fine
from visage.texture.errors import SynthesisError
from visage.texture.gram import grams
from visage.texture.measures import band_energy_ratio
from visage.texture.synthesis import SynthesisConfig, synthesise
from visage.texture.window import face_region, resized
from visage.texture.yiq import luminance

SIZE = 64
LAYERS = ("relu1_1", "relu1_2", "relu2_1")
CONFIG = SynthesisConfig(iterations=15, feature_layers=(), hold=False)


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(width=0.1)


@pytest.fixture(scope="module")
def true():
    generator = torch.Generator().manual_seed(2)
    coarse = resized(torch.randn(1, 1, 24, 24, generator=generator), SIZE)
    fine = torch.randn(1, 1, SIZE, SIZE, generator=generator)
    return torch.tensor([0.75, 0.58, 0.5]).view(1, 3, 1, 1) + 0.02 * coarse + 0.02 * fine


def targets(backbone, true, size):
    return grams(backbone, luminance(resized(true, size)), face_region(size), LAYERS)


def test_brings_detail_of_all_sizes(backbone, true):
    low = resized(resized(true, 8), SIZE)
    levels = [targets(backbone, true, size) for size in (32, 64)]
    made = synthesise_coarse_to_fine(low, levels, backbone, CONFIG, progress=False)
    ratio = band_energy_ratio(made.luminance, luminance(true), face_region(SIZE))[0]
    assert 0.4 < float(ratio[0]) < 1.4
    assert 0.4 < float(ratio[1]) < 1.5


def test_one_level_is_the_plain_synthesis(backbone, true):
    low = resized(resized(true, 8), SIZE)
    only = targets(backbone, true, SIZE)
    plain = synthesise(low, only, backbone, CONFIG, progress=False)
    made = synthesise_coarse_to_fine(low, [only], backbone, CONFIG, progress=False)
    assert made.history == plain.history


def test_starts_nearer_than_from_the_low_frequencies(backbone, true):
    low = resized(resized(true, 8), SIZE)
    levels = [targets(backbone, true, size) for size in (32, 64)]
    made = synthesise_coarse_to_fine(low, levels, backbone, CONFIG, progress=False)
    plain = synthesise(low, levels[-1], backbone, CONFIG, progress=False)
    assert made.history[0] < plain.history[0]


def test_refuses_sizes_that_cannot_be_halved(backbone, true):
    level = targets(backbone, true, SIZE)
    with pytest.raises(SynthesisError, match="halved"):
        synthesise_coarse_to_fine(resized(true, 33), [level, level], backbone, CONFIG)
    with pytest.raises(SynthesisError, match="at least one"):
        synthesise_coarse_to_fine(true, [], backbone, CONFIG)
