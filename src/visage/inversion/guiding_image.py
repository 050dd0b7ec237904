"""The pull towards a guiding image, felt in the activations of the recogniser."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from visage.inversion.errors import InversionError, check_positive, described


def guide_distance(
    activations: Mapping[str, Tensor],
    of_guide: Mapping[str, Tensor],
    exponent: float = 2.0,
    *,
    relative: bool = False,
) -> Tensor:
    """The term ‖a(p) − a(p_G)‖^r of Zhmoginov and Sandler (2016), section 2, summed over layers.

    On low layers it pulls the image itself towards the guide; on high layers it asks for the same
    features, pose and expression without forcing texture or colour. Fig. 1 uses one layer, the
    later figures several. The gradient where image and guide agree is zero for every r.

    Args:
        activations: of the images by layer, each (B, ...).
        of_guide: of the guide for the same layers, each (B, ...) or (1, ...).
        exponent: r, positive. The paper leaves it open.
        relative: divide each layer's norm by the guide's own before the power, so that one weight
            means as much on every layer; the paper has no such factor.

    Returns:
        (B,), one value per image.

    Raises:
        InversionError: layers or shapes differ, there is no layer, or the exponent is not positive.

    >>> guide_distance({"stem": torch.ones(2, 3)}, {"stem": torch.zeros(1, 3)})
    tensor([3., 3.])
    """
    check_positive("exponent", exponent)
    if not activations or activations.keys() != of_guide.keys():
        raise InversionError(
            f"activations are of {sorted(activations)} and the guide's of {sorted(of_guide)}; "
            "give the same layers of both, one at least."
        )
    return torch.stack(
        [_layer(name, activations[name], of_guide[name], exponent, relative) for name in of_guide]
    ).sum(0)


def _layer(name: str, a: Tensor, of_guide: Tensor, exponent: float, relative: bool) -> Tensor:
    """One layer's term (B,)."""
    if a.shape[1:] != of_guide.shape[1:] or of_guide.shape[0] not in {1, a.shape[0]}:
        raise InversionError(
            f"layer {name!r} is {described(a)} for the images and {described(of_guide)} for the "
            "guide; both come from pictures of one size, one guide or one for each image."
        )
    # Not flattened: that would copy activations whose channels come last.
    rest = tuple(range(1, a.ndim))
    squares = (a - of_guide).square().sum(rest)
    if relative:
        size = of_guide.square().sum(rest)
        squares = squares / size.clamp(min=torch.finfo(a.dtype).tiny)
    if exponent == 2:
        return squares
    # As in total_variation: no NaN in the gradient where the difference is zero.
    apart = squares > 0
    return torch.where(apart, torch.where(apart, squares, 1.0).pow(exponent / 2), 0.0)
