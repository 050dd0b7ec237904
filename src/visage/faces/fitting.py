"""Analysis by synthesis: from a picture to the head, the pose, the light and the albedo.

A fit looks for the most probable answer (Blanz and Vetter 1999): what dlib's 68 landmarks and the
picture's pixels say, each weighed by how wrong it is on sampled people whose answers are known, and
what people, expressions, lights and skins are like. Weak perspective, order 2 of spherical
harmonics for the surroundings, and one key light with its shadows.

All unknowns (200 to 250 numbers) move together, by Levenberg's and Marquardt's damped Gauss-Newton
steps; the pixels count little at first, and then more and more, because far from the answer their
derivatives mislead. Which points are seen, and shadows, are found anew every few steps.

Weak perspective cannot see size: a head twice as large and half as magnified gives the same
picture. The size of the answer is what people of such proportions have on average.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.faces.fitting_landmarks import linearise_landmarks
from visage.faces.fitting_light import light_numbers, light_prior, mean_light, search_light
from visage.faces.fitting_pixels import Appearance, Linearised, Pictures, PixelTerm, Sight
from visage.faces.fitting_priors import FittingPriors
from visage.faces.fitting_surface import SurfacePoints, shape_directions, spread_points
from visage.faces.fitting_unknowns import POSE, FittingError, Unknowns, pose_of_mean
from visage.faces.light import Light
from visage.faces.raster import z_buffer
from visage.faces.reflectance import decode_srgb
from visage.faces.shadow import key_visibility, shadow_map
from visage.faces.shape import MorphableModel

__all__ = ["Fit", "FittingConfig", "FittingError", "fit_faces", "unexplained"]

_BEHIND = 2.5  # mm that a point may lie behind what is drawn at its pixel: half a triangle
_SATURATED = 0.985
_NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class FittingConfig:
    """How a fit goes; chosen on the world's validation people."""

    landmark_weight: float = 0.5  # below 1: their errors are not quite normal, and have outliers
    landmark_steps: int = 12  # before the pixels count
    pixel_weights: tuple[float, ...] = (0.03, 0.1, 0.3)  # one a level; neighbours are not
    # independent, nor are colours, so that each pixel is worth less than a whole one.
    blur: tuple[float, ...] = (1.0, 1.0, 0.7)  # mm; more would mix the face with what is around it
    steps: tuple[int, ...] = (10, 10, 16)  # a level; the last gains little from more
    refresh: int = 4  # steps until visibility and shadows are found anew; derivatives every other
    robust: float = 2.0  # standard deviations at which a point counts a quarter
    oblique: float = 0.15  # cosine below which a surface is not compared: outlines are unsure
    key_radii: tuple[float, ...] = (0.02, 0.08, 0.18, 0.35, 0.6)  # radians, tried after level one
    first_radius: float = 0.14  # until then
    damping: float = 1e-3  # of the first step

    def __post_init__(self):
        if not len(self.pixel_weights) == len(self.blur) == len(self.steps):
            raise FittingError(
                f"{len(self.pixel_weights)} pixel weights, {len(self.blur)} blurs and "
                f"{len(self.steps)} counts of steps; give as many of each"
            )


DEFAULT = FittingConfig()


@dataclass(frozen=True, eq=False)
class Fit:
    """What was found in B pictures."""

    identity: Tensor  # (B, 80), standard deviations
    expression: Tensor  # (B, 52), in [0, 1]
    camera: WeakPerspective
    light: Light
    albedo: Tensor  # (B, K), standard deviations of the albedo model
    history: Tensor  # (B, steps), cost, falling within a level; each level weighs the pixels anew

    def __len__(self) -> int:
        """Pictures."""
        return len(self.identity)

    def vertices(self, model: MorphableModel) -> Tensor:
        """The heads (B, V, 3), mm, head frame."""
        return model.vertices(self.identity, self.expression)


@torch.no_grad()
def fit_faces(
    images: Tensor,
    landmarks: Tensor,
    model: MorphableModel,
    priors: FittingPriors,
    config: FittingConfig = DEFAULT,
) -> Fit:
    """Fit the model to pictures, together but independently.

    Args:
        images: (B, 3, H, W), sRGB, in [0, 1].
        landmarks: (B, 68, 2), pixels, as the detector finds them of which `priors` know.
        model: the morphable model, not subdivided.
        priors: what is known beforehand, as `visage.faces.fitting_study` learns it.
        config: how.

    Returns:
        Fit; about a second a picture on one core.

    Raises:
        FittingError: a shape does not fit, landmarks hold NaN or no face, or no face in the frame.
    """
    problem = _Problem(images, landmarks, model, priors, config)
    unknowns, history = problem.run(problem.start(), config.landmark_steps, None)
    for level, weight in enumerate(config.pixel_weights):
        term = problem.term(unknowns, config.blur[level], weight)
        if level == 0:
            unknowns = problem.lit(unknowns, term)
        unknowns, costs = problem.run(unknowns, config.steps[level], term)
        history += costs
        if level == 0:
            unknowns = problem.softened(unknowns, term)
    modes = len(model.identity_basis)
    identity, expression = unknowns.shape.split([modes, len(model.expression_names)], 1)
    return Fit(identity, expression, unknowns.camera, unknowns.light, unknowns.albedo,
               torch.stack(history, 1))  # fmt: skip


