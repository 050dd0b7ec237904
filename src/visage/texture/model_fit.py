"""Initial face model fitting (section 3): shape, albedo, pose, camera and light from a picture.

The perspective camera, order 2 of spherical harmonics and the linear models of shape and albedo
are those of the paper; so are the weights of equation 1 and the three levels of 30, 10 and 3 steps.
`visage.texture.fit_terms` says where the paper leaves things open, and what is done there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.faces.camera import Camera, Perspective
from visage.faces.harmonics import shade
from visage.faces.shape import MorphableModel
from visage.texture.errors import ModelFitError
from visage.texture.fit_config import FitConfig
from visage.texture.fit_pyramid import pyramid
from visage.texture.fit_solver import Solver
from visage.texture.fit_surface import FitSurface, shipped_surface
from visage.texture.fit_terms import Energy
from visage.texture.fit_unknowns import (
    EXPRESSION,
    IDENTITY,
    FitUnknowns,
    start_from_landmarks,
    start_from_numbers,
)

__all__ = ["FitConfig", "ModelFit", "ModelFitError", "fit_model"]

DEFAULT = FitConfig()

_SMALLEST = 32  # pixels of a picture's side: less shows no face


@dataclass(frozen=True, eq=False)
class ModelFit:
    """What was found in B pictures."""

    identity: Tensor  # (B, 80), standard deviations
    expression: Tensor  # (B, 52), in [0, 1]
    albedo: Tensor  # (B, K), standard deviations of the vertices' albedo model
    camera: Perspective
    light: Tensor  # (B, 9, 3), radiance in harmonics of order 2, view frame
    history: tuple[tuple[float, ...], ...]  # B; the energy after each step, level after level

    def __len__(self) -> int:
        """Pictures."""
        return len(self.identity)

    def __getitem__(self, index: slice) -> ModelFit:
        """Some of them."""
        return ModelFit.of(self.unknowns()[index], self.history[index])

    @classmethod
    def of(cls, unknowns: FitUnknowns, history: tuple[tuple[float, ...], ...]) -> ModelFit:
        """What a solver found."""
        return cls(unknowns.identity, unknowns.expression, unknowns.albedo, unknowns.camera,
                   unknowns.light, history)  # fmt: skip

    @classmethod
    def joined(cls, several: Sequence[ModelFit]) -> ModelFit:
        """All of several, in order, of pictures of one size."""
        every = FitUnknowns.joined([one.unknowns() for one in several])
        return cls.of(every, tuple(energies for one in several for energies in one.history))

    def unknowns(self) -> FitUnknowns:
        """As a solver takes them."""
        shape = torch.cat([self.identity, self.expression], 1)
        return FitUnknowns(shape, self.camera, self.light, self.albedo)

    def vertices(self, model: MorphableModel) -> Tensor:
        """The heads (B, V, 3), mm, head frame."""
        return model.vertices(self.identity, self.expression)

    def vertex_albedo(self, surface: FitSurface | None = None) -> Tensor:
        """Linear albedo (B, V, 3) of all vertices."""
        return (surface or shipped_surface()).priors.albedo.albedo(self.albedo)

    def shading(self, normals: Tensor) -> Tensor:
        """What the light does to white skin (B, 3, H, W), of normals (B, 3, H, W), view frame."""
        return shade(normals, self.light)


@torch.no_grad()
def fit_model(
    image: Tensor,
    landmarks: Tensor,
    mask: Tensor | None = None,
    config: FitConfig = DEFAULT,
    *,
    start: ModelFit | tuple[Tensor, Tensor, Camera] | None = None,
    surface: FitSurface | None = None,
) -> ModelFit:
    """Fit the face model to pictures, one after another.

    Args:
        image: (B, 3, H, W), sRGB, in [0, 1].
        landmarks: (B, 68, 2), pixels.
        mask: (B, 1, H, W), 1 where skin of the face is seen, 0 at what hides it; None hides
            nothing.
        config: how.
        start: from where: a fit, or identity (B, 80), expression (B, 52) and camera, such as
            another fit's; the mean face where the landmarks are if None.
        surface: of the model, on the images' device; the shipped one if None.

    Returns:
        ModelFit.

    Raises:
        ModelFitError: a shape does not fit, a number is not finite, or landmarks show no face.
    """
    _check(image, landmarks, mask, start)
    surface = surface or shipped_surface()
    like = surface.basis
    image, landmarks = image.to(like), landmarks.to(like)
    first = _start(surface, image, landmarks, start)
    found, history = [], []
    for index in range(len(image)):
        levels = pyramid(
            image[index], None if mask is None else mask[index], len(config.steps), config.blur
        )
        here = first[index : index + 1]
        scale = float(here.camera.focal / here.camera.distance)
        energy = Energy(surface, landmarks[index], config, config.landmark_unit * scale)
        unknowns, energies = Solver(energy, levels).run(here)
        found.append(unknowns)
        history.append(tuple(energies))
    return ModelFit.of(FitUnknowns.joined(found), tuple(history))


def _start(surface: FitSurface, image: Tensor, landmarks: Tensor, start) -> FitUnknowns:
    components, (height, width) = surface.basis.shape[2], image.shape[2:]
    usual = surface.priors.expression.mean.to(landmarks)
    if start is None:
        return start_from_landmarks(surface.model, landmarks, height, width, usual, components)
    if isinstance(start, ModelFit):
        return start.unknowns()
    return start_from_numbers(*start, components)


def _check(image: Tensor, landmarks: Tensor, mask: Tensor | None, start) -> None:
    if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < _SMALLEST:
        raise ModelFitError(
            f"images are {tuple(image.shape)}; expected (B, 3, H, W) of at least {_SMALLEST} pixels"
        )
    batch, _, height, width = image.shape
    if not batch:
        raise ModelFitError("there is no picture; give at least one")
    if tuple(landmarks.shape) != (batch, 68, 2):
        raise ModelFitError(
            f"landmarks are {tuple(landmarks.shape)}; expected {(batch, 68, 2)}, pixels x and y"
        )
    if mask is not None and tuple(mask.shape) != (batch, 1, height, width):
        raise ModelFitError(
            f"the mask is {tuple(mask.shape)}; expected {(batch, 1, height, width)}"
        )
    for name, value in (("images", image), ("landmarks", landmarks), ("the mask", mask)):
        if value is not None and not value.isfinite().all():
            raise ModelFitError(f"{name} hold NaN or infinity; leave such pictures out")
    size = landmarks.new_tensor([width, height])
    middle = landmarks.mean(1)
    if not ((middle > 0) & (middle < size)).all():
        raise ModelFitError("landmarks lie outside of the picture; give those of this picture")
    if start is None:
        return
    camera = start.camera if isinstance(start, ModelFit) else start[2]
    identity = start.identity if isinstance(start, ModelFit) else start[0]
    expression = start.expression if isinstance(start, ModelFit) else start[1]
    shapes = tuple(identity.shape), tuple(expression.shape)
    if shapes != ((batch, IDENTITY), (batch, EXPRESSION)):
        raise ModelFitError(
            f"the start has identity {shapes[0]} and expression {shapes[1]}; "
            f"expected {(batch, IDENTITY)} and {(batch, EXPRESSION)}"
        )
    if (camera.height, camera.width, len(camera)) != (height, width, batch):
        raise ModelFitError(
            f"the start's camera takes {len(camera)} pictures of {camera.height}×{camera.width}; "
            f"these are {batch} of {height}×{width}"
        )
