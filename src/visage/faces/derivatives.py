"""Whether anyone wants derivatives: where nobody does, compiled loops may do the work."""

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual


def is_constant(*tensors: Tensor | None) -> bool:
    """Whether all are plain float32 numbers on the CPU, through which no derivative is asked for.

    True under `torch.no_grad`, or where nothing requires a gradient, backwards or forwards. Then a
    loop over NumPy arrays, which autograd does not see, may compute what torch would.

    >>> weights = torch.zeros(2, requires_grad=True)
    >>> is_constant(weights), is_constant(weights.detach(), None)
    (False, True)
    """
    present = [tensor for tensor in tensors if tensor is not None]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in present):
        return False
    return all(
        tensor.device.type == "cpu"
        and tensor.dtype == torch.float32
        and unpack_dual(tensor).tangent is None
        for tensor in present
    )
