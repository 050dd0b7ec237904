"""Light and albedo of a face by two linear least squares (Richardson et al. 2017, eqs. 10 to 12).

A picture is modelled as albedo times shading, I = ρ ⟨l, Y⟩ with Y = (1, n_x, n_y, n_z), in linear
light. Given the coarse face's normals and the average albedo, the light is four numbers in a linear
equation a pixel (eq. 11); given the light, the albedo is ten (eq. 12). Both are overdetermined,
but not always of full rank: a mask may be empty, a surface flat, a picture all white. So each solve
is pulled, slightly, to a named answer: light to `FRONTAL_LIGHT` as bright as the picture, albedo to
the average face. What the picture determines hardly moves; what it does not is answered by those.

How bright the light is and how dark the skin cannot be told apart: eq. 11 gives all of it to the
light, as if everybody had average skin. Compare lights by direction, albedos up to a factor.

All is batched and differentiable in pictures, normals and textures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.geometry.errors import ShadingError

FRONTAL_LIGHT = (0.60, 0.0, 0.15, 0.30)
"""l of an ordinary room: from all sides, a little from above, and from the viewer's side."""

SATURATED = 0.966
"""Linear; sRGB 0.985. A brighter pixel says only that it is bright."""

_ENOUGH = 0.1  # share of the mask; where fewer pixels are not saturated, all of them count
_TINY = 1e-12


@dataclass(frozen=True)
class RecoveryConfig:
    """How light and albedo are solved for."""

    # Towards FRONTAL_LIGHT, against the mean square of a basis function, which is 1 to 0.1.
    light_prior: float = 1e-2
    # Towards the average face, against mean squares of shaded modes, in linear light squared; a
    # mode's coefficient is in standard deviations.
    albedo_prior: float = 3e-5
    # The paper solves for light, then for albedo, once; more rounds alternate.
    rounds: int = 1

    def __post_init__(self):
        if self.light_prior <= 0 or self.albedo_prior <= 0:
            raise ShadingError(
                "light_prior and albedo_prior must be positive: they answer what a picture leaves "
                "open"
            )
        if self.rounds < 1:
            raise ShadingError(f"rounds is {self.rounds}; give at least 1")


@dataclass(frozen=True, eq=False)
class Recovered:
    """What explains B pictures: albedo times shading."""

    light: Tensor  # (B, 4), l of eq. 8
    weights: Tensor  # (B, K), α_T of eq. 10, standard deviations
    albedo: Tensor  # (B, 1, H, W), linear, ρ of eq. 10; zero where the mask is 0
    shading: Tensor  # (B, 1, H, W), ⟨l, Y⟩; zero where the mask is 0

    def __len__(self) -> int:
        """Pictures in the batch."""
        return len(self.light)

    @property
    def picture(self) -> Tensor:
        """(B, 1, H, W), linear, what the recovered albedo looks like in the recovered light."""
        return self.albedo * self.shading

    def detach(self) -> Recovered:
        """The same, constant to derivatives."""
        parts = self.light, self.weights, self.albedo, self.shading
        return Recovered(*(part.detach() for part in parts))


def recover(
    linear: Tensor,
    mean: Tensor,
    modes: Tensor,
    normals: Tensor,
    mask: Tensor,
    config: RecoveryConfig = RecoveryConfig(),
) -> Recovered:
    """Light, then albedo (Richardson et al. 2017, eqs. 11 and 12).

    Args:
        linear: (B, 1, H, W), grey, linear light (`visage.faces.reflectance.decode_srgb`).
        mean: (B, 1, H, W), average albedo μ_T, drawn on the coarse face (`TextureSpace.drawn`).
        modes: (B, K, H, W), changes of albedo A_T for a standard deviation each; K may be 0.
        normals: (B, 3, H, W), unit vectors of the coarse face, view frame.
        mask: (B, 1, H, W), weight of each pixel, 0 or 1 or between; the skin, best of all.
        config: of the solves.

    Returns:
        Recovered. Saturated pixels do not count, if there are others.

    Raises:
        ShadingError: a shape does not fit, or a value is not finite within the mask.
    """
    _check(linear, mean, modes, normals, mask)
    counted = usable_pixels(linear, mask)
    albedo, weights = mean, None
    for _ in range(config.rounds):
        light = recover_light(linear, albedo, normals, counted, prior=config.light_prior)
        shading = shade(normals, light)
        weights = recover_albedo(linear, mean, modes, shading, counted, prior=config.albedo_prior)
        albedo = mean + _mixed(modes, weights)
    inside = mask > 0
    return Recovered(
        light, weights, albedo.masked_fill(~inside, 0), shading.masked_fill(~inside, 0)
    )


