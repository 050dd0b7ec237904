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
from visage.faces.fitting.cascade import Cascade
from visage.faces.fitting.config import FittingConfig
from visage.faces.fitting.priors import FittingPriors
from visage.faces.fitting.problem import FittingProblem, check_input
from visage.faces.fitting.regression import guess_faces
from visage.faces.fitting.unknowns import FittingError, Unknowns
from visage.faces.light import Light
from visage.faces.shape import MorphableModel

__all__ = ["Fit", "FittingConfig", "FittingError", "fit_faces", "unexplained"]

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
    cascade: Cascade | None = None,
) -> Fit:
    """Fit the model to pictures, together but independently.

    Args:
        images: (B, 3, H, W), sRGB, in [0, 1].
        landmarks: (B, 68, 2), pixels, as the detector finds them of which `priors` know.
        model: the morphable model, not subdivided.
        priors: what is known beforehand, as `visage.faces.fitting.study` learns it.
        config: how.
        cascade: of which `priors.regression` knows; None fits without.

    Returns:
        Fit; about a second a picture on one core.

    Raises:
        FittingError: a shape does not fit, landmarks hold NaN or no face, or no face in the frame.
    """
    check_input(images, landmarks)
    guess = None
    if cascade is not None:
        if priors.regression is None:
            raise FittingError("the priors do not know the cascade; learn its statistics first")
        guess = guess_faces(cascade, model, images.float(), landmarks.float())
    problem = FittingProblem(images, landmarks, model, priors, config, guess=guess)
    unknowns, history = problem.run(problem.start(), config.landmark_steps, None)
    unknowns, costs = _by_pixels(problem, unknowns)
    history += costs
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
    problem = FittingProblem(images, places, model, priors, config, shape_known=True)
    start = problem.start()
    known = torch.cat([identity, expression], 1)
    unknowns = replace(start, shape=known, camera=camera)
    unknowns, _ = _by_pixels(problem, unknowns)
    term = problem.term(unknowns, config.blur[-1], config.pixel_weights[-1])
    sight = problem.sight(unknowns, term)
    found = problem.linearised(unknowns, term, sight)
    return found.residual.unflatten(1, (3, -1)).mT, sight.seen


def _by_pixels(problem: FittingProblem, unknowns: Unknowns) -> tuple[Unknowns, list[Tensor]]:
    """Level by level; the light is looked for first, and how soft it is after one level."""
    config, history = problem.config, []
    for level, weight in enumerate(config.pixel_weights):
        term = problem.term(unknowns, config.blur[level], weight)
        if level == 0:
            unknowns = problem.lit(unknowns, term)
        unknowns, costs = problem.run(unknowns, config.steps[level], term)
        history += costs
        if level == 0:
            unknowns = problem.softened(unknowns, term)
    return unknowns, history
