"""Spherical harmonics: light from all sides in 4 or 9 numbers a colour.

The real basis Y_lm on unit directions (x, y, z), orthonormal on the sphere, in the order
(0,0), (1,-1), (1,0), (1,1), (2,-2), ..., (2,2), which is 1, y, z, x, xy, yz, 3z²-1, xz, x²-y² up to
factors (Ramamoorthi and Hanrahan 2001, eq. 3). An environment with radiance L(ω) = Σ L_lm Y_lm(ω)
lights a Lambertian surface of normal n with the irradiance E(n) = Σ A_l L_lm Y_lm(n), where
A = (π, 2π/3, π/4) is the clamped cosine (their eq. 8 and 9). Order 2 keeps 99% of any environment's
irradiance.

**Units.** `shade` returns E/π: what a white surface sends back. An environment of constant radiance
1 shades everything with 1, and a picture is albedo times shading.

**The papers.** Saito et al. (2017) use order 2, L in R^27: 9 coefficients a colour. Richardson et
al. (2017) use order 1 in their own basis, ⟨l, Y⟩ with Y = (1, n_x, n_y, n_z) (eq. 8 and 9), on grey
pictures: `to_richardson` and `from_richardson` convert.
"""

import math

import torch
from torch import Tensor

from visage.faces.directions import sphere_directions

COSINE_LOBE = (math.pi, 2 * math.pi / 3, math.pi / 4)
"""A_l: how much of each order a Lambertian surface keeps."""

_Y0 = math.sqrt(1 / math.pi) / 2
_Y1 = math.sqrt(3 / math.pi) / 2
_Y2 = math.sqrt(15 / math.pi) / 2
_Y20 = math.sqrt(5 / math.pi) / 4
_ORDER_OF = (0, 1, 1, 1, 2, 2, 2, 2, 2)


def harmonics(directions: Tensor, order: int, *, dim: int = -1) -> Tensor:
    """Evaluate the real spherical harmonics up to an order.

    Args:
        directions: (..., 3, ...), unit vectors along `dim`.
        order: 0, 1 or 2.
        dim: which dimension holds x, y and z.

    Returns:
        (..., K, ...), K = (order + 1)², along `dim`.

    Raises:
        ValueError: the order is not 0, 1 or 2, or `dim` does not hold three numbers.

    >>> harmonics(torch.tensor([0.0, 0.0, 1.0]), 1)
    tensor([0.2821, 0.0000, 0.4886, 0.0000])
    """
    if order not in (0, 1, 2):
        raise ValueError(f"order is {order}; spherical harmonics are given for 0, 1 and 2")
    if directions.ndim == 0 or directions.shape[dim] != 3:
        raise ValueError(f"directions are {tuple(directions.shape)}; expected 3 along {dim}")
    x, y, z = directions.unbind(dim)
    basis = [torch.full_like(x, _Y0)]
    if order > 0:
        basis += [_Y1 * y, _Y1 * z, _Y1 * x]
    if order > 1:
        basis += [
            *(_Y2 * x * y, _Y2 * y * z, _Y20 * (3 * z * z - 1)),
            *(_Y2 * x * z, _Y2 / 2 * (x * x - y * y)),
        ]
    return torch.stack(basis, dim)


def shade(normals: Tensor, coefficients: Tensor) -> Tensor:
    """Light a white Lambertian surface: E(n)/π = Σ (A_l/π) L_lm Y_lm(n).

    Linear in the coefficients; nothing is clamped.

    Args:
        normals: (B, 3, H, W), unit vectors, in the frame of the light.
        coefficients: (B, K, C), radiance L_lm, with K = 1, 4 or 9; B may be 1.

    Returns:
        (B, C, H, W). A zero normal, as at the background, gives no meaningful value.

    Raises:
        ValueError: a shape does not fit.

    >>> white = torch.tensor([[[math.sqrt(4 * math.pi)]]])  # radiance 1 from everywhere
    >>> shade(torch.tensor([0.0, 0.6, 0.8]).view(1, 3, 1, 1), white)
    tensor([[[[1.0000]]]])
    """
    order = _order(coefficients)
    basis = harmonics(normals, order, dim=1)
    kept = [COSINE_LOBE[_ORDER_OF[k]] / math.pi for k in range(coefficients.shape[1])]
    weights = coefficients * coefficients.new_tensor(kept)[:, None]
    return (weights.mT @ basis.flatten(2)).unflatten(2, normals.shape[2:])