@torch.no_grad()
def unexplained(
    images: Tensor,
    model: MorphableModel,
    priors: FittingPriors,
    identity: Tensor,
    expression: Tensor,
    camera: WeakPerspective,
    config: FittingConfig = DEFAULT,
) -> tuple[Tensor, Tensor]:
    """What light and albedo leave unexplained when shape and pose are known.

    Args:
        images: (B, 3, H, W), sRGB.
        model: the morphable model.
        priors: as `fit_faces` takes them.
        identity: (B, 80), the truth.
        expression: (B, 52), the truth.
        camera: the truth.
        config: how.

    Returns:
        residual: (B, S, 3), sRGB, picture minus prediction.
        seen: (B, S), in [0, 1].
    """
    corners = model.landmark_vertices(camera.angles[:, 1])[..., None].expand(-1, -1, 3)
    places = camera.project(model.vertices(identity, expression).gather(1, corners))[..., :2]
    problem = _Problem(images, places, model, priors, config, shape_known=True)
    start = problem.start()
    known = torch.cat([identity, expression], 1)
    unknowns = replace(start, shape=known, camera=camera)
    for level, weight in enumerate(config.pixel_weights):
        term = problem.term(unknowns, config.blur[level], weight)
        if level == 0:
            unknowns = problem.lit(unknowns, term)
        unknowns, _ = problem.run(unknowns, config.steps[level], term)
        if level == 0:
            unknowns = problem.softened(unknowns, term)
    sight = problem.sight(unknowns, term)
    found = problem.linearised(unknowns, term, sight)
    return found.residual.unflatten(1, (3, -1)).mT, sight.seen


