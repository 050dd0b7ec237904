"""What an optimisation moves: the pixels themselves, or frequencies of decorrelated colours.

Not in the paper. A descent on Fourier coefficients scaled by 1/f is a descent with another metric:
coarse shapes move first and fine grain last, as photographs have them. (Olah, Mordvintsev and
Schubert, 2017, "Feature Visualization", describe the parametrisation and the colour axes.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from visage.inversion.colour import ColourStatistics
from visage.inversion.errors import check_weight

_MARGIN = 0.01
"""Pixels are kept this far from 0 and 1 before a logit, about 3 of 255 grey levels."""

_COARSEST = 3
"""Waves a side: what is coarser moves as fast as this and no faster, or Adam tints whole images."""


class Pixels(Protocol):
    """Numbers that stand for images, and the differentiable map between them."""

    def decode(self, numbers: Tensor) -> Tensor:
        """Images (B, 3, S, S) of numbers (B, ...)."""
        ...

    def encode(self, images: Tensor) -> Tensor:
        """Numbers (B, ...) whose images these are, as nearly as possible."""
        ...

    def noise(self, size: int, generator: Generator) -> Tensor:
        """Numbers (1, ...) of a random image of this size, without content."""
        ...

    def limit(self, numbers: Tensor) -> Tensor:
        """The nearest numbers (B, ...) that stand for images that can be shown."""
        ...


@dataclass(frozen=True)
class PlainPixels:
    """The image itself, as in the paper.

    Attributes:
        clamp: bring pixels back to [0, 1] after every step. The paper does not (fig. 6 shows
            "subdued" images, whose brightness is corrected for display).
        spread: standard deviation of the noise that a reconstruction may start from, around grey.
    """

    clamp: bool = True
    spread: float = 0.1

    def decode(self, numbers: Tensor) -> Tensor:
        """The numbers are the images."""
        return numbers

    def encode(self, images: Tensor) -> Tensor:
        """The images are the numbers."""
        return images

    def noise(self, size: int, generator: Generator) -> Tensor:
        """Independent Gaussian pixels around grey."""
        drawn = torch.randn(1, 3, size, size, generator=generator)
        return (0.5 + self.spread * drawn).clamp(0, 1)

    def limit(self, numbers: Tensor) -> Tensor:
        """Pixels in [0, 1], if that is asked for."""
        return numbers.clamp(0, 1) if self.clamp else numbers


@dataclass(frozen=True)
class FourierPixels:
    """Fourier coefficients of decorrelated colours: image = sigmoid(μ + M irfft2(z / f)).

    Attributes:
        colours: of logits of photographs: ``colour_statistics(pictures, encode=logit)``.
        decay: exponent of 1/f. Photographs have 1; a steeper metric keeps more of the grain out
            that an optimisation adds, at the same distance from the target.
        spread: of the noise that a reconstruction may start from, as a fraction of the contrast
            of photographs.
    """

    colours: ColourStatistics
    decay: float = 1.5
    spread: float = 0.1

    def __post_init__(self) -> None:
        check_weight("decay", self.decay)
        check_weight("spread", self.spread)

    def decode(self, numbers: Tensor) -> Tensor:
        """Images (B, 3, S, S) in (0, 1) of coefficients (B, 3, S, S//2 + 1, 2)."""
        size = numbers.shape[2]
        spectrum = torch.view_as_complex(numbers.contiguous())
        planes = torch.fft.irfft2(
            spectrum * self._scale(size, numbers), s=(size, size), norm="ortho"
        )
        mixed = torch.einsum("ck,bkhw->bchw", self.colours.mixing().to(numbers), planes)
        return torch.sigmoid(mixed + self.colours.mean.to(numbers).view(3, 1, 1))

    def encode(self, images: Tensor) -> Tensor:
        """Coefficients (B, 3, S, S//2 + 1, 2) of square images (B, 3, S, S)."""
        inverse = torch.linalg.inv(self.colours.mixing().double()).to(images)
        logits = logit(images) - self.colours.mean.to(images).view(3, 1, 1)
        planes = torch.einsum("kc,bchw->bkhw", inverse, logits)
        spectrum = torch.fft.rfft2(planes, norm="ortho") / self._scale(images.shape[-1], images)
        return torch.view_as_real(spectrum)

    def noise(self, size: int, generator: Generator) -> Tensor:
        """Noise with a 1/f spectrum and the colours of photographs."""
        white = torch.randn(1, 3, size, size, generator=generator)
        return torch.view_as_real(self.spread * torch.fft.rfft2(white, norm="ortho"))

    def limit(self, numbers: Tensor) -> Tensor:
        """The sigmoid keeps every image in range."""
        return numbers

    def _scale(self, size: int, like: Tensor) -> Tensor:
        """(S, S//2 + 1): 1/f^decay, scaled so that white coefficients give planes of variance 1."""
        rows = torch.fft.fftfreq(size, dtype=torch.float64)[:, None]
        columns = torch.fft.rfftfreq(size, dtype=torch.float64)
        frequency = torch.hypot(rows, columns).clamp(min=_COARSEST / size)
        scale = frequency**-self.decay
        # A column of rfft2 stands for itself and its conjugate, but for the first and the last.
        counts = torch.full_like(columns, 2.0)
        counts[0] = 1
        if size % 2 == 0:
            counts[-1] = 1
        return (scale / ((scale.square() * counts).sum() / size**2).sqrt()).to(like)


def logit(images: Tensor) -> Tensor:
    """log(p / (1 − p)) of pixels in [0, 1], which may be 0 or 1 themselves.

    >>> logit(torch.tensor([0.5]))
    tensor([0.])
    """
    return images.clamp(_MARGIN, 1 - _MARGIN).logit()