def recover_light(
    linear: Tensor,
    albedo: Tensor,
    normals: Tensor,
    mask: Tensor,
    *,
    prior: float = RecoveryConfig.light_prior,
) -> Tensor:
    """l* = argmin Σ (ρ ⟨l, Y⟩ - I)² + prior Σ ρ² ‖l - c l₀‖² (Richardson et al. 2017, eq. 11).

    l₀ is `FRONTAL_LIGHT`, and c the brightness with which it explains the picture best; 1 where
    there is no picture.

    Args:
        linear: (B, 1, H, W), linear light.
        albedo: (B, 1, H, W), linear, that is taken for granted.
        normals: (B, 3, H, W), unit vectors, view frame.
        mask: (B, 1, H, W), weight of each pixel.
        prior: positive.

    Returns:
        (B, 4).

    Raises:
        ShadingError: a shape does not fit, or a value is not finite within the mask.

    >>> normals = torch.nn.functional.normalize(torch.randn(1, 3, 8, 8), dim=1)
    >>> ones = torch.ones(1, 1, 8, 8)
    >>> picture = 0.2 * ones + 0.1 * normals[:, :1]  # half of it from the right
    >>> recover_light(picture, 0.5 * ones, normals, ones, prior=1e-6).round(decimals=3).abs()
    tensor([[0.4000, 0.2000, 0.0000, 0.0000]])
    """
    _check(linear, albedo, None, normals, mask)
    lit = shading_basis(normals) * albedo
    gram, right = _normal_equations(lit, linear, mask)
    weight = _sum(mask * _inside(albedo, mask).square())[:, None]  # (B, 1)
    gram, right = gram / (weight[..., None] + _TINY), right / (weight + _TINY)
    frontal = right.new_tensor(FRONTAL_LIGHT)
    bright = (right @ frontal + _TINY) / (frontal @ gram @ frontal + _TINY)
    pull = prior * torch.eye(4, dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(gram + pull, right + prior * bright[:, None] * frontal)


def recover_albedo(
    linear: Tensor,
    mean: Tensor,
    modes: Tensor,
    shading: Tensor,
    mask: Tensor,
    *,
    prior: float = RecoveryConfig.albedo_prior,
) -> Tensor:
    """α* = argmin mean ((μ_T + A_T α) s - I)² + prior ‖α‖² (Richardson et al. 2017, eq. 12).

    Args:
        linear: (B, 1, H, W), linear light.
        mean: (B, 1, H, W), average albedo μ_T.
        modes: (B, K, H, W), A_T, for a standard deviation each.
        shading: (B, 1, H, W), s = ⟨l, Y⟩.
        mask: (B, 1, H, W), weight of each pixel.
        prior: positive.

    Returns:
        (B, K), standard deviations; 0 where the mask is empty.

    Raises:
        ShadingError: a shape does not fit, or a value is not finite within the mask.
    """
    _check(linear, mean, modes, None, mask)
    shading = _inside(shading, mask)
    left = linear - _inside(mean, mask) * shading
    gram, right = _normal_equations(modes * shading, left, mask)
    count = _sum(mask)[:, None] + _TINY
    pull = prior * torch.eye(modes.shape[1], dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(gram / count[..., None] + pull, right / count)


def shading_basis(normals: Tensor) -> Tensor:
    """Y = (1, n_x, n_y, n_z) of normals (B, 3, H, W): (B, 4, H, W) (eq. 9)."""
    return torch.cat([torch.ones_like(normals[:, :1]), normals], 1)


def shade(normals: Tensor, light: Tensor) -> Tensor:
    """⟨l, Y⟩ of normals (B, 3, H, W) under lights (B, 4): (B, 1, H, W); nothing is clamped."""
    return _mixed(shading_basis(normals), light)


def usable_pixels(linear: Tensor, mask: Tensor) -> Tensor:
    """The mask without saturated pixels; all of it where hardly anything would be left.

    Args:
        linear: (B, 1, H, W), linear light.
        mask: (B, 1, H, W).

    Returns:
        (B, 1, H, W).
    """
    kept = mask * (linear < SATURATED)
    enough = _sum(kept) >= _ENOUGH * _sum(mask)
    return torch.where(enough[:, None, None, None], kept, mask)


def _normal_equations(columns: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Gram matrices (B, K, K) and right sides (B, K) of least squares weighted by the mask."""
    columns = _inside(columns, mask).flatten(2)
    weighted = columns * mask.flatten(2)
    return weighted @ columns.mT, (weighted @ _inside(target, mask).flatten(2).mT)[..., 0]


def _mixed(pictures: Tensor, weights: Tensor) -> Tensor:
    """Σ_k weights (B, K) pictures (B, K, H, W): (B, 1, H, W)."""
    return (pictures * weights[:, :, None, None]).sum(1, keepdim=True)


def _inside(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(mask <= 0, 0)


def _sum(values: Tensor) -> Tensor:
    return values.sum((1, 2, 3))


def _check(
    linear: Tensor, albedo: Tensor, modes: Tensor | None, normals: Tensor | None, mask: Tensor
) -> None:
    shape = tuple(linear.shape)
    given = {"albedo": (albedo, 1), "mask": (mask, 1), "normals": (normals, 3), "modes": (modes, 0)}
    if len(shape) != 4 or shape[1] != 1:
        raise ShadingError(f"the picture is {shape}; expected (B, 1, H, W), grey and linear")
    for name, (value, channels) in given.items():
        if value is None:
            continue
        expected = (shape[0], channels or value.shape[1], *shape[2:])
        if tuple(value.shape) != expected:
            raise ShadingError(f"{name} is {tuple(value.shape)}; expected {expected}")
    for name, value in (("picture", linear), ("albedo", albedo), ("normals", normals)):
        if value is not None and not (value.detach().isfinite() | (mask <= 0)).all():
            raise ShadingError(f"the {name} is not finite within the mask; mask those pixels out")
