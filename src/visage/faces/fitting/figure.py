"""The figure of the fitting experiment: picture, fit, and how far they are apart."""

import matplotlib
import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.camera import Camera
from visage.faces.directions import unit
from visage.faces.fitting import Fit
from visage.faces.fitting.priors import FittingPriors
from visage.faces.fitting.shape_errors import aligned, vertex_errors
from visage.faces.fitting.study import Portraits
from visage.faces.light import Light
from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.faces.reflectance import encode_srgb, reflect
from visage.faces.shadow import key_visibility, shadow_map
from visage.faces.shape import MorphableModel

_WORST = 6.0  # mm, the end of the colour scale


def figure(model: MorphableModel, people: Portraits, fit: Fit, priors: FittingPriors) -> Figure:
    """One column a person: the picture, the fit drawn with its own light, and the errors.

    Args:
        model: the morphable model.
        people: as many as columns.
        fit: of their pictures.
        priors: with which it was made.
    """
    found = fit.vertices(model)
    truth = model.vertices(people.identity, people.expression)
    drawn = torch.unique(model.triangles)
    redrawn = draw_fit(model, found, fit.camera, fit.light, priors.albedo.albedo(fit.albedo))
    moved = truth.clone()
    moved[:, drawn] = aligned(found[:, drawn], truth[:, drawn], scale=False)
    apart = vertex_errors(moved, truth)[..., None]
    errors, head = _carried(model, people.camera, truth, apart)
    errors = torch.where(head, errors[:, 0], torch.nan)

    columns = len(people)
    sheet = Figure(figsize=(2.1 * columns, 6.5), layout="constrained")
    axes = sheet.subplots(3, columns, squeeze=False)
    colours = matplotlib.colormaps["viridis"]
    for i in range(columns):
        axes[0, i].imshow(people.image[i].permute(1, 2, 0))
        axes[1, i].imshow(redrawn[i].permute(1, 2, 0))
        shown = axes[2, i].imshow(errors[i], vmin=0, vmax=_WORST, cmap=colours)
        mean = float(apart[i, drawn].mean())
        axes[2, i].set_xlabel(f"{mean:.1f} mm", fontsize=9)
    for row, name in enumerate(("picture", "fit", "error, moved rigidly")):
        axes[row, 0].set_ylabel(name)
    for panel in axes.flat:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    bar = sheet.colorbar(shown, ax=axes[2, :].tolist(), shrink=0.9, extend="max")
    bar.set_label("mm")
    bar.outline.set_visible(False)
    return sheet


def draw_fit(
    model: MorphableModel, vertices: Tensor, camera: Camera, light: Light, albedo: Tensor
) -> Tensor:
    """Pictures (B, 3, H, W), sRGB, of bare heads with albedo (B, V, 3), on white."""
    normals, view = camera.turn(model.normals(vertices)), camera.view(vertices)
    values, head = _carried(model, camera, vertices, torch.cat([normals, view, albedo], 2))
    normals, positions, albedo = unit(values[:, :3]), values[:, 3:6], values[:, 6:]
    triangles = _opaque(model)
    shadows = shadow_map(view, triangles, light.key_direction)
    key = key_visibility(positions, normals, light.key_radius, shadows)
    linear = reflect(albedo, normals, camera.towards_viewer(positions), light, key_visibility=key,
                     specular=0.7)  # fmt: skip
    return torch.where(head[:, None], encode_srgb(linear), 1.0).clamp(0, 1)


def _carried(
    model: MorphableModel, camera: Camera, vertices: Tensor, values: Tensor
) -> tuple[Tensor, Tensor]:
    """What the vertices carry, (B, C, H, W), and where the head is, (B, H, W)."""
    points, triangles = camera.project(vertices), _opaque(model)
    ids = visible_triangles(points, triangles, camera.height, camera.width)
    weights = barycentric(points, triangles, ids)
    return interpolate(values, triangles, ids, weights), ids >= 0


def _opaque(model: MorphableModel) -> Tensor:
    return model.triangles[: model.part_triangles["lashes"].start]
