"""The light L of a fit: what lights are likely, and a first guess by least squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.harmonics import shading_factors
from visage.faces.light import sample_lights
from visage.faces.reflectance import decode_srgb
from visage.texture.fit_unknowns import LIGHT

_DRAWN = 2000
_SLACK = 0.03  # of a coefficient that hardly varies in the samples
_DIM = 0.02  # linear; errors of darker pixels do not count more
_PRIOR = 1e-4  # a point: relative errors of a tenth, a hundred points of which err alike


@dataclass(frozen=True, eq=False)
class LightPrior:
    """A Gaussian over the light's 27 numbers, as the world's sampler draws them.

    A picture shows the product of light and albedo. Which lights are usual is what tells a dark
    skin in bright light from a fair one in dim light, as far as that can be told.
    """

    mean: Tensor  # (27,), float64
    precision: Tensor  # (27, 27), float64


@lru_cache(maxsize=1)
def light_prior() -> LightPrior:
    """Mean and precision of 2,000 sampled lights, key lights included."""
    lights = sample_lights(_DRAWN, torch.Generator().manual_seed(0))
    numbers = lights.coefficients().flatten(1).double()
    covariance = torch.cov(numbers.T) + _SLACK**2 * torch.eye(LIGHT).double()
    return LightPrior(numbers.mean(0), torch.linalg.inv(covariance))


def guess_light(colours: Tensor, albedo: Tensor, basis: Tensor) -> Tensor:
    """The light that explains colours best if the albedo is right: linear least squares.

    Args:
        colours: (N, 3), sRGB, in [0, 1].
        albedo: (N, 3), linear.
        basis: (N, 9), `visage.texture.fit_terms.polynomials` of the normals, view frame.

    Returns:
        (9, 3).
    """
    prior = light_prior()
    linear = decode_srgb(colours)
    # The encoded picture's errors, to first order.
    weight = (1 / (linear + _DIM)).double()
    lobe = shading_factors(torch.ones(1, 9, 3).to(basis))[0, :, 0]
    columns = (basis * lobe).double()
    strength = _PRIOR * len(columns)
    normal = strength * prior.precision.to(columns)
    right = normal @ prior.mean.to(columns)
    for channel in range(3):
        place = torch.arange(channel, LIGHT, 3)
        scaled = columns * (weight * albedo)[:, channel, None]
        normal[place[:, None], place] += scaled.T @ scaled
        right[place] += scaled.T @ (weight * linear)[:, channel]
    return torch.linalg.solve(normal, right).view(9, 3).to(basis)
