"""How true recovered light and albedo are, where the truth is known.

Brightness is shared between light and skin in any picture, so lights are compared by direction and
shadings and albedos after the best common factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from visage.faces.harmonics import to_richardson
from visage.faces.reflectance import decode_srgb
from visage.geometry.detail import DetailedFaces
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.light_and_albedo import Recovered, RecoveryConfig, recover, shade
from visage.geometry.rendering_layer import render_depth, skin_mask
from visage.geometry.representation import FaceNumbers
from visage.geometry.surface_normals import normals_of_depth
from visage.geometry.texture_space import TextureSpace

DIRECTED = 0.35
"""Length of l's directions over its first number, above which a light has a direction to find."""

_SEEN = 0.95  # share of a pixel that shows skin, to be compared


@dataclass(frozen=True, eq=False)
class LightErrors:
    """Errors of B faces; each (B,)."""

    angle: Tensor  # degrees between the directions of the lights; NaN where there is none to find
    shading: Tensor  # root mean square difference of shading over its root mean square
    albedo: Tensor  # of albedo, likewise
    explained: Tensor  # share of the picture's variance that the model explains


@torch.no_grad()
def explain_faces(
    faces: DetailedFaces,
    numbers: FaceNumbers,
    mesh: FaceMesh,
    space: TextureSpace,
    config: RecoveryConfig | None = None,
) -> tuple[Recovered, Tensor, Tensor]:
    """Recover light and albedo as FineNet's criterion does.

    Args:
        faces: B pictures.
        numbers: of the coarse faces.
        mesh: that is drawn.
        space: of the mesh.
        config: of the solves; as shipped if None.

    Returns:
        Recovered; the coarse normals (B, 3, H, W); the coarse face's skin (B, 1, H, W).
    """
    size = faces.faces.shape[-1]
    drawn = render_depth(mesh, numbers, size)
    mean, modes = space.drawn(drawn.ids, drawn.weights)
    normals = normals_of_depth(drawn.depth, drawn.mask, numbers.camera(size).scale)
    skin = skin_mask(mesh, drawn.ids)
    linear = decode_srgb(faces.faces)
    config = RecoveryConfig() if config is None else config
    return recover(linear, mean, modes, normals, skin, config), normals, skin


def light_errors(
    found: Recovered, faces: DetailedFaces, normals: Tensor, skin: Tensor
) -> LightErrors:
    """Compare with the truth on uncovered skin.

    The true light is that of orders 0 and 1, without shadows, as `to_richardson` gives it.

    Args:
        found: of B faces.
        faces: the same, with the truth.
        normals: (B, 3, H, W), those that were shaded.
        skin: (B, 1, H, W), pixels that were explained.
    """
    seen = ((skin > 0) & (faces.mask > 0) & (faces.seen > _SEEN)).to(skin)
    true = to_richardson(faces.light[..., None])[..., 0]
    towards, true_towards = found.light[:, 1:], true[:, 1:]
    angle = cosine_similarity(towards, true_towards, eps=1e-9).clamp(-1, 1).acos().rad2deg()
    aimless = true_towards.norm(dim=1) < DIRECTED * true[:, 0]
    linear = decode_srgb(faces.faces)
    left = _square(found.picture - linear, seen)
    middle = (linear * seen).sum((1, 2, 3)) / seen.sum((1, 2, 3)).clamp(min=1)
    spread = _square(linear - middle[:, None, None, None], seen)
    return LightErrors(
        angle.masked_fill(aimless, torch.nan),
        relative_error(found.shading, shade(normals, true), seen),
        relative_error(found.albedo, faces.albedo, seen),
        1 - left / spread.clamp(min=1e-9),
    )


def relative_error(found: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Root mean square of c found - true over that of true, with the best factor c; (B,).

    >>> picture = torch.rand(1, 1, 4, 4)
    >>> relative_error(3 * picture, picture, torch.ones(1, 1, 4, 4)) < 1e-5
    tensor([True])
    """
    product = (found * true * mask).sum((1, 2, 3))
    factor = product / (found.square() * mask).sum((1, 2, 3)).clamp(min=1e-9)
    left = _square(factor[:, None, None, None] * found - true, mask)
    return (left / _square(true, mask).clamp(min=1e-9)).sqrt()


def _square(values: Tensor, mask: Tensor) -> Tensor:
    return (values.square() * mask).sum((1, 2, 3))
