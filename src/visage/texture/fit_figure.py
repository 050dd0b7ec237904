"""The figure of the fit's experiment: photograph, fit, its albedo and its light."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import interpolate as resize

from visage.faces.buffers import draw_buffers
from visage.faces.harmonics import shade
from visage.faces.raster import barycentric, interpolate
from visage.faces.reflectance import encode_srgb
from visage.sheet import sheet
from visage.texture.fit_surface import FitSurface, shipped_surface
from visage.texture.fit_terms import DARKEST
from visage.texture.model_fit import ModelFit

_SIDE = 128  # pixels of a picture in the figure
_GREY = 0.5  # linear albedo under which the light is shown


def fit_figure(image: Tensor, mask: Tensor, fit: ModelFit, captions: list[str]) -> Figure:
    """Columns of people.

    Args:
        image: (B, 3, H, W), the photographs.
        mask: (B, 1, H, W), what was fitted.
        fit: B fits.
        captions: B texts under the fits.
    """
    drawn, albedo, light = (_small(part) for part in draw_fit(image, fit))
    covered = _small(image * (0.3 + 0.7 * mask))
    names = ["photograph", "fitted pixels", "fit", "albedo", "light"]
    blank = [""] * len(captions)
    return sheet(
        [_small(image), covered, drawn, albedo, light], names,
        captions=[blank, blank, captions, blank, blank],
    )  # fmt: skip


@torch.no_grad()
def draw_fit(
    image: Tensor, fit: ModelFit, surface: FitSurface | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """C_synth over the photograph, and over grey the albedo and what the light does to grey skin.

    Args:
        image: (B, 3, H, W), sRGB.
        fit: of B pictures of that size.
        surface: whose face is drawn; the shipped one if None.

    Returns:
        Three times (B, 3, H, W), sRGB, in [0, 1].
    """
    surface = surface or shipped_surface()
    model, camera = surface.model, fit.camera
    vertices = fit.vertices(model)
    buffers = draw_buffers(model, camera, vertices, model.normals(vertices))
    face = torch.cat([surface.face, surface.face.new_zeros(1)])[buffers.ids.long()][:, None]
    weights = barycentric(
        camera.project(vertices), surface.drawn, buffers.ids, perspective=camera.perspective
    )
    logs = (
        surface.priors.albedo.mean
        + (fit.albedo @ surface.priors.albedo.basis.flatten(1)).unflatten(
            1, surface.priors.albedo.mean.shape
        )
    )  # fmt: skip
    albedo = interpolate(logs, surface.drawn, buffers.ids, weights).exp()
    lit = shade(buffers.normals, fit.light).clamp(min=DARKEST)
    grey = torch.full_like(image, 0.25)

    def over(behind: Tensor, linear: Tensor) -> Tensor:
        return torch.where(face, encode_srgb(linear), behind).clamp(0, 1)

    return over(image, albedo * lit), over(grey, albedo), over(grey, _GREY * lit)


def _small(pictures: Tensor) -> Tensor:
    return resize(pictures, size=(_SIDE, _SIDE), mode="bilinear", antialias=True).clamp(0, 1)
