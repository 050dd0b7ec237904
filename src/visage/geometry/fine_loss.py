"""FineNet's unsupervised criterion: shape from shading as a loss (Richardson et al. 2017, 4.3).

L(ẑ, z₀, I) = λ_sh E_sh + λ_f E_f + λ_sm E_sm (eq. 14), each a mean over the pixels of a face:

- E_sh = (ρ ⟨l, Y(ẑ)⟩ - I)² (eq. 8), how well the surface explains the picture;
- E_f = (ẑ - z₀)² and E_sm = |Δ ẑ| (eq. 13), how little it strays and how little it bends.

**Units.** The paper gives λ = (1, 5e-3, 1), but neither the unit of intensity nor that of depth,
and the balance hangs on both: with U units of depth to a millimetre and full white at K, the terms
weigh K², 5e-3 U² and U. In millimetres and [0, 1] smoothness wins by a hundred and nothing is
carved; in 255 grey levels it counts for nothing and noise is. `FineUnits` holds the units in which
the paper's numbers work, found on validation people of this book's world.

Light and albedo are constants here, as in the paper: `explain` finds them from the coarse depth.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from visage.geometry.errors import ShadingError
from visage.geometry.light_and_albedo import Recovered, RecoveryConfig, recover, shade
from visage.geometry.surface_normals import depth_laplacian, normals_of_depth, surrounded

_AS_SHIPPED = RecoveryConfig()


@dataclass(frozen=True)
class FineLossWeights:
    """λ of eq. 14, as the paper sets them."""

    shading: float = 1.0  # λ_sh
    fidelity: float = 5e-3  # λ_f
    smoothness: float = 1.0  # λ_sm

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 <= value < float("inf"):
                raise ShadingError(f"the weight of {name} is {value}; give a number of at least 0")


@dataclass(frozen=True)
class FineUnits:
    """In what depth and intensity are counted, so that `FineLossWeights` balance."""

    # The intensity of linear 1. With 8 no wrinkle is carved, with 24 every freckle is.
    white: float = 16.0
    millimetre: float = 1.0  # the depth of 1 mm; 0.5 to 10 make no difference that we could see

    def __post_init__(self):
        if self.white <= 0 or self.millimetre <= 0:
            raise ShadingError(f"units are {self.white} and {self.millimetre}; give positive ones")


@dataclass(frozen=True, eq=False)
class FineLoss:
    """Eq. 14 of B faces and its terms, weighted, so that they add up to it; each (B,)."""

    shading: Tensor
    fidelity: Tensor
    smoothness: Tensor

    @property
    def total(self) -> Tensor:
        """(B,), L."""
        return self.shading + self.fidelity + self.smoothness


def fine_loss(
    depth: Tensor,
    coarse: Tensor,
    linear: Tensor,
    recovered: Recovered,
    mask: Tensor,
    scale: Tensor,
    weights: FineLossWeights = FineLossWeights(),
    units: FineUnits = FineUnits(),
) -> FineLoss:
    """FineNet's criterion (Richardson et al. 2017, eq. 14).

    Args:
        depth: (B, 1, H, W) mm, ẑ, FineNet's.
        coarse: (B, 1, H, W) mm, z₀, CoarseNet's.
        linear: (B, 1, H, W), I, linear light.
        recovered: light and albedo, from `explain`.
        mask: (B, 1, H, W), 1 where the face counts; depth outside may be anything.
        scale: (B,) pixels a millimetre.
        weights: λ.
        units: that λ is meant for.

    Returns:
        FineLoss, differentiable in depth, coarse depth, picture, albedo and light.

    Raises:
        DepthError, ShadingError: a shape does not fit, or a value is not finite in the mask.
    """
    light, albedo = recovered.light, recovered.albedo
    shading = shading_loss(depth, linear, albedo, light, mask, scale)
    return FineLoss(
        weights.shading * units.white**2 * shading,
        weights.fidelity * units.millimetre**2 * fidelity_loss(depth, coarse, mask),
        weights.smoothness * units.millimetre * smoothness_loss(depth, mask),
    )


def explain(
    linear: Tensor,
    coarse: Tensor,
    mean: Tensor,
    modes: Tensor,
    mask: Tensor,
    scale: Tensor,
    config: RecoveryConfig = _AS_SHIPPED,
) -> Recovered:
    """Light and albedo of pictures from the coarse depth: what `fine_loss` holds fixed.

    Args:
        linear: (B, 1, H, W), linear light.
        coarse: (B, 1, H, W) mm, z₀.
        mean: (B, 1, H, W), μ_T drawn on the coarse face.
        modes: (B, K, H, W), A_T likewise.
        mask: (B, 1, H, W), 1 where the face counts.
        scale: (B,) pixels a millimetre.
        config: of the solves.

    Returns:
        Recovered, differentiable; `detach` it where it shall be a constant.
    """
    return recover(linear, mean, modes, normals_of_depth(coarse, mask, scale), mask, config)


def shading_loss(
    depth: Tensor, linear: Tensor, albedo: Tensor, light: Tensor, mask: Tensor, scale: Tensor
) -> Tensor:
    """E_sh = mean (ρ ⟨l, Y(ẑ)⟩ - I)² (Richardson et al. 2017, eq. 8).

    Args:
        depth: (B, 1, H, W) mm; anything where the mask is 0.
        linear: (B, 1, H, W), I, linear light.
        albedo: (B, 1, H, W), ρ, linear.
        light: (B, 4), l.
        mask: (B, 1, H, W), 1 where the face counts.
        scale: (B,) pixels a millimetre.

    Returns:
        (B,), linear light squared; 0 where the mask is empty.

    >>> import torch
    >>> flat, half = torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.5)
    >>> light = torch.tensor([[0.0, 0.0, 0.0, 1.0]])  # from the viewer
    >>> shading_loss(flat, half - 0.1, half, light, torch.ones(1, 1, 4, 4), torch.ones(1))
    tensor([0.0100])
    """
    if linear.shape != depth.shape or albedo.shape != depth.shape:
        raise ShadingError(
            f"depth is {tuple(depth.shape)}, the picture {tuple(linear.shape)} and albedo "
            f"{tuple(albedo.shape)}; expected (B, 1, H, W) of all"
        )
    normals = normals_of_depth(depth, mask, scale)
    error = (albedo * shade(normals, light) - linear).masked_fill(mask <= 0, 0)
    return _mean(error.square(), mask > 0)


def fidelity_loss(depth: Tensor, coarse: Tensor, mask: Tensor) -> Tensor:
    """E_f = mean (ẑ - z₀)² (Richardson et al. 2017, eq. 13).

    Args:
        depth: (B, 1, H, W) mm; anything where the mask is 0.
        coarse: (B, 1, H, W) mm, likewise.
        mask: (B, 1, H, W), 1 where the face counts.

    Returns:
        (B,), mm²; 0 where the mask is empty.

    >>> import torch
    >>> ones = torch.ones(2, 1, 3, 3)
    >>> fidelity_loss(2 * ones, 4 * ones, ones)
    tensor([4., 4.])
    """
    if depth.shape != coarse.shape or depth.shape != mask.shape:
        raise ShadingError(
            f"depth is {tuple(depth.shape)}, coarse depth {tuple(coarse.shape)} and mask "
            f"{tuple(mask.shape)}; expected (B, 1, H, W) of all"
        )
    outside = mask <= 0
    moved = depth.masked_fill(outside, 0) - coarse.masked_fill(outside, 0)
    return _mean(moved.square(), ~outside)


def smoothness_loss(depth: Tensor, mask: Tensor) -> Tensor:
    """E_sm = mean |Δ ẑ| (Richardson et al. 2017, eq. 13).

    Args:
        depth: (B, 1, H, W) mm; anything where the mask is 0.
        mask: (B, 1, H, W), 1 where the face counts.

    Returns:
        (B,), mm, a mean over the pixels whose four neighbours are in the mask too; 0 where there
        is none. At twice the size a smooth surface has a quarter of it.
    """
    return _mean(depth_laplacian(depth, mask).abs(), surrounded(mask > 0))


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean (B,) over the pixels that count; others must be zero."""
    return values.sum((1, 2, 3)) / counted.sum((1, 2, 3)).clamp(min=1)
