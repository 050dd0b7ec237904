"""What is left when total variation outweighs everything: appendix B, eqs. 6 to 11."""

from __future__ import annotations

import torch
from torch import Tensor

from visage.inversion.errors import InversionError, check_images, check_positive
from visage.inversion.total_variation import total_variation


def smooth_deviation(gradient: Tensor, weight: float, alpha: float = 2.0) -> Tensor:
    """Deviation δp of a stationary image from its own mean, to lowest order in 1/w_TV.

    Zhmoginov and Sandler (2016), eq. 11: δp'_n = −(∂L/∂p)_n / (4 α γ_n w_TV) for every frequency n
    but 0, γ_n = sin²(π n_x/W) + sin²(π n_y/H), and δp = C δp' with
    C = R_TV(δp')^((2−α)/(α(α−1))). For α = 2, C is 1. The gradient is divided by the squared
    frequency: only its coarse shapes are left.

    Args:
        gradient: (B, C, H, W), ∂L/∂p of everything but total variation at the flat image p̄ whose
            mean gradient is zero in each channel (eq. 10).
        weight: w_TV, positive.
        alpha: of the total variation, positive and not 1, where the length of δp is not determined.

    Returns:
        (B, C, H, W), with mean zero.

    Raises:
        InversionError: the weight or α cannot be used, or the gradient is not 4-D.

    >>> flat = smooth_deviation(torch.ones(1, 1, 4, 4), weight=10.0)
    >>> bool((flat == 0).all())
    True
    """
    check_images(gradient)
    check_positive("weight", weight)
    check_positive("alpha", alpha)
    if alpha == 1:
        raise InversionError("alpha = 1 leaves the length of the deviation open; take another.")
    height, width = gradient.shape[-2:]
    squared = _squared_frequencies(height, width).to(gradient)
    spectrum = torch.fft.fft2(gradient)
    spectrum = -spectrum / (4 * alpha * weight * squared)
    spectrum[..., 0, 0] = 0
    deviation = torch.fft.ifft2(spectrum).real
    if alpha == 2:
        return deviation
    roughness = total_variation(deviation, alpha)
    factor = roughness.clamp(min=torch.finfo(gradient.dtype).tiny)
    factor = factor.pow((2 - alpha) / (alpha * (alpha - 1)))
    return torch.where(roughness > 0, factor, 0.0).view(-1, 1, 1, 1) * deviation


def _squared_frequencies(height: int, width: int) -> Tensor:
    """γ (H, W), with 1 in place of 0 at frequency 0."""
    rows = torch.sin(torch.pi * torch.arange(height, dtype=torch.float64) / height).square()
    columns = torch.sin(torch.pi * torch.arange(width, dtype=torch.float64) / width).square()
    squared = rows[:, None] + columns
    squared[0, 0] = 1
    return squared