def shading_factors(coefficients: Tensor) -> Tensor:
    """Rewrite light (B, 4 or 9, C) as factors (B, 9, C) of plain polynomials.

    With them `shade` is their scalar product with 1, y, z, x, xy, yz, 3z²-1, xz and x²-y².

    Raises:
        ValueError: the shape does not fit.
    """
    _order(coefficients)
    basis = [_Y0, *[_Y1] * 3, _Y2, _Y2, _Y20, _Y2, _Y2 / 2]
    kept = [y * COSINE_LOBE[order] / math.pi for y, order in zip(basis, _ORDER_OF, strict=True)]
    missing = coefficients.new_zeros(len(coefficients), 9 - coefficients.shape[1], 3)
    return torch.cat([coefficients, missing], 1) * coefficients.new_tensor(kept)[:, None]


def radiance(directions: Tensor, coefficients: Tensor) -> Tensor:
    """The light itself, seen in directions (B, 3, H, W): Σ L_lm Y_lm, (B, C, H, W).

    What a smooth, wet surface mirrors, such as an eye, when the reflected direction is given.

    Raises:
        ValueError: a shape does not fit.
    """
    basis = harmonics(directions, _order(coefficients), dim=1)
    return (coefficients.mT @ basis.flatten(2)).unflatten(2, directions.shape[2:])


def disc_light(directions: Tensor, colours: Tensor, radius: Tensor, order: int = 2) -> Tensor:
    """Coefficients of a round light of constant radiance.

    A disc of angular radius a and radiance L lights a surface that faces it with E = π L sin² a.
    Over the disc, P_l averages to 1, (1 + c)/2 and c (1 + c)/2 for the orders 0, 1 and 2, where
    c = cos a, and its solid angle is 2π (1 - c). By the addition theorem,
    L_lm = π · colour · k_l · Y_lm(centre) with k = (2/(1 + c), 1, c).

    Args:
        directions: (B, 3), unit vectors to the centre.
        colours: (B, C), E/π of a surface that faces the light.
        radius: (B,), a in radians, at most π/2; 0 is a light at a point at infinity.
        order: 0, 1 or 2.

    Returns:
        (B, (order + 1)², C).
    """
    c = radius.cos()
    kept = torch.stack([2 / (1 + c), torch.ones_like(c), c], 1)
    basis = harmonics(directions, order)
    basis = basis * kept[:, list(_ORDER_OF[: basis.shape[1]])]
    return math.pi * basis[..., None] * colours[:, None]


def rotate(coefficients: Tensor, rotation: Tensor) -> Tensor:
    """Turn an environment: the result is L'(ω) = L(Rᵀ ω).

    Each order is closed under rotation, so that a fit to 32 directions is exact.

    Args:
        coefficients: (B, K, C), K = 1, 4 or 9.
        rotation: (B, 3, 3) or (3, 3).

    Returns:
        (B, K, C).
    """
    order = _order(coefficients)
    directions = sphere_directions(32).to(coefficients)
    before = harmonics(directions @ rotation, order)
    return torch.linalg.pinv(harmonics(directions, order)) @ before @ coefficients


def to_richardson(coefficients: Tensor) -> Tensor:
    """Coefficients l for which ⟨l, (1, n_x, n_y, n_z)⟩ is the shading of orders 0 and 1.

    Richardson et al. (2017), eq. 8 and 9.

    Args:
        coefficients: (B, 4, C) or (B, 9, C), radiance L_lm; order 2 is left out.

    Returns:
        (B, 4, C).
    """
    if _order(coefficients) < 1:
        raise ValueError("one coefficient has no order 1; give 4 or 9")
    return coefficients[:, [0, 3, 1, 2]] * _richardson_factors(coefficients)


def from_richardson(lighting: Tensor) -> Tensor:
    """Invert `to_richardson`: l (B, 4, C) of eq. 8 to radiance coefficients (B, 4, C)."""
    if lighting.ndim != 3 or lighting.shape[1] != 4:
        raise ValueError(f"lighting is {tuple(lighting.shape)}; expected (B, 4, C)")
    return (lighting / _richardson_factors(lighting))[:, [0, 2, 3, 1]]


def _richardson_factors(like: Tensor) -> Tensor:
    first = COSINE_LOBE[1] / math.pi * _Y1
    return like.new_tensor([COSINE_LOBE[0] / math.pi * _Y0, first, first, first])[:, None]


def _order(coefficients: Tensor) -> int:
    if coefficients.ndim != 3 or coefficients.shape[1] not in (1, 4, 9):
        raise ValueError(
            f"coefficients are {tuple(coefficients.shape)}; expected (B, K, C) with K = 1, 4 or 9"
        )
    return math.isqrt(coefficients.shape[1]) - 1
