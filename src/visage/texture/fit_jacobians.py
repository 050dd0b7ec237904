"""Derivatives of equation 1's residuals, written out.

With p = R X + t the point in the view frame, x = f p_x/d and y = f p_y/d from the picture's middle
at the depth d = -p_z, and ω a turn about the view's axes: ∂p = ω × (R X) + R ∂X, and the picture
moves by

    ∂(x, y) = (f/d) (∂p_x, ∂p_y) + (x, y)/d ∂p_z.

The scale s = f/D, D the distance, multiplies x and y. With s kept, the distance moves them by
x (R X)_z / p_z for each unit of log D. A normal n is turned by ω × n, and changes with the shape as
`FitSurface.turning` says. The columns are in the order of `fit_unknowns`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.faces.camera import Perspective
from visage.faces.harmonics import shading_factors
from visage.texture.fit_surface import FitSurface
from visage.texture.fit_terms import DARKEST, Sight, shaded
from visage.texture.fit_unknowns import FitUnknowns


def linearised_photo(
    surface: FitSurface, unknowns: FitUnknowns, vertices: Tensor, sight: Sight, turning: Tensor
) -> tuple[Tensor, Tensor]:
    """E_c's residuals and their derivatives.

    Args:
        surface: the face.
        unknowns: of one picture.
        vertices: (V, 3), theirs.
        sight: with N points.
        turning: (U, 3, D), derivatives of the vertices' normals by the shape.

    Returns:
        residual: (N, 3), C_input - C_synth.
        jacobian: (N, 3, P), its derivatives by all unknowns.
    """
    points, camera = sight.points, unknowns.camera
    rotation = camera.rotation()[0]
    centred = points.of(vertices[surface.used]) @ rotation.T
    offsets, by_view, view = _projected(camera, centred)
    middle = offsets.new_tensor([(camera.width - 1) / 2, (camera.height - 1) / 2])
    seen, gradient = sight.level.at(offsets + middle)
    flat, length = surface.point_normals(points, surface.normals(vertices))
    normals = flat @ rotation.T
    light, albedo = unknowns.light[0], unknowns.albedo[0]
    found = shaded(surface, points, normals, light, albedo)
    slope = srgb_slope(found.linear)
    # By a unit of shading: zero where it is clamped.
    lit = slope * found.albedo * (found.shading > DARKEST)
    by_normal = (
        lit[..., None] * (polynomial_slopes(normals) @ shading_factors(light[None])[0]).mT
    )  # (N, 3, 3): colour, direction
    moved = gradient @ by_view  # (N, 3, 3), of what is seen, by mm in the view frame

    bent = by_normal @ rotation
    bent = (bent - (bent @ flat[..., None]) * flat[:, None]) / length[..., None]
    along = torch.cat([moved @ rotation, -bent], 2)  # (N, 3, 6)
    table = torch.cat([surface.moving, turning], 1)  # (U, 6, D)
    rows = table.index_select(0, points.corners.flatten()).view(len(points), 18, -1)
    weighed = (along[:, :, None] * points.weights[:, None, :, None]).flatten(2)

    turn = torch.linalg.cross(centred[:, None], moved) - torch.linalg.cross(
        normals[:, None], by_normal
    )
    grow = gradient @ offsets[..., None]
    recede = grow * (centred[:, 2] / view[:, 2])[:, None, None]
    kept = shading_factors(torch.eye(9).to(light)[:, :, None].expand(9, 9, 3))
    kept = kept.diagonal(dim1=0, dim2=1)[0]  # (9,), the lobe's
    basis = lit[..., None] * (found.polynomials * kept)[:, None]  # (N, 3, 9)
    lights = torch.diag_embed(basis.mT, dim1=1, dim2=3).flatten(2)  # (N, 3, 27)
    colours = points.of(surface.basis.flatten(1)).unflatten(1, (3, -1))
    jacobian = torch.cat(
        [weighed @ rows, turn, moved[..., :2], grow, recede, -lights,
         -(slope * found.linear)[..., None] * colours], 2,
    )  # fmt: skip
    return seen - found.colours, jacobian


def linearised_landmarks(
    surface: FitSurface, unknowns: FitUnknowns, vertices: Tensor, sight: Sight
) -> tuple[Tensor, Tensor]:
    """E_lan's residuals (136,), weighed, and their derivatives (136, 132 + 7)."""
    camera = unknowns.camera
    rotation = camera.rotation()[0]
    centred = vertices[sight.chosen] @ rotation.T
    offsets, by_view, view = _projected(camera, centred)
    middle = offsets.new_tensor([(camera.width - 1) / 2, (camera.height - 1) / 2])
    moving = surface.directions[:, sight.chosen].permute(1, 2, 0)
    turn = torch.linalg.cross(centred[:, None], by_view)
    recede = offsets * (centred[:, 2:] / view[:, 2:])
    jacobian = torch.cat(
        [by_view @ rotation @ moving, turn, by_view[..., :2], offsets[..., None],
         recede[..., None]], 2,
    )  # fmt: skip
    residual = sight.weigh @ (sight.targets - offsets - middle).flatten()
    return residual, -sight.weigh @ jacobian.flatten(0, 1)


def _projected(camera: Perspective, centred: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels (N, 2) from the middle, their derivatives (N, 2, 3) by view places, and these (N, 3).

    Args:
        camera: of one picture.
        centred: (N, 3) mm, R X, before the shift.
    """
    shift = torch.cat([camera.translation[0], -camera.distance])
    view = centred + shift
    depth = -view[:, 2]
    scale = camera.focal / depth
    x, y = scale * view[:, 0], -scale * view[:, 1]
    zero = torch.zeros_like(x)
    rows = [scale, zero, x / depth, zero, -scale, y / depth]
    return torch.stack([x, y], 1), torch.stack(rows, 1).unflatten(1, (2, 3)), view


def polynomial_slopes(normals: Tensor) -> Tensor:
    """Derivatives (N, 3, 9) of `visage.texture.fit_terms.polynomials` by normals (N, 3)."""
    x, y, z = normals.unbind(1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    by_x = [zero, zero, zero, one, y, zero, zero, z, 2 * x]
    by_y = [zero, one, zero, zero, x, z, zero, zero, -2 * y]
    by_z = [zero, zero, one, zero, zero, y, 6 * z, x, zero]
    return torch.stack([torch.stack(row, 1) for row in (by_x, by_y, by_z)], 1)


def srgb_slope(linear: Tensor) -> Tensor:
    """Derivative of `visage.faces.reflectance.encode_srgb`."""
    curve = 1.055 / 2.4 * linear.clamp(min=0.0031308) ** (1 / 2.4 - 1)
    return torch.where(linear <= 0.0031308, 12.92, curve)