class _Problem:
    """The sum of squares: terms, priors and the steps that lower it."""

    def __init__(self, images, landmarks, model, priors, config, *, shape_known=False):
        _check(images, landmarks)
        self.images, self.landmarks = images.float(), landmarks.float()
        self.model, self.priors, self.config = model, priors, config
        self.shape_known = shape_known
        self.points: SurfacePoints = spread_points(model, len(priors.pixels.std))
        mean = self.points.at(priors.albedo.mean[None])[0]
        basis = self.points.at(priors.albedo.basis).permute(1, 2, 0).contiguous()
        self.appearance = Appearance(mean, basis)
        self.directions = shape_directions(model)
        self.light = light_prior()
        # Lashes are strips of air: what is behind them is seen.
        self.drawn = model.triangles[: model.part_triangles["lashes"].start]
        self.sizes = [len(self.directions), POSE, 30, 2, len(priors.albedo.basis),
                      len(priors.pixels.patterns)]  # fmt: skip

    def start(self) -> Unknowns:
        """The mean face where the landmarks are, in an average light."""
        batch, _, height, width = self.images.shape
        shape, _, _, _, albedo, nuisance = (self.images.new_zeros(batch, n) for n in self.sizes)
        camera = pose_of_mean(self.model, self.landmarks, height, width)
        light = mean_light(batch, self.config.first_radius, self.light)
        return Unknowns(shape, camera, light, albedo, nuisance)

    def vertices(self, unknowns: Unknowns) -> Tensor:
        modes = len(self.model.identity_basis)
        return self.model.vertices(unknowns.shape[:, :modes], unknowns.shape[:, modes:])

    def term(self, unknowns: Unknowns, blur: float, weight: float) -> PixelTerm:
        pictures = Pictures(self.images, blur * unknowns.camera.scale)
        return PixelTerm(pictures, self.points, self.appearance, self.priors.pixels,
                         self.config.robust, weight)  # fmt: skip

    # Light

    def lit(self, unknowns: Unknowns, term: PixelTerm) -> Unknowns:
        """A first guess of the light."""
        vertices, camera = self.vertices(unknowns), unknowns.camera
        colours = term.pictures.at(self.points.at(camera.project(vertices))[..., :2])[0]
        normals = self._normals(unknowns, vertices)
        seen = self._seen(unknowns, vertices, normals, term)
        seen = seen * (colours > 0.02).all(1)
        albedo = self.appearance.albedo(unknowns.albedo)[..., 0]
        radius = unknowns.light.key_radius

        def shadowed(direction: Tensor) -> Tensor:
            return self._shadow(unknowns, vertices, normals, direction)

        light = search_light(decode_srgb(colours), albedo, normals, seen, shadowed, radius,
                             self.light)  # fmt: skip
        return replace(unknowns, light=light)

    def softened(self, unknowns: Unknowns, term: PixelTerm) -> Unknowns:
        """The radius of the key light that explains the picture best."""
        best = None
        sight = self.sight(unknowns, term)
        for radius in self.config.key_radii:
            radii = torch.full_like(unknowns.light.key_radius, radius)
            tried = replace(unknowns, light=replace(unknowns.light, key_radius=radii))
            vertices = self.vertices(tried)
            key = self._shadow(tried, vertices, self._normals(tried, vertices),
                               tried.light.key_direction)  # fmt: skip
            cost = self.linearised(tried, term, replace(sight, key=key)).cost
            if best is None:
                best, lowest = tried, cost
            best = tried.where(cost < lowest, best)
            lowest = torch.minimum(cost, lowest)
        return best

    # What is seen

    def sight(self, unknowns: Unknowns, term: PixelTerm, turning: Tensor | None = None) -> Sight:
        """Visibility and shadows now; the normals' derivative too, unless it is given."""
        vertices = self.vertices(unknowns)
        normals = self._normals(unknowns, vertices)
        if turning is None and not self.shape_known:
            turning = self.points.turning(vertices)
        return Sight(
            self._seen(unknowns, vertices, normals, term),
            self._shadow(unknowns, vertices, normals, unknowns.light.key_direction),
            turning,
        )

    def _normals(self, unknowns: Unknowns, vertices: Tensor) -> Tensor:
        """(B, 3, S, 1), view frame."""
        return unknowns.camera.turn(self.points.normals(vertices)).mT[..., None].contiguous()

    def _seen(self, unknowns, vertices, normals, term) -> Tensor:
        height, width = self.images.shape[2:]
        projected = unknowns.camera.project(vertices)
        depth = z_buffer(projected, self.drawn, height, width)[1].flatten(1)
        x, y, z = self.points.at(projected).unbind(2)
        column, row = x.round().long(), y.round().long()
        inside = (column >= 1) & (column < width - 1) & (row >= 1) & (row < height - 1)
        pixel = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        colours = term.pictures.at(torch.stack([x, y], 2))[0]
        clear = inside & (z < depth.gather(1, pixel) + _BEHIND) & (colours < _SATURATED).all(1)
        facing = (normals[:, 2, :, 0] - self.config.oblique) / 0.2
        return clear * facing.clamp(0, 1)

    def _shadow(self, unknowns, vertices, normals, direction) -> Tensor:
        view = unknowns.camera.view(vertices)
        shadows = shadow_map(view, self.drawn, direction)
        positions = self.points.at(view).mT[..., None].contiguous()
        return key_visibility(positions, normals, unknowns.light.key_radius, shadows)

    # Steps

    def run(
        self, unknowns: Unknowns, steps: int, term: PixelTerm | None
    ) -> tuple[Unknowns, list[Tensor]]:
        """Damped Gauss-Newton steps; those that do not lower the cost are not taken."""
        damping = self.images.new_full((len(unknowns),), self.config.damping)
        history, sight = [], None
        for step in range(steps):
            if step == 0 or (term is not None and step % self.config.refresh == 0):
                if term is not None:
                    known = step % (2 * self.config.refresh) != 0
                    sight = self.sight(unknowns, term, sight.turning if known else None)
                matrix, right, cost = self.normal_equations(unknowns, term, sight)
            tried = self.stepped(unknowns, matrix, right, damping)
            found = self.normal_equations(tried, term, sight)
            better = found[2] < cost
            unknowns = tried.where(better, unknowns)
            matrix = torch.where(better[:, None, None], found[0], matrix)
            right = torch.where(better[:, None], found[1], right)
            cost = torch.where(better, found[2], cost)
            damping = torch.where(better, 0.3 * damping, 5 * damping).clamp(1e-5, 1e3)
            history.append(cost)
        return unknowns, history

    def normal_equations(
        self, unknowns: Unknowns, term: PixelTerm | None, sight: Sight | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """JᵀWJ (B, P, P), JᵀWr (B, P) and the cost (B,), priors included."""
        matrix, right, cost = self._prior(unknowns, everything=term is not None)
        if not self.shape_known:
            jacobian, residual = self._landmark_term(unknowns)
            last = jacobian.shape[2]
            weight = self.config.landmark_weight
            matrix[:, :last, :last] += weight * jacobian.mT @ jacobian
            right[:, :last] += weight * (residual[:, None] @ jacobian)[:, 0]
            cost = cost + weight * residual.square().sum(1)
        if term is not None:
            found = self.linearised(unknowns, term, sight)
            first = matrix.shape[1] - found.jacobian.shape[2]
            weighted = found.jacobian * found.weight[..., None]
            matrix[:, first:, first:] += weighted.mT @ found.jacobian
            right[:, first:] += (found.residual[:, None] @ weighted)[:, 0]
            cost = cost + found.cost
        return matrix, right, cost

    def linearised(self, unknowns: Unknowns, term: PixelTerm, sight: Sight) -> Linearised:
        return term.linearise(unknowns, self.vertices(unknowns), sight)

    def _landmark_term(self, unknowns: Unknowns) -> tuple[Tensor, Tensor]:
        camera = unknowns.camera
        chosen = self.model.landmark_vertices(camera.angles[:, 1])
        corners = self.vertices(unknowns).gather(1, chosen[..., None].expand(-1, -1, 3))
        moving = self.directions[:, chosen].permute(1, 2, 3, 0)
        return linearise_landmarks(camera, corners, moving, self.landmarks, self.priors.landmarks)

    def _prior(self, unknowns: Unknowns, *, everything: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The priors' normal equations; with `everything`, of light and albedo too."""
        modes, expression = len(self.model.identity_basis), self.priors.expression
        size = sum(self.sizes) if everything else sum(self.sizes[:2])
        precision = unknowns.shape.new_zeros(size, size)
        away = unknowns.shape.new_zeros(len(unknowns), size)
        shape, pose, light, tilt = torch.tensor(self.sizes[:4]).cumsum(0).tolist()
        precision[:modes, :modes] = torch.eye(modes)
        precision[modes:shape, modes:shape] = expression.precision
        away[:, :modes] = -unknowns.shape[:, :modes]
        away[:, modes:shape] = expression.mean - unknowns.shape[:, modes:]
        precision[shape:pose, shape:pose] = _NEGLIGIBLE * torch.eye(POSE)
        if everything:
            precision[pose:light, pose:light] = self.light.precision
            precision[light:, light:] = torch.eye(size - light)
            away[:, pose:light] = self.light.mean - light_numbers(unknowns.light)
            away[:, tilt:] = -torch.cat([unknowns.albedo, unknowns.nuisance], 1)
        right = away @ precision
        return precision.repeat(len(unknowns), 1, 1), right, (right * away).sum(1)

    def stepped(self, unknowns: Unknowns, matrix, right, damping) -> Unknowns:
        """One step, with facial actions kept in [0, 1]."""
        modes, shape = len(self.model.identity_basis), self.sizes[0]
        # In float64: precisions of light and pose are ten orders of magnitude apart.
        matrix, right = matrix.double(), right.double()
        matrix.diagonal(dim1=1, dim2=2).mul_(1 + damping[:, None])
        if self.shape_known:
            first = sum(self.sizes[:2])
            step = torch.linalg.solve(matrix[:, first:, first:], right[:, first:])
            step = torch.cat([step.new_zeros(len(step), first), step], 1)
            return unknowns.moved(step.float(), modes)
        actions = unknowns.shape[:, modes:].double()
        low = high = torch.zeros_like(actions, dtype=torch.bool)
        step = torch.linalg.solve(matrix, right)
        # An active set: what would leave its range goes to the end of it, and the rest follows.
        for _ in range(2):
            after = actions + step[:, modes:shape]
            low, high = low | (after < -1e-4), high | (after > 1 + 1e-4)
            held = torch.zeros_like(right)
            held[:, modes:shape] = (low | high).double()
            ends = torch.zeros_like(right)
            ends[:, modes:shape] = high.double() - actions
            step = _solve_around(matrix, right, held, held * ends)
        return unknowns.moved(step.float(), modes)


def _solve_around(matrix: Tensor, right: Tensor, held: Tensor, values: Tensor) -> Tensor:
    """Solve (B, P) equations for what is not held (1 in `held`) at `values`, (B, P) each."""
    free = 1 - held
    right = (right - (matrix @ values[..., None])[..., 0]) * free + values
    return torch.linalg.solve(matrix * free[:, None] * free[..., None] + held.diag_embed(), right)


def _check(images: Tensor, landmarks: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3:
        raise FittingError(f"images are {tuple(images.shape)}; expected (B, 3, H, W)")
    if landmarks.shape != (len(images), 68, 2):
        raise FittingError(
            f"landmarks are {tuple(landmarks.shape)}; expected ({len(images)}, 68, 2)"
        )
    if not landmarks.isfinite().all():
        raise FittingError("landmarks hold NaN or infinity; leave out pictures without a face")
    height, width = images.shape[2:]
    middle = landmarks.mean(1)
    size = middle.new_tensor([width, height])
    if ((middle < 0) | (middle > size - 1)).any():
        raise FittingError("a face's landmarks lie outside of its picture; check their scale")
