"""How far a model fit is from the truth: vertices, pose, albedo, light."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from visage.faces.camera import Perspective
from visage.faces.fitting.shape_errors import aligned, vertex_errors
from visage.faces.fitting.study import vertex_colours
from visage.faces.harmonics import shade
from visage.faces.light import Light
from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.texture.model_fit import ModelFit
from visage.texture.skins import face_atlases

_ATLAS = 512  # texels of the true albedo: a vertex's is a mean of 4 by 4


def true_albedo(model: MorphableModel, split: str, indices: Sequence[int]) -> Tensor:
    """Linear albedo (B, V, 3) of people at the model's vertices, their brows painted."""
    return vertex_colours(model, face_atlases(split, indices, _ATLAS).albedo)


def face_vertices(model: MorphableModel) -> Tensor:
    """The front of the skin (n,), without ears, scalp and neck."""
    return (model.regions["face"] > 0.5).nonzero()[:, 0]


def head_errors(model: MorphableModel, found: Tensor, true: Tensor) -> dict[str, Tensor]:
    """Mean distances, mm, of vertices (B, V, 3), by name, (B,) each.

    `head` is over all that is drawn (skin, neck, eyes, teeth, lashes), in the head's own frame,
    nothing aligned, so that size counts; `face` over the front, after the best similarity.
    """
    drawn, face = torch.unique(model.triangles), face_vertices(model)
    moved = aligned(found[:, face], true[:, face], scale=True)
    return {
        "head": vertex_errors(found[:, drawn], true[:, drawn]).mean(1),
        "face": vertex_errors(moved, true[:, face]).mean(1),
    }


def placing_errors(
    model: MorphableModel, fit: ModelFit, true: Tensor, camera: Perspective
) -> dict[str, Tensor]:
    """How far the face's vertices are from their pixels (mm at the head), and turned (degrees)."""
    face = face_vertices(model)
    found = fit.camera.project(fit.vertices(model)[:, face])[..., :2]
    apart = (found - camera.project(true[:, face])[..., :2]).norm(dim=2).mean(1)
    turn = fit.camera.rotation() @ camera.rotation().mT
    cosine = (turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return {
        "placing": apart * camera.distance / camera.focal,
        "pose": cosine.clamp(-1, 1).acos().rad2deg(),
    }


def colour_errors(
    model: MorphableModel, fit: ModelFit, true: Tensor, camera: Perspective, albedo: Tensor,
    light: Light,
) -> dict[str, Tensor]:  # fmt: skip
    """Errors of albedo and light over the face, by name, (B,) each.

    `albedo` is the mean difference of sRGB-encoded albedos, in [0, 1]; `light` the root mean square
    difference of the shading of the true face, relative to the true one, which is order 2 of the
    true light, its key light included. A picture shows the product of the two: `pattern` and
    `shading` are the same once the best common factor is taken out.

    Args:
        model: of the vertices.
        fit: B fits.
        true: (B, V, 3) mm.
        camera: the true one.
        albedo: (B, V, 3), linear, the true one.
        light: the true one.
    """
    face = face_vertices(model)
    wanted, found = albedo[:, face], fit.vertex_albedo()[:, face]
    gain = (wanted.clamp(min=1e-3).log() - found.clamp(min=1e-3).log()).mean((1, 2), keepdim=True)
    normals = camera.turn(model.normals(true)[:, face]).mT[..., None]
    lit, truly = fit.shading(normals), shade(normals, light.coefficients())
    factor = (lit * truly).sum((1, 2, 3)) / lit.square().sum((1, 2, 3))
    size = truly.square().mean((1, 2, 3)).sqrt()

    def encoded(colours: Tensor) -> Tensor:
        return encode_srgb(colours.clamp(0, 1))

    def apart(shading: Tensor) -> Tensor:
        return (shading - truly).square().mean((1, 2, 3)).sqrt() / size

    return {
        "albedo": (encoded(found) - encoded(wanted)).abs().mean((1, 2)),
        "pattern": (encoded(found * gain.exp()) - encoded(wanted)).abs().mean((1, 2)),
        "light": apart(lit),
        "shading": apart(lit * factor[:, None, None, None]),
    }
