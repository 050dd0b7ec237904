"""Bands, structure and correlations of textures on a region."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from visage.texture.backbones import load_backbone
from visage.texture.errors import MeasureError
from visage.texture.measures import (
    BANDS,
    band_energies,
    band_energy_ratio,
    bands,
    gram_distance,
    mean_difference,
    relative_distance,
    ssim,
)


def _noise(batch: int = 2, size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(seed))


def _disc(size: int = 32) -> torch.Tensor:
    place = torch.arange(size) - (size - 1) / 2
    return (place[:, None].square() + place.square() < (size / 3) ** 2).float()[None, None]


def _waves(length: float, size: int = 96) -> torch.Tensor:
    return (2 * math.pi * torch.arange(size) / length).sin().expand(1, 1, size, size) / 4 + 0.5


def test_bands_add_up_to_the_texture_less_its_mean():
    texture, region = _noise(), _disc()
    whole = bands(texture, region).sum(1, keepdim=True)
    inside = region.expand_as(texture) > 0
    mean = (texture * region).sum((2, 3), keepdim=True) / region.sum()
    torch.testing.assert_close(whole[inside], (texture - mean)[inside])
    assert float(whole[~inside].abs().max()) == 0


def test_the_high_band_is_what_a_loop_says():
    texture, region = _noise(1, 12)[0, 0].numpy(), _disc(12)[0, 0].numpy() > 0
    filter_ = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])
    wanted = np.zeros((12, 12))
    for y, x in np.argwhere(region):
        total = weight = 0.0
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                v, u = y + dy, x + dx
                if 0 <= v < 12 and 0 <= u < 12 and region[v, u]:
                    total += filter_[dy + 2, dx + 2] * texture[v, u]
                    weight += filter_[dy + 2, dx + 2]
        wanted[y, x] = texture[y, x] - total / weight
    found = bands(torch.tensor(texture)[None, None], torch.tensor(region)[None, None].float())[0, 0]
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize(("length", "band"), [(3, "high"), (12, "middle"), (60, "low")])
def test_waves_are_in_their_band(length, band):
    energies = band_energies(_waves(length), torch.ones(1, 1, 96, 96))[0]
    share = energies / energies.sum()
    assert float(share[BANDS.index(band)]) > 0.75


@given(st.integers(0, 10_000), st.floats(-5, 5))
@settings(max_examples=15, deadline=None)
def test_nothing_outside_of_the_region_counts(seed, change):
    made, true, region = _noise(1, 16, seed), _noise(1, 16, seed + 1), _disc(16)
    other = made + change * (1 - region)
    for measure in (band_energy_ratio, ssim, mean_difference):
        torch.testing.assert_close(
            measure(made, true, region), measure(other, true, region), atol=1e-4, rtol=1e-4
        )


def test_the_border_of_a_region_is_no_detail():
    """A face is a ramp of light on a window that is 0 elsewhere."""
    region = _disc(96)
    ramp = torch.linspace(0.4, 0.6, 96).expand(1, 1, 96, 96)
    high, middle, low = band_energies(ramp, region)[0].tolist()
    assert high < 1e-3 * low
    assert middle < 0.1 * low
    assert band_energies(ramp * region, torch.ones_like(region))[0, 0] > 0.1 * low


def test_twice_the_contrast_is_four_times_the_energy():
    texture = _noise()
    ratio = band_energy_ratio(0.5 + 2 * (texture - 0.5), texture, _disc())
    torch.testing.assert_close(ratio, torch.full((2, 3), 4.0))


def test_ssim_is_that_of_scikit_image_inside():
    made, true = _noise(1, 40, 1).double(), _noise(1, 40, 2).double()
    made = 0.7 * true + 0.3 * made
    _, picture = structural_similarity(
        made[0, 0].numpy(), true[0, 0].numpy(), data_range=1.0, gaussian_weights=True,
        sigma=1.5, use_sample_covariance=False, full=True,
    )  # fmt: skip
    # One texel whose window lies inside: the mean over a region of one texel is that texel's.
    texel = torch.zeros(1, 1, 40, 40, dtype=torch.float64)
    texel[..., 20, 20] = 1
    everywhere = torch.ones_like(texel)
    assert float(ssim(made, true, everywhere)) == pytest.approx(picture.mean(), abs=0.01)
    assert float(ssim(made, made, texel)) == pytest.approx(1)
    assert float(ssim(1 - true, true, everywhere)) < 0


def test_mean_difference():
    made, true = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.25)
    region = torch.zeros(1, 1, 4, 4)
    region[..., :2] = 1
    made[..., 2:] = 1
    assert mean_difference(made, true, region).tolist() == [0.25]


def test_gram_distance_is_that_of_masked_features():
    backbone = load_backbone("random_vgg19", width=0.1)
    made, true, region = _noise(2, 32, 1), _noise(2, 32, 2), _disc()
    found = gram_distance(backbone, made, true, region)
    wanted = []
    for a, b in zip(made, true, strict=True):
        layers = []
        for name in backbone.gram_layers:
            matrices = []
            for one in (a, b):
                masked = torch.where(region > 0, one[None], 0.5)
                flat = backbone.features(masked, [name])[name][0].flatten(1)
                matrices.append(flat @ flat.T / flat.shape[1])
            layers.append(float((matrices[0] - matrices[1]).norm() / matrices[1].norm()))
        wanted.append(sum(layers) / len(layers))
    torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=1e-4)
    assert gram_distance(backbone, true, true, region).tolist() == [0.0, 0.0]
    elsewhere = torch.where(region > 0, made, 0.9)
    torch.testing.assert_close(gram_distance(backbone, elsewhere, true, region), found)


def test_each_layer_counts_alike():
    true = {"a": torch.eye(2)[None], "b": 100 * torch.eye(3)[None]}
    made = {"a": 2 * torch.eye(2)[None], "b": 100 * torch.eye(3)[None]}
    assert relative_distance(made, true).tolist() == [0.5]
    assert relative_distance(true, true).tolist() == [0.0]


@pytest.mark.parametrize("measure", [band_energy_ratio, ssim, mean_difference])
def test_refuses_what_does_not_fit(measure):
    texture = _noise()
    with pytest.raises(MeasureError, match="no texel"):
        measure(texture, texture, torch.zeros(1, 1, 32, 32))
    with pytest.raises(MeasureError, match="expected"):
        measure(texture, texture, torch.ones(1, 1, 16, 16))
    with pytest.raises(MeasureError, match="3 regions for 2"):
        measure(texture, texture, torch.ones(3, 1, 32, 32))
