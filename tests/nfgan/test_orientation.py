"""Orientation selectivity of filters that are known."""

import math

import pytest
import torch

from visage.nfgan.orientation import (
    DIRECTIONS,
    FREQUENCIES,
    OrientationError,
    active,
    grating_answers,
    orientation_selectivity,
)

EDGE = torch.tensor([-1.0, 0.0, 1.0]).expand(1, 1, 3, 3)
BAR = torch.tensor([-1.0, 2.0, -1.0]).expand(1, 1, 3, 3)
BLOB = torch.ones(1, 1, 3, 3)
RING = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])[None, None]


def _gabor(theta: float, size: int = 11) -> torch.Tensor:
    place = torch.arange(size).double() - size // 2
    y, x = torch.meshgrid(place, place, indexing="ij")
    wave = torch.cos(2 * math.pi * 0.17 * (x * math.cos(theta) + y * math.sin(theta)))
    return (wave * torch.exp(-(x**2 + y**2) / 12)).float()[None, None]


def test_answers_are_amplitudes_to_gratings_of_any_phase():
    """No phase of a grating moves a filter more than its answer, and one moves it as much."""
    generator = torch.Generator().manual_seed(0)
    kernel = torch.randn(1, 1, 5, 5, generator=generator)
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(5.0), indexing="ij")
    direction = 7
    theta = direction * math.pi / DIRECTIONS
    along = x * math.cos(theta) + y * math.sin(theta)
    best = []
    for frequency in FREQUENCIES:
        phases = torch.linspace(0, 2 * math.pi, 721)[:, None, None]
        waves = torch.cos(2 * math.pi * frequency * along + phases)
        best.append(float((waves * kernel[0]).sum((1, 2)).abs().max()))
    answer = float(grating_answers(kernel)[0, direction])
    assert min(abs(answer - value) for value in best) < 1e-3 * answer


def test_known_filters():
    found = orientation_selectivity(torch.cat([BLOB, RING, EDGE, BAR]))
    assert found[:2].max() < 1e-6
    assert found[2] == pytest.approx(0.428, abs=2e-3)
    assert found[3] > found[2]


@pytest.mark.parametrize("theta", [0.0, 0.4, 1.3, 2.5])
def test_a_gabor_answers_to_its_own_direction(theta):
    gabor = _gabor(theta)
    assert orientation_selectivity(gabor) > 0.7
    preferred = float(grating_answers(gabor)[0].argmax()) * math.pi / DIRECTIONS
    apart = abs(preferred - theta) % math.pi
    assert min(apart, math.pi - apart) <= math.pi / DIRECTIONS


def test_neither_gain_nor_sign_matter():
    kernels = torch.randn(5, 1, 3, 3, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(
        orientation_selectivity(kernels), orientation_selectivity(-3 * kernels), atol=1e-6
    )


def test_a_quarter_turn_does_not_matter():
    kernels = torch.randn(8, 1, 3, 3, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(
        orientation_selectivity(kernels), orientation_selectivity(kernels.rot90(1, (2, 3))),
        atol=1e-5,
    )  # fmt: skip


def test_a_filter_that_is_zero_is_neither_oriented_nor_active():
    kernels = torch.cat([EDGE, torch.zeros(1, 1, 3, 3), 0.01 * EDGE])
    assert orientation_selectivity(kernels)[1] == 0
    assert active(kernels).tolist() == [True, False, False]


def test_other_shapes_are_refused():
    with pytest.raises(OrientationError, match="expected"):
        grating_answers(torch.zeros(3, 3))
