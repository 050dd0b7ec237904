"""Pictures of the stages: clay for shapes, the head in the photograph's pose and light."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from visage.faces.camera import Perspective
from visage.faces.light import Light
from visage.faces.shape import MorphableModel
from visage.geometry.reconstruct import DetailedFace
from visage.geometry.surface_normals import normals_of_depth
from visage.geometry.surface_pictures import clay_picture
from visage.texture.model_fit import ModelFit
from visage.texture.textured_head import TexturedHead, new_light, portrait_camera, render_textured

_BACKGROUND = 0.2  # linear grey: neither skin nor hair
_STUDIO = ("studio", 3)  # light of the portrait from the front


def coarse_picture(face: DetailedFace) -> Tensor:
    """Part IV's coarse surface as clay, (1, 3, S, S), in the photograph's pose."""
    normals = normals_of_depth(face.coarse, face.mask, torch.tensor([face.scale]))
    return clay_picture(normals, face.mask)


def fine_picture(face: DetailedFace) -> Tensor:
    """The detailed surface likewise."""
    return clay_picture(face.normals, face.mask)


@torch.no_grad()
def photographed(model: MorphableModel, head: TexturedHead, fit: ModelFit, size: int) -> Tensor:
    """The head as the photograph's camera and light show it, (1, 3, size, size); bald, on grey."""
    return render_textured(model, head, camera_of(fit, size), light_of(fit), background=_BACKGROUND)


@torch.no_grad()
def from_the_front(
    model: MorphableModel, head: TexturedHead, size: int, yaw: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The head in a studio's light.

    Args:
        model: at the level of subdivision that the picture shall have.
        head: one.
        size: pixels of the square picture.
        yaw: degrees to the picture's right.

    Returns:
        (1, 3, size, size) and its landmarks (1, 68, 2), pixels.
    """
    camera = portrait_camera(size, (yaw,))
    picture = render_textured(model, head, camera, new_light(*_STUDIO), background=_BACKGROUND)
    places = camera.project(model.vertices(head.identity, head.expression))[..., :2]
    return picture, places[:, model.landmark_vertices(camera.angles[:, 1])[0]]


def camera_of(fit: ModelFit, size: int) -> Perspective:
    """The camera of a fit, with square pictures of another size."""
    camera = fit.camera
    return replace(camera, height=size, width=size, focal=camera.focal * (size / camera.width))


def light_of(fit: ModelFit) -> Light:
    """The light of a fit, which has no lamps: an environment of order 2."""
    count = len(fit)
    ahead = torch.tensor([[0.0, 0.0, 1.0]]).expand(count, -1)
    return Light(fit.light, ahead, torch.zeros(count, 3), torch.full((count,), 0.5))
