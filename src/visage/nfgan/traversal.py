"""Traversing the latent space, from z of a face to z̃ of its normalized face (section 5.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.nfgan.errors import TraversalError
from visage.nfgan.frame import check_faces
from visage.nfgan.networks import Decoder, Nfgan

__all__ = ["Traversal", "smoothness", "traverse"]


@dataclass(frozen=True, eq=False)
class Traversal:
    """A straight way through the latent space, of B faces in T steps.

    Attributes:
        start: (B, D), z, the encoder's of the input x.
        end: (B, D), z̃, the encoder's of the generated face x̃.
        frames: (B, T, 1, 64, 64), decoded along the way; the first is x̃ itself where the decoder
            is the generator's.
    """

    start: Tensor
    end: Tensor
    frames: Tensor


@torch.no_grad()
def traverse(
    network: Nfgan, faces: Tensor, steps: int = 9, decoder: Decoder | None = None
) -> Traversal:
    """Decode z + t (z̃ − z) at equal steps of t from 0 to 1.

    The generator's decoder knows nothing but normalized faces: what it draws of z is x̃ already,
    and the way to z̃ can only show how alike both codes are to it. To see what else changes on the
    way, decode with another decoder: one that was taught to draw the input itself from z
    (`visage.nfgan.reconstruction`).

    Args:
        network: in evaluation mode.
        faces: (B, 1, 64, 64) in [0, 1].
        steps: T, 2 at least.
        decoder: the network's own if None.

    Raises:
        TraversalError: fewer than two steps.
        NfganError: the faces have another shape.
    """
    check_faces(faces)
    if steps < 2:
        raise TraversalError(f"{steps} steps lead nowhere; give at least 2")
    generated, start = network(faces)
    end = network.encoder(generated)
    along = torch.linspace(0, 1, steps).to(start)
    codes = torch.stack([torch.lerp(start, end, t) for t in along], 1)
    frames = (decoder or network.decoder)(codes.flatten(0, 1))
    return Traversal(start, end, frames.unflatten(0, (len(faces), steps)))


def smoothness(frames: Tensor) -> Tensor:
    """The largest of the steps between frames, in times of their mean: (B,).

    1 where a face changes evenly, T - 1 where it jumps once: the sharp transition that is a sign of
    memorised faces. Steps are mean absolute differences. 1 as well where nothing changes.

    Args:
        frames: (B, T, ...), T at least 2.

    Raises:
        TraversalError: fewer than two frames.

    >>> even = torch.linspace(0, 1, 5).view(1, 5, 1)
    >>> jump = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0]).view(1, 5, 1)
    >>> smoothness(torch.cat([even, jump]))
    tensor([1., 4.])
    """
    if frames.ndim < 3 or frames.shape[1] < 2:
        raise TraversalError(f"frames are {tuple(frames.shape)}; expected (B, T, ...), T above 1")
    steps = frames.diff(dim=1).abs().flatten(2).mean(2)
    mean = steps.mean(1)
    return torch.where(mean > 1e-9, steps.amax(1) / mean.clamp(min=1e-9), 1)
