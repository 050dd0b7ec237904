"""The supervised criterion: slopes of a depth map against those of the true one.

Richardson et al. (2017, section 4.3) name a mean squared error of depth as the criterion that they
would take if there were true detail to learn from. Renders have it. Depth itself is the wrong
thing to compare, though: CoarseNet errs by millimetres, and wrinkles are a tenth of one, so
that a network which sees 20 pixels far would be told about hardly anything but what it cannot
know. So slopes are compared, over steps of a few lengths, and their absolute errors, which leave
flat what cannot be told.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from visage.geometry.errors import DetailError

STEPS = (1, 2, 4, 8)
"""Pixels over which slopes are measured."""

STEEPEST = 2.0
"""Slope, 63 degrees, beyond which neighbouring pixels are taken to be of two surfaces."""


def slope_loss(
    depth: Tensor, truth: Tensor, weight: Tensor, scale: Tensor, steps: tuple[int, ...] = STEPS
) -> Tensor:
    """Mean absolute error of the slope, down and to the right, over all steps alike.

    |((ẑ - z)(p + k) - (ẑ - z)(p)) s / k|, where both pixels count.

    Args:
        depth: (B, 1, H, W) mm, ẑ; anything where the weight is 0.
        truth: (B, 1, H, W) mm, z; likewise.
        weight: (B, 1, H, W) in [0, 1], how much a pixel counts, such as `comparable` says.
        scale: (B,) pixels a millimetre.
        steps: k, pixels.

    Returns:
        (B,), without unit: millimetres a millimetre. 0 where nothing counts.

    Raises:
        DetailError: the shapes differ.

    >>> slope = torch.arange(9.0).expand(1, 1, 9, 9)
    >>> slope_loss(slope, 0 * slope, torch.ones(1, 1, 9, 9), torch.ones(1))
    tensor([0.5000])
    """
    if not depth.shape == truth.shape == weight.shape or depth.ndim != 4:
        raise DetailError(
            f"depth is {tuple(depth.shape)}, truth {tuple(truth.shape)} and weight "
            f"{tuple(weight.shape)}; expected (B, 1, H, W) of all"
        )
    nothing = weight <= 0
    error = depth.masked_fill(nothing, 0) - truth.masked_fill(nothing, 0)
    error = error * scale.view(-1, 1, 1, 1)
    total = 0
    for step in steps:
        sums = []
        for dim in (2, 3):
            near, far = (_shifted(error, dim, step, end) for end in (False, True))
            both = _shifted(weight, dim, step, False) * _shifted(weight, dim, step, True)
            wrong = ((far - near) / step).abs()
            sums.append(torch.stack([(both * wrong).sum((1, 2, 3)), both.sum((1, 2, 3))]))
        wrong, count = sum(sums)
        total = total + wrong / count.clamp(min=1e-6)
    return total / len(steps)


def comparable(depth: Tensor, truth: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
    """Pixels at which two depth maps show the same surface: not beside an outline of either.

    Args:
        depth: (B, 1, H, W) mm; not finite where there is nothing.
        truth: (B, 1, H, W) mm, likewise.
        mask: (B, 1, H, W), above 0 where either may count.
        scale: (B,) pixels a millimetre.

    Returns:
        (B, 1, H, W) bool.
    """
    inside = depth.isfinite() & truth.isfinite() & (mask > 0)
    jump = ~inside
    for surface in (depth, truth):
        tall = surface.masked_fill(~inside, 0) * scale.view(-1, 1, 1, 1)
        for dim in (2, 3):
            step = tall.diff(dim=dim).abs() > STEEPEST
            none = torch.zeros_like(step.narrow(dim, 0, 1))
            jump = jump | torch.cat([step, none], dim) | torch.cat([none, step], dim)
    return max_pool2d(jump.float(), 3, stride=1, padding=1) == 0


def _shifted(values: Tensor, dim: int, step: int, end: bool) -> Tensor:
    return values.narrow(dim, step if end else 0, max(0, values.shape[dim] - step))
