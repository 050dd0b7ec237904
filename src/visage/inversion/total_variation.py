"""Total variation: the price of a pixel that differs from its neighbour."""

from __future__ import annotations

import torch
from torch import Tensor

from visage.inversion.errors import InversionError, check_images, check_positive, check_weight


def total_variation(images: Tensor, alpha: float = 2.0) -> Tensor:
    """Total-variation prior of Zhmoginov and Sandler (2016), eq. 2.

    R(p) = (‖p − S_x p‖² + ‖p − S_y p‖²)^(α/2), with cyclic one-pixel shifts S_x, S_y. One power of
    the sum over the whole image, not a sum of powers over pixels as in Mahendran and Vedaldi.

    Its gradient is −α R^(1−2/α) Δp with the five-point Laplacian Δ, so that descending it diffuses
    the image (eq. 3). At a flat image, where α < 2 gives no or an infinite derivative, the gradient
    is zero.

    Args:
        images: (B, C, H, W), in [0, 1].
        alpha: exponent; 2 is the squared norm, 1 the norm. Must be positive.

    Returns:
        (B,), one value per image.

    Raises:
        InversionError: alpha is not positive, or images is not 4-D.

    >>> total_variation(torch.zeros(1, 3, 4, 4))
    tensor([0.])
    >>> total_variation(torch.eye(4)[None, None], alpha=1)
    tensor([4.])
    """
    check_images(images)
    check_positive("alpha", alpha)
    across = images - images.roll(1, -1)
    down = images - images.roll(1, -2)
    squares = across.square().sum((1, 2, 3)) + down.square().sum((1, 2, 3))
    if alpha == 2:
        return squares
    # Without the inner where, 0^(α/2 − 1) would put NaN into the gradient of a flat image.
    rough = squares > 0
    return torch.where(rough, torch.where(rough, squares, 1.0).pow(alpha / 2), 0.0)


def total_variation_weight(step: int, steps: int, start: float, final: float) -> float:
    """w_TV of a step, falling (section 3: "reducing w_TV with the iteration number").

    The paper does not say how. A geometric fall lets every scale, from coarse to fine, have as
    many steps: the smallest detail that is worth its price shrinks with the weight.

    Args:
        step: from 0 to steps − 1.
        steps: of the whole reconstruction.
        start: weight of the first step; 0 is 0 throughout.
        final: weight of the last step, as a fraction of `start`, above 0.

    Raises:
        InversionError: a weight is negative, or the fraction not positive.

    >>> [round(total_variation_weight(step, 3, 1.0, 0.01), 3) for step in range(3)]
    [1.0, 0.1, 0.01]
    """
    check_weight("start", start)
    check_positive("final", final)
    if not 0 <= step < max(steps, 1):
        raise InversionError(f"step {step} is not one of {steps} steps.")
    return start * final ** (step / max(steps - 1, 1))
