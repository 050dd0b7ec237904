"""Gauss-Newton on iteratively reweighted least squares, from coarse to fine (section 3).

Each step weighs the pixels' residuals anew, so that the squares have the energy's slope, solves
the normal equations, and is taken if the energy falls; Marquardt's damping keeps it short where
they mislead. What is seen, and how normals turn with the shape, are found anew every few steps.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from visage.faces.fitting.steps import bounded_step
from visage.texture.fit_jacobians import linearised_landmarks, linearised_photo
from visage.texture.fit_light import guess_light, light_prior
from visage.texture.fit_pyramid import PyramidLevel
from visage.texture.fit_terms import DISTANCE_STD, Energy, Sight, polynomials, reweighted
from visage.texture.fit_unknowns import (
    CAMERA,
    IDENTITY,
    LIGHT,
    SHAPE,
    USUAL_DISTANCE,
    FitUnknowns,
)

_NEGLIGIBLE = 1e-7  # what the energy says nothing of stays where it is
_LIT = slice(SHAPE + CAMERA, SHAPE + CAMERA + LIGHT)


class Solver:
    """Lowers the energy of one picture."""

    def __init__(self, energy: Energy, levels: tuple[PyramidLevel, ...]):
        self.energy, self.levels, self.config = energy, levels, energy.config
        self.surface = energy.surface
        components = self.surface.basis.shape[2]
        self.size = SHAPE + CAMERA + LIGHT + components
        self.precision = self._precision()

    def run(self, unknowns: FitUnknowns) -> tuple[FitUnknowns, list[float]]:
        """Landmarks, then level by level.

        Returns:
            unknowns: of the lowest energy found.
            history: the energy after each step, of the level it was taken on.
        """
        config = self.config
        unknowns, _ = self._level(
            unknowns, self.levels[0], config.pixels[0], config.landmark_steps, photo=False
        )
        unknowns = self.lit(unknowns, self.levels[0])
        history = []
        for level, count, steps in zip(self.levels, config.pixels, config.steps, strict=True):
            unknowns, energies = self._level(unknowns, level, count, steps, photo=True)
            history += energies
        return unknowns, history

    def lit(self, unknowns: FitUnknowns, level: PyramidLevel) -> FitUnknowns:
        """With the light that explains the picture best, the albedo as it is: least squares."""
        surface = self.surface
        sight = self.energy.sight(unknowns, level, self.config.pixels[0])
        if not len(sight.points):
            return unknowns
        vertices = unknowns.vertices(surface.model)[0]
        places = unknowns.camera.project(sight.points.of(vertices[surface.used])[None])
        colours = level.at(places[0, :, :2])[0].clamp(0, 1)
        normals = surface.point_normals(sight.points, surface.normals(vertices))[0]
        basis = polynomials(unknowns.camera.turn(normals[None])[0])
        light = guess_light(colours, surface.albedo(sight.points, unknowns.albedo[0]), basis)
        return replace(unknowns, light=light[None])

    def _level(
        self, unknowns: FitUnknowns, level: PyramidLevel, count: int, steps: int, *, photo: bool
    ) -> tuple[FitUnknowns, list[float]]:
        config, history, idle = self.config, [], 0
        damping = unknowns.shape.new_full((1,), config.damping)
        for step in range(steps):
            if step % config.refresh == 0:
                sight = self.energy.sight(unknowns, level, count)
                photo = photo and len(sight.points) > 0
                turning = self._turning(unknowns) if photo else None
                now = self.energy(unknowns, sight, photo=photo)
                moved = True
            if moved:
                matrix, right = self.normal_equations(unknowns, sight, turning)
            actions = slice(IDENTITY, SHAPE)
            change = bounded_step(matrix, right, damping, unknowns.expression, actions)
            change = change.to(unknowns.shape)
            if not photo:
                change = torch.nn.functional.pad(change, (0, self.size - change.shape[1]))
            tried = unknowns.cautiously_moved(change)
            found = self.energy(tried, sight, photo=photo)
            moved = bool(found < now)
            gain = float(now - found)
            damping = (damping * (0.3 if moved else 6)).clamp(1e-6, 1e3)
            if moved:
                unknowns, now = tried, found
            history.append(float(now))
            idle = idle + 1 if gain < config.enough * float(now) else 0
            if idle == 3:
                break
        return unknowns, history

    def _turning(self, unknowns: FitUnknowns) -> Tensor:
        return self.surface.turning(unknowns.vertices(self.surface.model)[0])[1]

    def normal_equations(
        self, unknowns: FitUnknowns, sight: Sight, turning: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Half of E's second derivatives (1, P, P), Gauss and Newton's, and of its slope (1, P).

        The slope is downhill. Without `turning` there are only the columns that landmarks know.
        """
        config = self.config
        vertices = unknowns.vertices(self.surface.model)[0]
        size = self.size if turning is not None else SHAPE + CAMERA
        matrix = config.w_reg * self.precision[:size, :size]
        right = -(matrix @ self._away(unknowns)[:size])
        residual, jacobian = linearised_landmarks(self.surface, unknowns, vertices, sight)
        last = jacobian.shape[1]
        weight = residual.new_full((136,), config.w_lan) / sight.counted.sum()
        found = _squares(residual[:, None], jacobian[:, None], weight)
        matrix[:last, :last] += found[0]
        right[:last] -= found[1]
        if turning is not None:
            residual, jacobian = linearised_photo(self.surface, unknowns, vertices, sight, turning)
            weight = config.w_c * reweighted(residual, config.least) / len(residual)
            found = _squares(residual, jacobian, weight)
            matrix += found[0]
            right -= found[1]
        return matrix[None], right[None]

    def _precision(self) -> Tensor:
        """(P, P), float64: E_reg is a square form of it."""
        prior = self.surface.priors.expression
        diagonal = torch.ones(self.size, dtype=torch.float64)
        diagonal[SHAPE : SHAPE + CAMERA] = _NEGLIGIBLE
        diagonal[SHAPE + CAMERA - 1] = 1 / DISTANCE_STD**2
        precision = torch.diag(diagonal)
        precision[IDENTITY:SHAPE, IDENTITY:SHAPE] = prior.precision.double()
        precision[_LIT, _LIT] = light_prior().precision
        return precision.to(self.surface.basis.device)

    def _away(self, unknowns: FitUnknowns) -> Tensor:
        """(P,), float64, of what E_reg is a square form."""
        away = self.precision.new_zeros(self.size)
        away[:IDENTITY] = unknowns.identity[0].double()
        prior = self.surface.priors.expression
        away[IDENTITY:SHAPE] = (unknowns.expression[0] - prior.mean.to(unknowns.shape)).double()
        away[SHAPE + CAMERA - 1] = (unknowns.camera.distance[0] / USUAL_DISTANCE).log().double()
        away[_LIT] = unknowns.light[0].flatten().double() - light_prior().mean.to(away)
        away[SHAPE + CAMERA + LIGHT :] = unknowns.albedo[0].double()
        return away


def _squares(residual: Tensor, jacobian: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """JᵀWJ (P, P) and JᵀWr (P,), float64, of residuals (N, C) with weights (N,)."""
    root = weight.sqrt()[:, None]
    scaled = (jacobian * root[..., None]).flatten(0, 1)
    return (scaled.T @ scaled).double(), ((residual * root).flatten() @ scaled).double()
