"""The sum of squares that a fit lowers: landmarks, pixels and priors, and the steps downhill."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from visage.faces.fitting.config import FittingConfig
from visage.faces.fitting.landmarks import linearise_landmarks
from visage.faces.fitting.light import light_numbers, light_prior, mean_light, search_light
from visage.faces.fitting.mirror import Mirror
from visage.faces.fitting.pixels import Appearance, Linearised, Pictures, PixelTerm, Sight
from visage.faces.fitting.priors import FittingPriors
from visage.faces.fitting.regression import Guess, RegressionTerm
from visage.faces.fitting.steps import bounded_step, damped_step
from visage.faces.fitting.surface import SurfacePoints, shape_directions, spread_points
from visage.faces.fitting.unknowns import POSE, FittingError, Unknowns, pose_of_mean
from visage.faces.raster import z_buffer
from visage.faces.reflectance import decode_srgb
from visage.faces.shadow import key_visibility, shadow_map
from visage.faces.shape import MorphableModel

_BEHIND = 2.5  # mm that a point may lie behind what is drawn at its pixel: half a triangle
_SATURATED = 0.985
_NEGLIGIBLE = 1e-6


class FittingProblem:
    """The sum of squares: terms, priors and the steps that lower it."""

    def __init__(
        self,
        images: Tensor,
        landmarks: Tensor,
        model: MorphableModel,
        priors: FittingPriors,
        config: FittingConfig,
        *,
        guess: Guess | None = None,
        shape_known: bool = False,
    ):
        check_input(images, landmarks)
        self.images, self.landmarks = images.float(), landmarks.float()
        self.model, self.priors, self.config = model, priors, config
        self.shape_known = shape_known
        self.guess = self.regression = None
        if guess is not None:
            self.guess = guess
            self.regression = RegressionTerm(guess, priors.regression, Mirror.of(model))
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
        """What the cascade says, or the mean face where the landmarks are, in an average light."""
        batch, _, height, width = self.images.shape
        shape, _, _, _, albedo, nuisance = (self.images.new_zeros(batch, n) for n in self.sizes)
        if self.guess is None:
            camera = pose_of_mean(self.model, self.landmarks, height, width)
        else:
            modes = len(self.model.identity_basis)
            shape, camera = self.guess.shape, self.guess.camera
            shape = torch.cat([shape[:, :modes], shape[:, modes:].clamp(0, 1)], 1)
        light = mean_light(batch, self.config.first_radius, self.light)
        return Unknowns(shape, camera, light, albedo, nuisance)

    def vertices(self, unknowns: Unknowns) -> Tensor:
        """The heads (B, V, 3), mm, head frame."""
        modes = len(self.model.identity_basis)
        return self.model.vertices(unknowns.shape[:, :modes], unknowns.shape[:, modes:])

    def term(self, unknowns: Unknowns, blur: float, weight: float) -> PixelTerm:
        """The pixels' term for pictures blurred by so many mm."""
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
            for found, much, more in self._shape_terms(unknowns):
                last = found.shape[2]
                matrix[:, :last, :last] += found
                right[:, :last] += much
                cost = cost + more
        if term is not None:
            found = self.linearised(unknowns, term, sight)
            first = matrix.shape[1] - found.jacobian.shape[2]
            weighted = found.jacobian * found.weight[..., None]
            matrix[:, first:, first:] += weighted.mT @ found.jacobian
            right[:, first:] += (found.residual[:, None] @ weighted)[:, 0]
            cost = cost + found.cost
        return matrix, right, cost

    def linearised(self, unknowns: Unknowns, term: PixelTerm, sight: Sight) -> Linearised:
        """The pixels' term near the unknowns."""
        return term.linearise(unknowns, self.vertices(unknowns), sight)

    def _shape_terms(self, unknowns: Unknowns) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Normal equations and costs of what speaks of shape and pose alone."""
        camera, config = unknowns.camera, self.config
        chosen = self.model.landmark_vertices(camera.angles[:, 1])
        corners = self.vertices(unknowns).gather(1, chosen[..., None].expand(-1, -1, 3))
        moving = self.directions[:, chosen].permute(1, 2, 3, 0)
        found = linearise_landmarks(camera, corners, moving, self.landmarks, self.priors.landmarks)
        yield _squared(*found, config.landmark_weight)
        if self.regression is None:
            return
        matrix, right, cost = self.regression(unknowns.shape, camera)
        weight = config.regression_weight
        yield weight * matrix, weight * right, weight * cost

    def _prior(self, unknowns: Unknowns, *, everything: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The priors' normal equations; with `everything`, of light and albedo too."""
        modes, expression = len(self.model.identity_basis), self.priors.expression
        size = sum(self.sizes) if everything else sum(self.sizes[:2])
        precision = unknowns.shape.new_zeros(size, size)
        away = unknowns.shape.new_zeros(len(unknowns), size)
        shape, pose, light, tilt = torch.tensor(self.sizes[:4]).cumsum(0).tolist()
        # What the cascade knows takes the place of what people and expressions are like.
        known = 0 if self.regression is None else self.config.regression_weight
        strength = max(1 - known, _NEGLIGIBLE)
        precision[:modes, :modes] = strength * torch.eye(modes)
        precision[modes:shape, modes:shape] = strength * expression.precision
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
        modes, first = len(self.model.identity_basis), sum(self.sizes[:2])
        if self.shape_known:
            step = damped_step(matrix[:, first:, first:], right[:, first:], damping)
            return unknowns.moved(torch.cat([step.new_zeros(len(step), first), step], 1), modes)
        actions = slice(modes, self.sizes[0])
        step = bounded_step(matrix, right, damping, unknowns.shape[:, actions], actions)
        return unknowns.moved(step, modes)


def _squared(jacobian: Tensor, residual: Tensor, weight: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normal equations and cost of whitened residuals."""
    right = (residual[:, None] @ jacobian)[:, 0]
    cost = residual.square().sum(1)
    return weight * jacobian.mT @ jacobian, weight * right, weight * cost


def check_input(images: Tensor, landmarks: Tensor) -> None:
    """Refuse what no face can be fitted to, with one clear sentence."""
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
