"""Equation 1: E = w_c E_c + w_lan E_lan + w_reg E_reg, and what its sums run over.

Differentiable in the unknowns, whatever computes them: the solver takes steps by the Jacobians of
`fit_jacobians`, the first-order baseline lets autograd differentiate the very same energy.

What the paper leaves open, and what is done here:

- E_c's norm is not squared (as in Thies et al. 2016, on which the paper builds): a sum of norms is
  what iteratively *reweighted* least squares is for. Colours are sRGB-encoded, in [0, 1].
- E_lan is in pixels of a picture whose size is not said. Here a unit is 150 mm at the head, about
  a face, so that neither resolution nor crop matters. A detector's points have a
  bias, known from training people, which is taken off, and their errors hang together, so that
  differences are whitened by their covariance (scaled to their mean variance). Beyond 33 degrees of
  yaw the jaw's points, which a detector sets anywhere on the outline, are left out of F, and the
  others count less.
- M are the pixels that show the face's front and that the mask leaves. A pixel's place on the
  skin is held while the face moves under it, so that derivatives are the picture's.
- E_reg takes the expressions' mean and covariance (facial actions do not vary round zero, nor
  independently), and holds the camera's distance to those from which faces are photographed:
  a picture hardly tells it.
- The albedo model is of logarithms (`visage.faces.fitting.albedo_model`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.camera import Perspective
from visage.faces.directions import unit
from visage.faces.harmonics import shading_factors
from visage.faces.raster import barycentric, z_buffer
from visage.faces.reflectance import encode_srgb
from visage.texture.fit_config import FitConfig
from visage.texture.fit_light import light_prior
from visage.texture.fit_pyramid import PyramidLevel
from visage.texture.fit_surface import FitSurface, Points
from visage.texture.fit_unknowns import USUAL_DISTANCE, FitUnknowns

DARKEST = 0.02
"""Shading is not lower: order 2 can be negative, light cannot."""

DISTANCE_STD = 0.42
"""Of the logarithm of the distance: evenly drawn between 700 and 3,000 mm."""

_LATTICE = (0.7548776662466927, 0.5698402909980532)  # 1/p and 1/p², p³ = p + 1

_FAR = 0.58  # radians of yaw, beyond which dlib's contour is centimetres off, on either side
_SLIGHT = 0.35  # radians of yaw, up to which it is to be trusted
_JAW = [*range(8), *range(9, 17)]  # without the chin's tip


@dataclass(frozen=True, eq=False)
class Sight:
    """What the energy's sums run over, constant for a few steps."""

    level: PyramidLevel
    points: Points  # M
    chosen: Tensor  # (68,) int64, the landmarks' vertices
    counted: Tensor  # (68,) bool, those in F
    targets: Tensor  # (68, 2), pixels, f less the detector's bias
    weigh: Tensor  # (136, 136), from differences in pixels, x and y in turn, to E_lan's unit


@dataclass(frozen=True, eq=False)
class Shaded:
    """What the model shows at N points."""

    colours: Tensor  # (N, 3), sRGB
    linear: Tensor  # (N, 3)
    albedo: Tensor  # (N, 3), linear
    shading: Tensor  # (N, 3), not clamped
    polynomials: Tensor  # (N, 9), of the normal


