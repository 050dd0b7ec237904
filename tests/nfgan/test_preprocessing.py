"""Section 5.1: crops, equalisation, plane, standardisation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.nfgan.preprocessing import (
    PATCH,
    PreprocessingError,
    centre_crop,
    equalize_histogram,
    even_out,
    five_crops,
    preprocess,
    standardise,
    subtract_plane,
)

SEEDS = st.integers(0, 2**31)


def _images(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _equalized(picture: np.ndarray, levels: int) -> np.ndarray:
    """One pixel after the other, as a textbook has it."""
    level = np.rint(picture * (levels - 1)).astype(int)
    darkest = np.sum(level == level.min())
    result = np.zeros(picture.shape)
    for place in np.ndindex(level.shape):
        at_or_below = np.sum(level <= level[place])
        result[place] = (at_or_below - darkest) / max(level.size - darkest, 1)
    return result


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from([2, 7, 256]))
def test_equalisation_is_the_textbooks(seed, levels):
    images = _images(seed, 2, 1, 5, 6).square()
    expected = np.stack([_equalized(image[0].numpy(), levels)[None] for image in images])
    assert np.allclose(equalize_histogram(images, levels), expected, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_equalisation_does_not_see_a_change_of_brightness(seed):
    """Any rising map of levels gives the same picture, but for rounding to levels."""
    levels = torch.randint(0, 40, (1, 1, 8, 8), generator=torch.Generator().manual_seed(seed))
    plain, brighter = levels / 255, (4 * levels + 30) / 255
    assert torch.allclose(equalize_histogram(plain), equalize_histogram(brighter))


def test_equalised_levels_are_uniform():
    images = _images(0, 1, 1, 64, 64).pow(1.5)
    found = equalize_histogram(images).flatten().sort().values
    crowded = (images * 255).round().unique(return_counts=True)[1].max() / 4096
    assert (found - torch.linspace(0, 1, 4096)).abs().max() <= 1.1 * crowded


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 7), st.integers(1, 7))
def test_the_plane_is_that_of_least_squares(seed, height, width):
    images = _images(seed, 2, 1, height, width).double()
    y, x = np.mgrid[:height, :width]
    design = np.stack([np.ones(x.size), x.ravel(), y.ravel()], 1)
    for image, ours in zip(images, subtract_plane(images), strict=True):
        values = image.numpy().ravel()
        plane = design @ np.linalg.lstsq(design, values, rcond=None)[0]
        assert np.allclose(ours.numpy().ravel(), values - plane + values.mean())


def test_a_plane_leaves_its_mean_and_nothing_else():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(8.0), indexing="ij")
    plane = (0.3 + 0.1 * x - 0.2 * y)[None, None]
    assert torch.allclose(subtract_plane(plane), plane.mean().expand_as(plane), atol=1e-6)


def test_subtracting_twice_changes_nothing_more():
    once = subtract_plane(_images(1, 3, 1, 9, 9).double())
    assert torch.allclose(subtract_plane(once), once)


def test_plane_and_standardisation_are_differentiable():
    images = _images(2, 1, 1, 4, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(subtract_plane, images)
    assert torch.autograd.gradcheck(standardise, images)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(0.1, 5), st.floats(-3, 3))
def test_standardised(seed, gain, offset):
    images = _images(seed, 2, 1, 6, 7).double()
    found = standardise(images)
    assert torch.allclose(found.mean((2, 3)), torch.zeros(2, 1).double(), atol=1e-9)
    assert torch.allclose(found.square().mean((2, 3)), torch.ones(2, 1).double())
    assert torch.allclose(standardise(gain * images + offset), found, atol=1e-6)


def test_flat_pictures_are_zero():
    flat = torch.full((1, 1, 64, 64), 0.3)
    for function in (equalize_histogram, standardise, even_out):
        assert torch.equal(function(flat), torch.zeros(1, 1, 64, 64))


def test_crops_are_where_they_are_said_to_be():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    numbered = (64 * y + x)[None, None]
    patches = five_crops(numbered)[0, :, 0]
    corners = [(2, 2), (0, 0), (0, 4), (4, 0), (4, 4)]
    for patch, (top, left) in zip(patches, corners, strict=False):
        assert patch.shape == (PATCH, PATCH)
        assert divmod(int(patch[0, 0]), 64) == (top, left)
    for patch, mirrored in zip(patches[:5], patches[5:], strict=True):
        assert torch.equal(patch.flip(-1), mirrored)
    assert torch.equal(centre_crop(numbered)[0, 0], patches[0])


def test_a_whole_picture_is_its_own_crop():
    images = _images(3, 2, 1, 60, 60)
    assert torch.equal(centre_crop(images), images)


def test_testing_sees_the_first_patch_of_training():
    images = _images(4, 3, 1, 64, 64)
    training, testing = preprocess(images, training=True), preprocess(images, training=False)
    assert training.shape == (3, 10, 1, PATCH, PATCH)
    assert torch.equal(training[:, 0], testing)


def test_light_from_one_side_is_evened_out():
    """A slope over the face is gone, and the face is left."""
    face = torch.nn.functional.interpolate(_images(5, 1, 1, 8, 8), 64, mode="bicubic")
    ramp = torch.linspace(0, 0.5, 64).expand(1, 1, 64, 64)
    even, lit = preprocess(face, training=False), preprocess(face + ramp, training=False)
    untreated = standardise(centre_crop(face + ramp)) - standardise(centre_crop(face))
    assert (even - lit).abs().mean() < untreated.abs().mean() / 20


def test_pictures_are_prepared_each_by_itself():
    images = _images(6, 3, 1, 64, 64)
    alone = preprocess(images[1:2], training=True)
    assert torch.allclose(preprocess(images, training=True)[1:2], alone, atol=1e-5)


@pytest.mark.parametrize(
    "images",
    [torch.zeros(1, 3, 64, 64), torch.zeros(64, 64), torch.zeros(1, 1, 64, 64, dtype=torch.uint8)],
)
def test_other_pictures_are_refused(images):
    for function in (equalize_histogram, subtract_plane, standardise, five_crops):
        with pytest.raises(PreprocessingError, match="expected grey"):
            function(images)


def test_too_small_for_a_patch():
    with pytest.raises(PreprocessingError, match="60 pixels out of pictures of 64 x 50"):
        preprocess(torch.zeros(1, 1, 50, 64), training=True)
    with pytest.raises(PreprocessingError, match="at least 2"):
        equalize_histogram(torch.zeros(1, 1, 4, 4), levels=1)
