"""Slopes and high frequencies: known values, and a naive loop."""

import math

import pytest
import torch

from visage.geometry.detail_error import compared, detail_errors, high_frequencies
from visage.geometry.detail_loss import comparable, slope_loss
from visage.geometry.errors import DetailError
from visage.geometry.representation import WIDTH


def ones(*shape):
    return torch.ones(1, 1, *shape)


def naive_slope_loss(depth, truth, weight, scale, steps):
    error, total = (depth - truth)[0, 0] * scale, 0
    height, width = error.shape
    for step in steps:
        wrong = count = 0.0
        for y in range(height):
            for x in range(width):
                for y2, x2 in ((y + step, x), (y, x + step)):
                    if y2 < height and x2 < width:
                        both = float(weight[0, 0, y, x] * weight[0, 0, y2, x2])
                        wrong += both * abs(float(error[y2, x2] - error[y, x])) / step
                        count += both
        total += wrong / max(count, 1e-6)
    return total / len(steps)


def test_slope_loss_is_its_naive_loop():
    generator = torch.Generator().manual_seed(0)
    depth, truth, weight = torch.rand(3, 1, 1, 7, 9, generator=generator).unbind(0)
    found = slope_loss(depth, truth, weight, torch.tensor([0.8]), (1, 3))
    expected = naive_slope_loss(depth, truth, weight, 0.8, (1, 3))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_slope_loss_does_not_care_about_the_origin_or_what_does_not_count():
    generator = torch.Generator().manual_seed(1)
    truth = torch.rand(1, 1, 12, 12, generator=generator)
    assert float(slope_loss(truth + 40, truth, ones(12, 12), torch.ones(1))) < 1e-5
    weight = ones(12, 12)
    weight[..., :6] = 0
    wrong = truth.clone()
    wrong[..., :6] = torch.nan
    assert float(slope_loss(wrong, truth, weight, torch.ones(1))) == 0


def test_slope_loss_has_right_derivatives():
    generator = torch.Generator().manual_seed(2)
    depth = torch.rand(1, 1, 9, 9, dtype=torch.float64, generator=generator).requires_grad_()
    truth = torch.rand(1, 1, 9, 9, dtype=torch.float64, generator=generator)
    weight, scale = torch.ones_like(truth), torch.ones(1, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda d: slope_loss(d, truth, weight, scale), [depth])


def test_beside_a_jump_nothing_is_comparable():
    depth = torch.zeros(1, 1, 8, 8)
    depth[..., 4:] = 10.0
    found = comparable(depth, torch.zeros_like(depth), ones(8, 8), torch.ones(1))[0, 0]
    assert found[:, [0, 1, 6, 7]].all()
    assert not found[:, 2:6].any()
    assert comparable(depth, depth, ones(8, 8), torch.tensor([0.1])).all()  # 45 degrees


def test_off_either_surface_nothing_is_comparable():
    depth = torch.zeros(1, 1, 8, 8)
    hole = depth.clone()
    hole[..., 3, 3] = torch.inf
    found = compared([depth, hole], depth, ones(8, 8), torch.ones(1))[0, 0]
    assert int((~found).sum()) == 9
    assert not found[2:5, 2:5].any()


def test_high_frequencies_are_what_a_gaussian_takes_out():
    """A sine of wavelength w mm keeps 1 - exp(-2 (pi sigma / w)^2) of its height."""
    size, spread = 200, 5.0
    x = torch.arange(size) * (WIDTH / size)
    for wave in (8.0, 30.0, 150.0):
        sine = torch.sin(2 * math.pi * x / wave).expand(1, 1, 40, size).contiguous()
        high = high_frequencies(sine, torch.ones_like(sine, dtype=torch.bool), spread)
        kept = 1 - math.exp(-2 * (math.pi * spread / wave) ** 2)
        middle = (..., slice(18, 22), slice(60, 140))
        assert (high[middle] - kept * sine[middle]).abs().max() < 0.02


def test_planes_have_no_high_frequencies_but_at_their_edge():
    slope = torch.arange(80.0).expand(1, 1, 80, 80).contiguous()
    inside = torch.ones_like(slope, dtype=torch.bool)
    assert high_frequencies(slope, inside)[..., 30:50, 30:50].abs().max() < 1e-3


def grooved(depth_of_groove):
    """A plane with one groove, 200 pixels: truth, relief."""
    x = torch.arange(200.0)
    relief = -depth_of_groove * torch.exp(-(((x - 100) / 2) ** 2))
    relief = relief.expand(1, 1, 60, 200).contiguous()
    return 50 - relief, relief


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_groove_found_in_part(share):
    truth, relief = grooved(0.5)
    depth = 50 - share * relief + 7  # some other origin
    inside, seen = torch.ones_like(depth, dtype=torch.bool), torch.ones_like(depth)
    found = detail_errors(depth, truth, relief, inside, seen, torch.ones(1))
    whole = detail_errors(truth - relief * 0 + relief, truth, relief, inside, seen, torch.ones(1))
    assert float(found.high_frequency) == pytest.approx(
        (1 - share) * float(whole.high_frequency), abs=1e-5
    )
    assert float(found.wrinkles / whole.wrinkles) == pytest.approx((1 - share) ** 2, abs=1e-4)
    assert float(found.carved / found.energy) == pytest.approx(share, abs=1e-4)
    assert float(found.normals) == pytest.approx((1 - share) * float(whole.normals), abs=0.02)


def test_what_is_covered_is_measured_apart():
    truth, relief = grooved(0.5)
    seen = torch.ones_like(truth)
    seen[..., 90:110] = 0
    inside = torch.ones_like(truth, dtype=torch.bool)
    found = detail_errors(truth + relief, truth, relief, inside, seen, torch.ones(1))
    assert float(found.covered) > 5 * float(found.high_frequency) > 0


def test_faces_without_pixels_are_nan_and_bad_shapes_refused():
    truth, relief = grooved(0.5)
    nowhere = torch.zeros_like(truth, dtype=torch.bool)
    found = detail_errors(truth, truth, relief, nowhere, torch.ones_like(truth), torch.ones(1))
    assert all(bool(value.isnan().all()) for value in vars(found).values())
    hole = truth.masked_fill(truth > 0, torch.inf)
    with pytest.raises(DetailError, match="finite"):
        detail_errors(hole, truth, relief, ~nowhere, torch.ones_like(truth), torch.ones(1))
    with pytest.raises(DetailError, match="expected"):
        slope_loss(truth, truth[..., 1:], relief, torch.ones(1))
