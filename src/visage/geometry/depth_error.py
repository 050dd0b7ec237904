"""The protocol of table 1: how far estimated depths are from true ones (Richardson et al. 2017).

Each method gives a depth map and a mask of the pixels that it vouches for; what is compared are
the pixels for which all methods vouch, and the truth. Weak perspective knows depth up to a constant
only, so each face's median difference is taken out first. The paper does not say how it did that,
nor over what its "90% depth error" is a percentile: here over the pixels of all faces together, as
"90 % of the pixels are nearer to the truth than this".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.geometry.errors import DepthErrorError


@dataclass(frozen=True, eq=False)
class ErrorSummary:
    """Absolute depth errors of B faces; NaN for a face without a pixel to compare."""

    mean: Tensor  # (B,) mm, over a face's pixels
    p90: Tensor  # (B,) mm, 90th percentile of them
    pixels: Tensor  # (B,) int64, how many
    pooled_p90: float  # mm, 90th percentile over the pixels of all faces

    @property
    def measured(self) -> Tensor:
        """(B,) bool, which faces had pixels."""
        return self.pixels > 0


def common_pixels(masks: Iterable[Tensor]) -> Tensor:
    """Pixels for which every method, and the truth, vouch.

    Args:
        masks: (B, 1, H, W) each, of bool, or of numbers that are above 0 where a depth is given.

    Returns:
        (B, 1, H, W) bool.

    Raises:
        DepthErrorError: there is no mask, or they differ in shape.

    >>> common_pixels([torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, 0.0]]]])])
    tensor([[[[ True, False]]]])
    """
    masks = [mask > 0 for mask in masks]
    if not masks or any(mask.ndim != 4 or mask.shape != masks[0].shape for mask in masks):
        shapes = ", ".join(str(tuple(mask.shape)) for mask in masks) or "none"
        raise DepthErrorError(f"masks are {shapes}; expected one or more of one shape (B, 1, H, W)")
    return torch.stack(masks).all(0)


def depth_errors(depth: Tensor, truth: Tensor, pixels: Tensor) -> Tensor:
    """Absolute errors after the median difference of each face is taken out.

    Args:
        depth: (B, 1, H, W) mm; anything where `pixels` is False.
        truth: (B, 1, H, W) mm; likewise.
        pixels: (B, 1, H, W) bool, what to compare.

    Returns:
        (B, 1, H, W) mm; NaN where `pixels` is False.

    Raises:
        DepthErrorError: the shapes differ, or a depth to compare is not finite.

    >>> truth = torch.tensor([[[[0.0, 1.0, 2.0]]]])
    >>> depth_errors(truth + torch.tensor([5.0, 5.0, 7.0]), truth, truth >= 0)
    tensor([[[[0., 0., 2.]]]])
    """
    if not depth.shape == truth.shape == pixels.shape or depth.ndim != 4:
        raise DepthErrorError(
            f"depth is {tuple(depth.shape)}, truth {tuple(truth.shape)}, pixels "
            f"{tuple(pixels.shape)}; expected one shape (B, 1, H, W)"
        )
    difference = torch.where(pixels, depth - truth, torch.nan)
    if not difference[pixels].isfinite().all():
        raise DepthErrorError("a depth to compare is NaN or infinite; leave it out of the mask")
    middle = difference.flatten(1).nanmedian(1).values
    return (difference - middle[:, None, None, None]).abs()


def summarised(errors: Tensor) -> ErrorSummary:
    """Means and percentiles of errors (B, 1, H, W), as `depth_errors` gives them."""
    flat = errors.flatten(1)
    known = ~flat.isnan()
    pooled = flat[known]
    return ErrorSummary(
        flat.nanmean(1),
        torch.stack([_percentile(row[some]) for row, some in zip(flat, known, strict=True)]),
        known.sum(1),
        float(_percentile(pooled)),
    )


def _percentile(values: Tensor, share: float = 0.9) -> Tensor:
    """As `Tensor.quantile`, which refuses more than 16 million values and takes its time."""
    if not len(values):
        return values.new_tensor(torch.nan)
    place = share * (len(values) - 1)
    low = int(place)
    ordered = [values.kthvalue(min(k, len(values) - 1) + 1).values for k in (low, low + 1)]
    return torch.lerp(*ordered, place - low)
