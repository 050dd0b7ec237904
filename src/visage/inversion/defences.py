"""Ways to store an embedding that should tell a thief less, and what a thief can do about each.

A defence changes what is stored; recognition must still work on what is stored. `stored` is that,
`guessed` is the thief's best guess of the embedding behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from visage.inversion.errors import InversionError, check_positive


class Defence(Protocol):
    """What is stored of embeddings."""

    def stored(self, embeddings: Tensor) -> Tensor:
        """(N, D) to what the data base holds, (N, D)."""
        ...

    def guessed(self, stored: Tensor) -> Tensor:
        """The thief's guess (N, D) of the embeddings; knows the method and no key."""
        ...


@dataclass(frozen=True)
class Nothing:
    """The embeddings themselves."""

    def stored(self, embeddings: Tensor) -> Tensor:
        """As they are."""
        return embeddings

    def guessed(self, stored: Tensor) -> Tensor:
        """As they are."""
        return stored


@dataclass(frozen=True)
class Noise:
    """Gaussian noise on what is stored; the thief shrinks towards the mean, as Wiener would.

    Attributes:
        ratio: standard deviation of the noise, in times of the embeddings' own spread.
        centre: (D,), the mean embedding of many people.
        spread: standard deviation of a component around it.
        seed: of the noise.
    """

    ratio: float
    centre: Tensor
    spread: float
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive("ratio", self.ratio)
        check_positive("spread", self.spread)

    def stored(self, embeddings: Tensor) -> Tensor:
        """With noise."""
        drawn = torch.randn(embeddings.shape, generator=Generator().manual_seed(self.seed))
        return embeddings + self.ratio * self.spread * drawn.to(embeddings)

    def guessed(self, stored: Tensor) -> Tensor:
        """The mean, and the share of the difference that is not noise."""
        return self.centre + (stored - self.centre) / (1 + self.ratio**2)


@dataclass(frozen=True)
class Quantised:
    """A few bits a component, evenly over ±3 spreads; with 1 bit, the sign.

    Attributes:
        bits: 1 to 8.
        centre: (D,).
        spread: standard deviation of a component.
    """

    bits: int
    centre: Tensor
    spread: float

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise InversionError(f"bits are 1 to 8, not {self.bits}.")
        check_positive("spread", self.spread)

    def stored(self, embeddings: Tensor) -> Tensor:
        """The middle of each component's step."""
        away = (embeddings - self.centre) / self.spread
        if self.bits == 1:
            # What half of a normal distribution has on average.
            return self.centre + self.spread * (2 / torch.pi) ** 0.5 * torch.sign(away)
        step = 6 / 2**self.bits
        middle = (torch.floor(away / step) + 0.5) * step
        return self.centre + self.spread * middle.clamp(-3 + step / 2, 3 - step / 2)

    def guessed(self, stored: Tensor) -> Tensor:
        """As it is stored: the middle is the best guess."""
        return stored


@dataclass(frozen=True)
class Rotated:
    """A secret rotation about the centre: distances stay, directions mean nothing without the key.

    Attributes:
        centre: (D,).
        key: seed of the rotation.
        known: (plain, stored), each (K, D): pairs that the thief has got hold of, or None.
    """

    centre: Tensor
    key: int
    known: tuple[Tensor, Tensor] | None = None

    def rotation(self) -> Tensor:
        """The secret (D, D): uniform over all rotations and reflections (Mezzadri 2007)."""
        size = len(self.centre)
        drawn = torch.randn(size, size, generator=Generator().manual_seed(self.key)).double()
        q, r = torch.linalg.qr(drawn)
        return (q * r.diagonal().sign()).to(self.centre)

    def stored(self, embeddings: Tensor) -> Tensor:
        """Turned."""
        return self.centre + (embeddings - self.centre) @ self.rotation().T

    def guessed(self, stored: Tensor) -> Tensor:
        """As it is stored; with known pairs, turned back by what they tell.

        The nearest rotation to pairs is orthogonal Procrustes' (Schönemann 1966).
        """
        if self.known is None:
            return stored
        plain, turned = (pairs - self.centre for pairs in self.known)
        u, _, vh = torch.linalg.svd((plain.T @ turned).double())
        return self.centre + (stored - self.centre) @ (u @ vh).to(stored).T
