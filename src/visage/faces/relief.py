"""Relief that no vertex carries: pores and wrinkles turn the normals."""

import torch
from torch import Tensor

from visage.faces.directions import cross, dot, unit

# Pixels across which the surface jumps would otherwise become deep scratches.
_STEEPEST = 1.5


def relief(normals: Tensor, positions: Tensor, height: Tensor) -> Tensor:
    """Normals of a surface that is raised by `height` along them.

    n' ∝ n - ∇h, with the gradient on the surface from the differences between neighbouring pixels
    (Mikkelsen 2010, "Bump mapping unparametrized surfaces on the GPU", eq. 5 and 6), so that no
    tangent vectors are needed and seams of the texture do not show.

    Args:
        normals: (B, 3, H, W), unit vectors, view frame; zero at the background.
        positions: (B, 3, H, W), mm, view frame.
        height: (B, 1, H, W), mm.

    Returns:
        (B, 3, H, W), unit vectors; zero at the background.

    >>> z = torch.zeros(1, 3, 4, 4).index_fill(1, torch.tensor(2), 1.0)
    >>> x = torch.arange(4.0).expand(1, 1, 4, 4)
    >>> at = torch.cat([x, -x.mT, 0 * x], 1)
    >>> relief(z, at, x)[0, :, 1, 1]  # rises at 45 degrees to the right
    tensor([-0.7071,  0.0000,  0.7071])
    """
    inside = (normals != 0).any(1, keepdim=True)
    right, down = _difference(positions, inside, 3), _difference(positions, inside, 2)
    across, along = _difference(height, inside, 3), _difference(height, inside, 2)
    # r₁ = σ_t × n, r₂ = n × σ_s; the picture's y points down, which turns both signs.
    first, second = cross(down, normals), cross(normals, right)
    area = dot(right, first)
    sign = torch.where(area < 0, -1.0, 1.0)
    gradient = sign * (across * first + along * second) / area.abs().clamp(min=1e-6)
    steep = dot(gradient, gradient).clamp(min=1e-12).sqrt()
    gradient = gradient * (_STEEPEST / steep).clamp(max=1)
    return unit(normals - gradient)


def _difference(values: Tensor, inside: Tensor, dim: int) -> Tensor:
    """To the next pixel along `dim`; from the one before at edges; zero where neither is there."""
    size = values.shape[dim]
    if size < 2:
        return torch.zeros_like(values)
    step = values.narrow(dim, 1, size - 1) - values.narrow(dim, 0, size - 1)
    both = inside.narrow(dim, 1, size - 1) & inside.narrow(dim, 0, size - 1)
    step = step * both
    edge = torch.zeros_like(values.narrow(dim, 0, 1))
    ahead, behind = torch.cat([step, edge], dim), torch.cat([edge, step], dim)
    none = torch.zeros_like(both.narrow(dim, 0, 1))
    return torch.where(torch.cat([both, none], dim), ahead, behind)
