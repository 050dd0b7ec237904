"""One batch on several devices, as if it were on one: gradients, and statistics of the batch.

`torch.nn.parallel.DistributedDataParallel` averages gradients while the backward pass goes on, and
in return asks that a loss calls the network once, as a whole, and uses all of it. Losses of this
book call parts and methods of networks, some of them twice, and leave others unused. So gradients
are averaged here once the backward pass is over: these networks are a few megabytes each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed.nn.functional as distributed
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def fabric_of(precision: str) -> Fabric:
    """A Fabric on what ``fabric run`` or the environment asks for, which wraps no network.

    Args:
        precision: as of `visage.training.TrainingConfig`.
    """
    fabric = Fabric(precision=precision)
    if isinstance(fabric.strategy, DDPStrategy):
        fabric.strategy.setup_module = _unwrapped
    return fabric


def _unwrapped(module: nn.Module) -> nn.Module:
    return module


@torch.no_grad()
def average_gradients(fabric: Fabric, parameters: Sequence[nn.Parameter]) -> None:
    """Replace gradients by their mean over the devices.

    A parameter without a gradient counts as zero where another device has one; where none has, it
    stays without.

    Args:
        fabric: of the run; nothing happens on a single device.
        parameters: the same on every device, in the same order.
    """
    if fabric.world_size == 1 or not parameters:
        return
    used = torch.tensor([float(p.grad is not None) for p in parameters], device=fabric.device)
    anywhere = fabric.all_reduce(used, reduce_op="sum").bool().tolist()
    shared = [p for p, wanted in zip(parameters, anywhere, strict=True) if wanted]
    for parameter in shared:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    # One message: there are hundreds of small tensors.
    together = fabric.all_reduce(torch.cat([p.grad.flatten() for p in shared]), reduce_op="mean")
    for parameter, mean in zip(shared, together.split([p.numel() for p in shared]), strict=True):
        parameter.grad.copy_(mean.view_as(parameter))


class SynchronisedBatchNorm(_BatchNorm):
    """Batch normalisation by the statistics of all devices' batches together.

    torch's own `SyncBatchNorm` needs CUDA; this one runs wherever processes can add numbers up. In
    evaluation, and in a single process, it is batch normalisation.
    """

    @classmethod
    def of(cls, layer: _BatchNorm) -> SynchronisedBatchNorm:
        """The same layer, with the same parameters and running statistics (not copies)."""
        made = cls(layer.num_features, layer.eps, layer.momentum, affine=False)
        made.affine, made.weight, made.bias = layer.affine, layer.weight, layer.bias
        made.track_running_stats = layer.track_running_stats
        for name, buffer in layer.named_buffers(recurse=False):
            setattr(made, name, buffer)
        return made.train(layer.training)

    def _check_input_dim(self, values: Tensor) -> None:
        if values.ndim < 2:
            raise ValueError(f"values are {tuple(values.shape)}; expected (B, C, ...)")

    def forward(self, values: Tensor) -> Tensor:
        """Normalise (B, C, ...) over all but C."""
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        if not (self.training and together):
            return super().forward(values)
        self._check_input_dim(values)
        wide = values.float()
        over = [0, *range(2, wide.ndim)]
        shape = [1, -1] + [1] * (wide.ndim - 2)
        count = torch.tensor(float(wide.numel() // wide.shape[1]), device=wide.device)
        torch.distributed.all_reduce(count)
        mean = distributed.all_reduce(wide.sum(over)) / count
        centred = wide - mean.view(shape)
        variance = distributed.all_reduce(centred.square().sum(over)) / count
        if self.track_running_stats:
            self._remember(mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(values.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        share = self.momentum
        if share is None:  # a plain mean over all batches
            share = 1 / float(self.num_batches_tracked)
        # New tensors: an earlier pass in evaluation mode may still need the old ones backwards.
        self.running_mean = self.running_mean.lerp(mean.to(self.running_mean), share)
        self.running_var = self.running_var.lerp(variance.to(self.running_var), share)


def synchronise_batch_norm(model: nn.Module) -> None:
    """Let every batch normalisation inside a model see all devices' batches. In place."""
    for name, child in model.named_children():
        if isinstance(child, _BatchNorm):
            setattr(model, name, SynchronisedBatchNorm.of(child))
        else:
            synchronise_batch_norm(child)
