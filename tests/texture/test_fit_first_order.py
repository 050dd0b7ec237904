"""The baseline that steps are compared with."""

import pytest
import torch

from tests.texture.drawn_head import drawn_head
from visage.texture.fit_config import FitConfig
from visage.texture.fit_first_order import FirstOrderConfig, descend, finest_energy
from visage.texture.fit_pyramid import pyramid
from visage.texture.fit_solver import Solver
from visage.texture.fit_surface import shipped_surface
from visage.texture.fit_terms import Energy
from visage.texture.fit_unknowns import start_from_landmarks

CONFIG = FitConfig(steps=(6, 2), pixels=(200, 300), detector=False)


@pytest.fixture(scope="module")
def problem():
    head, surface = drawn_head(), shipped_surface()
    energy = Energy(surface, head.landmarks[0], CONFIG, unit=100.0)
    levels = pyramid(head.image[0], None, 2, CONFIG.blur)
    usual = surface.priors.expression.mean
    start = start_from_landmarks(surface.model, head.landmarks, 160, 160, usual, 30)
    return energy, levels, start


def test_baseline_lowers_the_same_energy_more_slowly(problem):
    energy, levels, start = problem
    found, _ = Solver(energy, levels).run(start)
    config = FirstOrderConfig(steps=(20, 10), rate=0.05, look=5)
    went = descend(energy, levels, start, config)
    first, last = finest_energy(energy, levels, start), went.energies[-1][1]
    assert last < 0.5 * first
    assert finest_energy(energy, levels, found) < last
    assert len(went.energies) == 6
    assert not went.reached
    assert not went.unknowns.shape.requires_grad
    assert float(went.unknowns.expression.min()) >= -1e-6


def test_baseline_stops_where_it_is_told(problem):
    energy, levels, start = problem
    easy = 0.9 * finest_energy(energy, levels, start)
    went = descend(energy, levels, start, FirstOrderConfig(steps=(40, 0), look=2), easy)
    assert went.reached
    assert went.energies[-1][1] <= easy
    assert len(went.energies) < 20
    assert went.seconds == went.energies[-1][0]


def test_same_start_same_end(problem):
    energy, levels, start = problem
    ends = [
        descend(energy, levels, start, FirstOrderConfig(steps=(3, 0))).unknowns for _ in range(2)
    ]
    assert torch.equal(ends[0].shape, ends[1].shape)
