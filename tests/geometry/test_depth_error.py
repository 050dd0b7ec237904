"""Table 1's protocol against loops, and on depths whose errors are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.geometry.depth_error import common_pixels, depth_errors, summarised
from visage.geometry.errors import DepthErrorError


def _faces(seed: int = 0, batch: int = 3, size: int = 9):
    generator = torch.Generator().manual_seed(seed)
    truth = 20 * torch.rand(batch, 1, size, size, generator=generator)
    depth = truth + torch.randn(batch, 1, size, size, generator=generator)
    pixels = torch.rand(batch, 1, size, size, generator=generator) < 0.6
    return depth, truth, pixels


def test_equals_a_loop():
    depth, truth, pixels = _faces()
    found = summarised(depth_errors(depth, truth, pixels))
    pooled = []
    for face in range(len(depth)):
        difference = (depth - truth)[face][pixels[face]].numpy().astype(np.float64)
        # torch's median is the lower of the two in the middle
        errors = np.abs(difference - np.sort(difference)[(len(difference) - 1) // 2])
        pooled.extend(errors)
        assert found.mean[face] == pytest.approx(errors.mean(), rel=1e-5)
        assert found.p90[face] == pytest.approx(np.quantile(errors, 0.9), rel=1e-5)
        assert found.pixels[face] == len(errors)
    assert found.pooled_p90 == pytest.approx(np.quantile(pooled, 0.9), rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.floats(-500, 500), st.integers(0, 1000))
def test_a_constant_is_no_error(offset, seed):
    depth, truth, pixels = _faces(seed)
    there = depth_errors(depth, truth, pixels)
    moved = depth_errors(depth + offset, truth, pixels)
    torch.testing.assert_close(moved, there, atol=2e-4, rtol=0, equal_nan=True)


def test_what_is_not_compared_does_not_count():
    depth, truth, pixels = _faces()
    spoiled = torch.where(pixels, depth, torch.inf)
    found = depth_errors(spoiled, truth.masked_fill(~pixels, torch.nan), pixels)
    torch.testing.assert_close(found, depth_errors(depth, truth, pixels), equal_nan=True)
    assert bool((found.isnan() == ~pixels).all())


def test_a_face_without_pixels_is_not_measured():
    depth, truth, pixels = _faces()
    pixels[1] = False
    found = summarised(depth_errors(depth, truth, pixels))
    assert found.measured.tolist() == [True, False, True]
    assert bool(found.mean[1].isnan())
    assert np.isfinite(found.pooled_p90)


def test_half_of_a_face_moved_is_the_movement():
    truth = torch.zeros(1, 1, 10, 10)
    depth = truth.clone()
    depth[..., 6:] = 4  # fewer than half: the median stays at the rest
    found = summarised(depth_errors(depth, truth, truth == 0))
    assert found.mean.item() == pytest.approx(1.6)
    assert found.pooled_p90 == 4


def test_common_pixels_are_those_of_all():
    masks = [torch.rand(2, 1, 4, 4) > 0.3 for _ in range(3)]
    found = common_pixels([masks[0], masks[1].float(), masks[2]])
    for place in np.ndindex(2, 1, 4, 4):
        assert bool(found[place]) == all(bool(mask[place]) for mask in masks)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: common_pixels([]), "none"),
        (lambda: common_pixels([torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 3)]), "one shape"),
        (
            lambda: depth_errors(*(torch.ones(1, 1, n, 2) for n in (2, 3)), torch.ones(1)),
            "expected",
        ),
        (
            lambda: depth_errors(
                torch.full((1, 1, 1, 1), torch.inf),
                torch.ones(1, 1, 1, 1),
                torch.ones(1, 1, 1, 1) > 0,
            ),
            "infinite",
        ),
    ],
)
def test_refuses(call, says):
    with pytest.raises(DepthErrorError, match=says):
        call()
