"""One step of gradient descent, of SGD or Adam, for many images that know nothing of each other."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from visage.inversion.errors import InversionError
from visage.inversion.laplacian_pyramid import normalise_gradient, unit_rms

Optimiser = Literal["adam", "sgd"]
GradientForm = Literal["plain", "rms", "laplacian"]

_BETAS = (0.9, 0.999)  # Kingma and Ba's, and the paper's as far as it says
_EPSILON = 1e-8


def shaped_gradient(gradients: Tensor, form: GradientForm, levels: int = 4) -> Tensor:
    """The gradient that is descended.

    Args:
        gradients: (B, 3, H, W), of each image's own loss.
        form: "plain" as it is, "rms" of unit root mean square, "laplacian" so in every band of a
            pyramid (`normalise_gradient`).
        levels: of that pyramid.

    >>> shaped_gradient(torch.full((1, 1, 2, 2), -3.0), "rms").unique()
    tensor([-1.])
    """
    if form == "plain":
        return gradients
    if form == "rms":
        return unit_rms(gradients)
    if form == "laplacian":
        return normalise_gradient(gradients, levels)
    raise InversionError(f"gradient is 'plain', 'rms' or 'laplacian', not {form!r}.")


def step_size(step: int, steps: int, start: float, final: float) -> float:
    """Half a cosine from `start` to `final` times it: a form of unit length does not shrink itself.

    >>> [round(step_size(step, 3, 1.0, 0.1), 3) for step in range(3)]
    [1.0, 0.55, 0.1]
    """
    cosine = 0.5 * (1 + math.cos(math.pi * step / max(steps - 1, 1)))
    return start * (final + (1 - final) * cosine)


def first_moments(numbers: Tensor, optimiser: Optimiser) -> tuple[Tensor, ...]:
    """What the optimiser remembers before the first step: zeros."""
    if optimiser not in ("adam", "sgd"):
        raise InversionError(f"optimiser is 'adam' or 'sgd', not {optimiser!r}.")
    count = 2 if optimiser == "adam" else 1
    return tuple(torch.zeros_like(numbers) for _ in range(count))


def descend(
    numbers: Tensor,
    gradients: Tensor,
    moments: tuple[Tensor, ...],
    step: int,
    size: float,
    optimiser: Optimiser,
    momentum: float,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Numbers and moments after one step.

    Every number is moved by what it has seen itself, so that an image's path is the same alone and
    in a batch, and a stopped run continues exactly from what is returned.

    Args:
        numbers: (B, ...).
        gradients: (B, ...).
        moments: from `first_moments` or the step before.
        step: from 0; Adam corrects its moments by it.
        size: of the step.
        optimiser: "sgd" moves by size times the running sum of gradients, "adam" by size times
            their running mean over their root mean square.
        momentum: of "sgd"; 0 is plain gradient descent, as in eq. 3.

    >>> at, remembered = torch.zeros(1), first_moments(torch.zeros(1), "adam")
    >>> descend(at, torch.tensor([1e-3]), remembered, 0, 0.1, "adam", 0.0)[0]
    tensor([-0.1000])
    """
    if optimiser == "sgd":
        velocity = momentum * moments[0] + gradients
        return numbers - size * velocity, (velocity,)
    mean = _BETAS[0] * moments[0] + (1 - _BETAS[0]) * gradients
    square = _BETAS[1] * moments[1] + (1 - _BETAS[1]) * gradients.square()
    corrected = mean / (1 - _BETAS[0] ** (step + 1))
    root = (square / (1 - _BETAS[1] ** (step + 1))).sqrt()
    return numbers - size * corrected / (root + _EPSILON), (mean, square)
