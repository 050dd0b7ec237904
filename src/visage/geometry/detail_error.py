"""How much of the fine geometry is right: high frequencies, normals, wrinkles.

CoarseNet's error is wide: a chin too long, a nose too flat. What FineNet is for is what remains
when everything wider than about 3 cm is taken out of the error with a Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.geometry.detail_loss import comparable
from visage.geometry.errors import DetailError
from visage.geometry.representation import WIDTH
from visage.geometry.surface_normals import normals_of_depth

SPREAD = 5.0
"""mm, standard deviation of the Gaussian that takes out what is wide: half of a wave of 27 mm."""

WRINKLED = 0.04
"""mm of relief, high frequencies alone, from which a pixel is part of a wrinkle."""

_BARE = 0.5  # share of a pixel's skin that must be seen


@dataclass(frozen=True, eq=False)
class DetailErrors:
    """Of B faces; NaN for a face without pixels to compare."""

    high_frequency: Tensor  # (B,) mm, mean absolute error of high frequencies where skin is seen
    covered: Tensor  # (B,) mm, the same under brows, beard and glasses
    normals: Tensor  # (B,) degrees, mean angle to the true normal where skin is seen
    wrinkles: Tensor  # (B,) mm², mean squared high-frequency error in wrinkles
    energy: Tensor  # (B,) mm², mean square of the wrinkles themselves
    carved: Tensor  # (B,) mm², mean product of what was found in wrinkles with the true ones

    @classmethod
    def joined(cls, some: list[DetailErrors]) -> DetailErrors:
        """Batches as one."""
        return cls(*(torch.cat([getattr(one, f.name) for one in some]) for f in fields(cls)))


@torch.no_grad()
def detail_errors(
    depth: Tensor,
    truth: Tensor,
    relief: Tensor,
    pixels: Tensor,
    seen: Tensor,
    scale: Tensor,
) -> DetailErrors:
    """Compare fine geometry.

    Args:
        depth: (B, 1, H, W) mm, of a method.
        truth: (B, 1, H, W) mm.
        relief: (B, 1, H, W) mm, the part of the truth that is pores and wrinkles.
        pixels: (B, 1, H, W) bool, what to compare: `compared`, the same for all methods.
        seen: (B, 1, H, W), share of a pixel that shows bare skin.
        scale: (B,) pixels a millimetre.

    Raises:
        DetailError: depth is not finite where it is to be compared.
    """
    if not (depth.isfinite() | ~pixels).all():
        raise DetailError("depth is not finite where it is to be compared; leave those pixels out")
    error = (depth.masked_fill(~pixels, 0) - truth.masked_fill(~pixels, 0)) * pixels
    high, wrinkle = high_frequencies(error, pixels), high_frequencies(relief, pixels)
    # Nearer by `relief` is less deep: what remains without it is what was found of the wrinkles.
    found_there = wrinkle - high
    bare = pixels & (seen > _BARE)
    lined = bare & (wrinkle.abs() > WRINKLED)
    found, true = (normals_of_depth(x, pixels, scale) for x in (depth, truth))
    angle = torch.rad2deg((found * true).sum(1, keepdim=True).clamp(-1, 1).acos())
    return DetailErrors(
        high_frequency=_mean(high.abs(), bare),
        covered=_mean(high.abs(), pixels & ~bare),
        normals=_mean(angle, bare),
        wrinkles=_mean(high.square(), lined),
        energy=_mean(wrinkle.square(), lined),
        carved=_mean(found_there * wrinkle, lined),
    )


def compared(depths: list[Tensor], truth: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
    """Pixels (B, 1, H, W) bool at which all methods and the truth show the face's surface."""
    parts = [comparable(depth, truth, mask, scale) for depth in depths]
    return torch.stack(parts).all(0)


def high_frequencies(values: Tensor, pixels: Tensor, spread: float = SPREAD) -> Tensor:
    """What a Gaussian takes out: values minus their mean around, over the pixels that count.

    Args:
        values: (B, 1, H, W), finite where they count.
        pixels: (B, 1, H, W) bool, which count.
        spread: mm, standard deviation at the scale of the mean face.

    Returns:
        (B, 1, H, W); 0 where `pixels` is False.
    """
    kernel = _gaussian(spread * values.shape[-1] / WIDTH, values)
    weight = pixels.to(values)
    around = _blurred(values.masked_fill(~pixels, 0), kernel) / _blurred(weight, kernel).clamp(
        min=1e-6
    )
    return (values - around).masked_fill(~pixels, 0)


def _gaussian(spread: float, like: Tensor) -> Tensor:
    reach = max(1, round(3 * spread))
    at = torch.arange(-reach, reach + 1, dtype=like.dtype, device=like.device)
    kernel = (-0.5 * (at / spread) ** 2).exp()
    return kernel / kernel.sum()


def _blurred(values: Tensor, kernel: Tensor) -> Tensor:
    reach = len(kernel) // 2
    across = F.conv2d(values, kernel.view(1, 1, 1, -1), padding=(0, reach))
    return F.conv2d(across, kernel.view(1, 1, -1, 1), padding=(reach, 0))


def _mean(values: Tensor, where: Tensor) -> Tensor:
    count = where.sum((1, 2, 3))
    total = values.masked_fill(~where, 0).sum((1, 2, 3))
    return torch.where(count > 0, total / count.clamp(min=1), torch.nan)
