"""Where the light comes from: a first guess by trying, and what lights are likely."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.directions import dot, sphere_directions
from visage.faces.fitting.pixels import shading_basis
from visage.faces.light import Light, sample_lights

_DRAWN = 2000
_TRIED = 60  # directions over the sphere, 26 degrees apart
_BEHIND = -0.4  # z of the directions that are left out: such a key light does not reach the face
_PARTS = 30  # 27 numbers of the surroundings and the key light's colour


@dataclass(frozen=True, eq=False)
class LightPrior:
    """A Gaussian over the surroundings and the key light's colour, as the world's sampler has it.

    Its mean colour and its contrasts tell a dark skin in bright light from a fair one in dim light,
    as far as that can be told.
    """

    mean: Tensor  # (30,)
    precision: Tensor  # (30, 30)


@lru_cache(maxsize=1)
def light_prior() -> LightPrior:
    """Mean and precision of 2,000 sampled lights."""
    light = sample_lights(_DRAWN, torch.Generator().manual_seed(0))
    numbers = light_numbers(light)
    covariance = torch.cov(numbers.T.double()) + 1e-4 * torch.eye(_PARTS).double()
    return LightPrior(numbers.mean(0), torch.linalg.inv(covariance).float())


def light_numbers(light: Light) -> Tensor:
    """(B, 30): the surroundings, harmonic by harmonic, and the key light's colour."""
    return torch.cat([light.ambient.flatten(1), light.key_colour], 1)


def mean_light(count: int, radius: float, prior: LightPrior) -> Light:
    """`count` times the prior's mean, with a key light from in front."""
    numbers = prior.mean.expand(count, -1)
    front = numbers.new_tensor([0, 0, 1]).expand(count, -1)
    return _light(numbers, front, numbers.new_full((count,), radius))


def search_light(
    colours: Tensor, albedo: Tensor, normals: Tensor, seen: Tensor, shadowed, radius: Tensor,
    prior: LightPrior,
) -> Light:  # fmt: skip
    """Try key lights from everywhere; with each, all else about the light is least squares.

    Args:
        colours: (B, 3, S), linear, of S points in the picture.
        albedo: (B, 3, S), linear, as far as it is known.
        normals: (B, 3, S, 1), view frame.
        seen: (B, S), how much a point counts.
        shadowed: a function of directions (B, 3) that gives the share (B, 1, S, 1) of a key light
            from there that arrives.
        radius: (B,), of the key light.
        prior: of lights.
    """
    # Errors of dark pixels count more, as they do in the encoded picture.
    weight = seen[:, None] / (colours + 0.02) ** 1.2
    strength = _PARTS * weight.mean((1, 2))[:, None]
    surroundings = shading_basis(normals)[..., 0]
    best = None
    directions = sphere_directions(_TRIED).to(colours)
    for direction in directions[directions[:, 2] > _BEHIND]:
        towards = direction.expand(len(colours), 3)
        cosine = dot(normals, towards[:, :, None, None]).clamp(min=0)
        basis = torch.cat([surroundings, (cosine * shadowed(towards))[..., 0]], 1)  # (B, 10, S)
        cost, numbers = _least_squares(basis, albedo, colours, weight, strength, prior)
        if best is None:
            best = cost, numbers, towards
        better = cost < best[0]
        best = tuple(
            torch.where(better.view(-1, *[1] * (new.ndim - 1)), new, old)
            for new, old in zip((cost, numbers, towards), best, strict=True)
        )
    return _light(best[1], best[2], radius)


def _least_squares(basis, albedo, colours, weight, strength, prior) -> tuple[Tensor, Tensor]:
    """Cost (B,) and the light's 30 numbers (B, 30)."""
    normal = strength[..., None] * prior.precision
    right = strength * (prior.precision @ prior.mean)
    cost = (weight * colours.square()).sum((1, 2))
    for channel in range(3):
        place = torch.arange(channel, _PARTS, 3)
        columns = basis * albedo[:, channel, None]
        weighted = columns * weight[:, channel, None]
        normal[:, place[:, None], place] += weighted @ columns.mT
        right[:, place] += (weighted @ colours[:, channel, :, None])[..., 0]
    numbers = torch.linalg.solve(normal, right)
    # Lights do not shine negatively: such a direction is out of the question.
    negative = numbers[:, 27:].clamp(max=0).square().sum(1)
    return cost - (right * numbers).sum(1) + 1e3 * negative, numbers


def _light(numbers: Tensor, direction: Tensor, radius: Tensor) -> Light:
    colour = numbers[:, 27:].clamp(min=0.01)
    return Light(numbers[:, :27].unflatten(1, (9, 3)), direction, colour, radius)