def polynomials(normals: Tensor) -> Tensor:
    """1, y, z, x, xy, yz, 3z²-1, xz, x²-y² (N, 9) of normals (N, 3): order 2 up to factors."""
    x, y, z = normals.unbind(1)
    parts = [torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    return torch.stack(parts, 1)


def shaded(
    surface: FitSurface, points: Points, normals: Tensor, light: Tensor, albedo: Tensor
) -> Shaded:
    """C_synth: Lambertian, I(α_al) times the shading by order 2 of harmonics.

    Args:
        surface: the face.
        points: N of it.
        normals: (N, 3), unit vectors, view frame.
        light: (9, 3).
        albedo: (K,), coefficients.
    """
    basis = polynomials(normals)
    shading = basis @ shading_factors(light[None])[0]
    reflected = surface.albedo(points, albedo)
    linear = reflected * shading.clamp(min=DARKEST)
    return Shaded(encode_srgb(linear), linear, reflected, shading, basis)


@dataclass(frozen=True, eq=False)
class Energy:
    """Equation 1 for one picture."""

    surface: FitSurface
    landmarks: Tensor  # (68, 2), pixels, f
    config: FitConfig
    unit: float  # pixels, of E_lan

    def __call__(self, unknowns: FitUnknowns, sight: Sight, *, photo: bool = True) -> Tensor:
        """E, without E_c if not `photo`; a scalar, differentiable in the unknowns."""
        config, vertices = self.config, unknowns.vertices(self.surface.model)[0]
        distances = self.landmark_residual(unknowns, vertices, sight)
        landmark = distances.square().sum() / sight.counted.sum()
        total = config.w_lan * landmark + config.w_reg * self.regularisation(unknowns)
        if photo:
            residual = self.photo_residual(unknowns, vertices, sight)
            total = total + config.w_c * smooth_norm(residual, config.least).mean()
        return total

    def photo_residual(self, unknowns: FitUnknowns, vertices: Tensor, sight: Sight) -> Tensor:
        """C_input - C_synth (N, 3) at the points, sRGB, for vertices (V, 3)."""
        surface, points, camera = self.surface, sight.points, unknowns.camera
        places = points.of(vertices[surface.used])[None]
        seen = sight.level.at(camera.project(places)[0, :, :2])[0]
        normals = surface.point_normals(points, surface.normals(vertices))[0]
        turned = camera.turn(normals[None])[0]
        return seen - shaded(
            surface, points, turned, unknowns.light[0], unknowns.albedo[0]
        ).colours  # fmt: skip

    def landmark_residual(self, unknowns: FitUnknowns, vertices: Tensor, sight: Sight) -> Tensor:
        """The landmarks' differences f - Π(R V + t) (136,), weighed, for vertices (V, 3)."""
        found = unknowns.camera.project(vertices[sight.chosen][None])[0, :, :2]
        return sight.weigh @ (sight.targets - found).flatten()

    def regularisation(self, unknowns: FitUnknowns) -> Tensor:
        """E_reg; a scalar."""
        away = unknowns.expression[0] - self.surface.priors.expression.mean.to(unknowns.shape)
        other = unknowns.light[0].flatten() - light_prior().mean.to(away)
        far = (unknowns.camera.distance[0] / USUAL_DISTANCE).log() / DISTANCE_STD
        return (
            unknowns.identity.square().sum()
            + unknowns.albedo.square().sum()
            + away @ self.surface.priors.expression.precision.to(away) @ away
            + other @ light_prior().precision.to(away) @ other
            + far.square()
        )

    @torch.no_grad()
    def sight(self, unknowns: FitUnknowns, level: PyramidLevel, count: int) -> Sight:
        """What is seen now: at most `count` points, and which landmarks count."""
        vertices = unknowns.vertices(self.surface.model)
        yaw = unknowns.camera.angles[:, 1]
        counted = torch.ones(68, dtype=torch.bool, device=vertices.device)
        if yaw.abs() > _FAR:
            counted[_JAW] = False
        oblique = self.config.oblique
        points = seen_points(self.surface, unknowns.camera, vertices, level, count, oblique)
        chosen = self.surface.model.landmark_vertices(yaw)[0]
        targets, weigh = self._landmarks(unknowns.camera, counted)
        return Sight(level, points, chosen, counted, targets, weigh)

    def _landmarks(self, camera: Perspective, counted: Tensor) -> tuple[Tensor, Tensor]:
        """Targets (68, 2), pixels, and what weighs differences from them, (136, 136)."""
        both = counted.repeat_interleave(2)
        if not self.config.detector:
            return self.landmarks, torch.diag(both.to(self.landmarks) / self.unit)
        # Bias and covariance were measured on upright faces, in mm to the right and up.
        statistics = self.surface.priors.landmarks
        scale, roll = float(camera.focal / camera.distance), float(camera.angles[0, 2])
        cosine, sine = math.cos(roll), math.sin(roll)
        turn = self.landmarks.new_tensor([[cosine, -sine], [-sine, -cosine]])  # its own inverse
        targets = self.landmarks - scale * statistics.mean.to(turn) @ turn.T
        whiten = _whitening(statistics.covariance, both).to(turn)
        # Detectors see turned heads less turned than they are.
        doubt = min(max(float(camera.angles[0, 1].abs()) - _SLIGHT, 0) / (_FAR - _SLIGHT), 1)
        length = self.unit * (1 + (self.config.turned - 1) * doubt)
        weigh = (whiten.view(136, 68, 2) @ turn).flatten(1) / length
        return targets, weigh


def _whitening(covariance: Tensor, counted: Tensor) -> Tensor:
    """W (136, 136) with WᵀW = v Σ⁻¹ over what is counted (136,), v its mean variance; else zero."""
    kept = counted.nonzero()[:, 0].to(covariance.device)
    some = covariance.double()[kept[:, None], kept]
    factor = torch.linalg.inv(torch.linalg.cholesky(some))
    whiten = torch.zeros_like(covariance, dtype=torch.float64)
    whiten[kept[:, None], kept] = factor * some.diagonal().mean().sqrt()
    return whiten


def smooth_norm(residual: Tensor, least: float) -> Tensor:
    """‖r‖ (N,) of residuals (N, 3), quadratic below `least` (Huber 1964), where it has a kink.

    >>> smooth_norm(torch.tensor([[0.0, 0.0, 0.0], [0.0, 3.0, 4.0]]), 1.0)
    tensor([0.5000, 5.0000])
    """
    square = residual.square().sum(1)
    inside = square < least**2
    root = torch.where(inside, least**2, square).sqrt()
    return torch.where(inside, (square / least + least) / 2, root)


def reweighted(residual: Tensor, least: float) -> Tensor:
    """Weights (N,) for which Σ w ‖r‖² has the derivative of Σ `smooth_norm`: 1/(2‖r‖)."""
    return 0.5 / residual.norm(dim=1).clamp(min=least)


def seen_points(
    surface: FitSurface, camera: Perspective, vertices: Tensor, level: PyramidLevel, count: int,
    oblique: float,
) -> Points:  # fmt: skip
    """The places on the face that a level's pixels see, evenly thinned out to `count`.

    Args:
        surface: the face.
        camera: of one picture.
        vertices: (1, V, 3) mm.
        level: whose pixels, and whose mask.
        count: at most.
        oblique: cosine between a triangle's normal and the view, from which it counts.
    """
    projected = camera.project(vertices)
    places = torch.cat([level.places(projected[..., :2]), projected[..., 2:]], 2)
    ids, _ = z_buffer(places, surface.drawn, *level.size, perspective=True)
    view = camera.view(vertices)[0]
    a, b, c = (view[corner] for corner in surface.drawn.unbind(1))
    facing = (unit(torch.linalg.cross(b - a, c - a)) * unit(-a)).sum(1) > oblique
    compared = torch.cat([surface.face & facing, facing.new_zeros(1)])  # the last is background
    pixels = (compared[ids[0].long()] & level.clear).flatten().nonzero()[:, 0]
    pixels = thinned(pixels, ids.shape[-1], count)
    few = torch.full_like(ids.flatten(), -1)
    few[pixels] = ids.flatten()[pixels]
    weights = barycentric(places, surface.drawn, few.view_as(ids), perspective=True)
    corners = surface.place[surface.drawn[few[pixels].long()]]
    return Points(corners, weights.flatten(0, 2)[pixels].to(vertices))


def thinned(pixels: Tensor, width: int, count: int) -> Tensor:
    """At most `count` of some pixels, spread evenly, in order.

    Pixels have a fixed rank in the plane, by the lattice of the plastic number (Roberts 2018), of
    which those that come first are kept. One pixel more or less then changes one place, where
    every so-and-so-manieth pixel of a row-by-row count would move all that follow; a fit would
    jump between two sets of places for the last digit of an edge.

    Args:
        pixels: (M,) int64, row by row.
        width: of the picture.
        count: at most.

    >>> thinned(torch.arange(16), 4, 4)
    tensor([ 0,  6,  8, 14])
    """
    if len(pixels) <= count:
        return pixels
    x, y = (pixels % width).double(), (pixels // width).double()
    rank = (_LATTICE[0] * x + _LATTICE[1] * y) % 1
    return pixels[rank.argsort(stable=True)[:count]].sort().values
