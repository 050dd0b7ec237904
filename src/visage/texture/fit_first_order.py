"""The baseline of the model fit: the same energy, lowered by Adam through the same renderer.

Autograd differentiates `Energy` by all unknowns, in units of what each usually varies by, so that
one rate suits them all; facial actions are kept in [0, 1]. As with Gauss and Newton's steps, what
is seen is found anew now and then, and the levels go from coarse to fine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.texture.fit_pyramid import PyramidLevel
from visage.texture.fit_terms import DISTANCE_STD, Energy
from visage.texture.fit_unknowns import IDENTITY, LIGHT, SHAPE, FitUnknowns

_UNITS = (1.0, 0.1, 0.05, 2.0, 0.02, DISTANCE_STD, 0.15, 1.0)
"""Of identity, expression, turn (radians), shift (mm), scale, distance, light and albedo."""


@dataclass(frozen=True)
class FirstOrderConfig:
    """How the baseline goes; chosen on validation people, so that it is at its best."""

    steps: tuple[int, ...] = (600, 300, 100)  # a level, at most
    rate: float = 0.25  # units a step, at first; falls to a tenth along a cosine, level by level
    refresh: int = 15  # steps until what is seen is found anew
    look: int = 10  # steps between looks at how low the energy is


@dataclass(frozen=True, eq=False)
class Descent:
    """How the baseline went."""

    unknowns: FitUnknowns
    seconds: float  # spent on steps, not on looks
    energies: tuple[tuple[float, float], ...]  # seconds, and the finest level's energy, at looks
    reached: bool  # whether it is as low as was asked


def finest_energy(energy: Energy, levels: tuple[PyramidLevel, ...], unknowns: FitUnknowns) -> float:
    """E at the finest level, over what is seen there: what both solvers are compared by."""
    with torch.no_grad():
        sight = energy.sight(unknowns, levels[-1], energy.config.pixels[-1])
        return float(energy(unknowns, sight))


def descend(
    energy: Energy,
    levels: tuple[PyramidLevel, ...],
    start: FitUnknowns,
    config: FirstOrderConfig,
    target: float | None = None,
) -> Descent:
    """Lower the energy of one picture by Adam (Kingma and Ba 2015).

    Args:
        energy: of the picture.
        levels: from coarse to fine, as many as `config.steps`.
        start: from where.
        config: how.
        target: the finest level's energy at which to stop; None goes on to the end.
    """
    spent, looks = 0.0, []
    for level, count, steps in zip(levels, energy.config.pixels, config.steps, strict=True):
        units = _units(start)
        moved = torch.zeros(1, len(units), dtype=units.dtype, device=units.device)
        moved.requires_grad_(True)
        optimiser = torch.optim.Adam([moved], config.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimiser, max(1, steps), 0.1 * config.rate
        )
        sight = None
        for step in range(steps):
            began = time.perf_counter()
            if step % config.refresh == 0:
                sight = energy.sight(_at(start, moved.detach(), units), level, count)
            optimiser.zero_grad()
            energy(_at(start, moved, units), sight).backward()
            optimiser.step()
            schedule.step()
            _bounded(start, moved, units)
            spent += time.perf_counter() - began
            if step % config.look == config.look - 1:
                now = _at(start, moved.detach(), units)
                looks.append((spent, finest_energy(energy, levels, now)))
                if target is not None and looks[-1][1] <= target:
                    return Descent(now, spent, tuple(looks), reached=True)
        start = _at(start, moved.detach(), units)
    return Descent(start, spent, tuple(looks), reached=False)


def _at(start: FitUnknowns, moved: Tensor, units: Tensor) -> FitUnknowns:
    return start.moved(moved * units)


def _bounded(start: FitUnknowns, moved: Tensor, units: Tensor) -> None:
    """Keep facial actions in [0, 1], in place."""
    actions = slice(IDENTITY, SHAPE)
    with torch.no_grad():
        strength = start.expression + moved[:, actions] * units[actions]
        moved[:, actions] = (strength.clamp(0, 1) - start.expression) / units[actions]


def _units(unknowns: FitUnknowns) -> Tensor:
    """(P,)."""
    components = unknowns.albedo.shape[1]
    counts = (IDENTITY, SHAPE - IDENTITY, 3, 2, 1, 1, LIGHT, components)
    parts = [torch.full((n,), unit) for n, unit in zip(counts, _UNITS, strict=True)]
    return torch.cat(parts).to(unknowns.shape)
