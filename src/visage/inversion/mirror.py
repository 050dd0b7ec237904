"""Left-right symmetry."""

from __future__ import annotations

from torch import Tensor

from visage.inversion.errors import check_images


def mirror_asymmetry(images: Tensor) -> Tensor:
    """R_Mirror of Zhmoginov and Sandler (2016), appendix C: ‖p − F_x p‖², F_x flips left and right.

    Args:
        images: (B, C, H, W).

    Returns:
        (B,), one value per image.

    Raises:
        InversionError: images is not 4-D.

    >>> import torch
    >>> mirror_asymmetry(torch.tensor([[[[0.0, 1.0]]], [[[1.0, 1.0]]]]))
    tensor([2., 0.])
    """
    check_images(images)
    return (images - images.flip(-1)).square().sum((1, 2, 3))
