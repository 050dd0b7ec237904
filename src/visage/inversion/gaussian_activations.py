"""What activations usually are, over many photographs, and the price of being unusual.

Appendix A of Zhmoginov and Sandler (2016): a collection of pictures in place of one guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.inversion.errors import InversionError, check_positive, described
from visage.recognition.encoder import Encoder


@dataclass(frozen=True)
class ActivationStatistics:
    """Mean and variance of every node of a layer.

    Attributes:
        count: how many pictures they were computed from.
        mean: v_n, (...), the layer's shape without the batch.
        variance: σ_n², (...), of the pictures themselves (divided by count).
    """

    count: int
    mean: Tensor
    variance: Tensor

    def updated(self, activations: Tensor) -> ActivationStatistics:
        """Statistics of these pictures and of all before them.

        Chan, Golub and LeVeque's pairwise form of Welford's update: exact for any batches, and
        free of the cancellation of mean-of-squares minus square-of-mean.

        Args:
            activations: (B, ...), of further pictures.

        >>> some = statistics_of(torch.tensor([[1.0], [2.0]])).updated(torch.tensor([[6.0]]))
        >>> some.count, some.mean.item(), round(some.variance.item(), 4)
        (3, 3.0, 4.6667)
        """
        if activations.shape[1:] != self.mean.shape:
            raise InversionError(
                f"activations are {described(activations)}, expected (B, *{self.mean.shape})."
            )
        more = statistics_of(activations)
        total = self.count + more.count
        share = more.count / total
        apart = more.mean - self.mean
        variance = (1 - share) * self.variance + share * more.variance
        return ActivationStatistics(
            total, self.mean + share * apart, variance + share * (1 - share) * apart.square()
        )


def statistics_of(activations: Tensor) -> ActivationStatistics:
    """Statistics of one batch of activations (B, ...)."""
    if activations.ndim < 2 or len(activations) == 0:
        raise InversionError(f"activations are {described(activations)}, expected (B, ...).")
    return ActivationStatistics(
        len(activations), activations.mean(0), activations.var(0, correction=0)
    )


@torch.no_grad()
def gather_statistics(
    encoder: Encoder, pictures: Iterable[Tensor], layers: Iterable[str]
) -> dict[str, ActivationStatistics]:
    """Run a collection of pictures through an encoder and keep the statistics of some layers.

    Args:
        encoder: whose activations.
        pictures: batches (B, 3, S, S), any number and any sizes; none is kept.
        layers: names among the encoder's ``feature_names``.

    Raises:
        InversionError: there is no picture.
        EncoderInputError: a picture or a name cannot be used.
    """
    layers = tuple(layers)
    found: dict[str, ActivationStatistics] = {}
    for batch in pictures:
        for name, activations in encoder.features(batch, layers).items():
            known = found.get(name)
            found[name] = known.updated(activations) if known else statistics_of(activations)
    if not found:
        raise InversionError("there is no picture or no layer to gather statistics from.")
    return found


def gaussian_energy(activations: Tensor, statistics: ActivationStatistics) -> Tensor:
    """−log P_p of Zhmoginov and Sandler (2016), eq. 4, up to its constant.

    Σ_n (a_n − v_n)² / 2σ_n²; the printed exponent lacks its minus sign. It does not change when a
    node is rescaled, and is infinite for a node that never varied: see `gaussian_regulariser`.

    Args:
        activations: (B, ...), of one layer.
        statistics: of that layer.

    Returns:
        (B,).
    """
    squares = _squares(activations, statistics)
    return (squares / (2 * statistics.variance)).sum(tuple(range(1, squares.ndim)))


def gaussian_regulariser(
    activations: Mapping[str, Tensor],
    statistics: Mapping[str, ActivationStatistics],
    nu: float = 0.01,
) -> Tensor:
    """R_Gauss of Zhmoginov and Sandler (2016), eq. 5, summed over layers.

    R = Σ_n ν (a_n − v_n)² σ²_max / (σ_n² + ν σ²_max), with σ_max the largest σ_n of the layer. For
    nodes that vary much it is ν σ²_max times twice eq. 4; a node that never varied, whose term
    would rule all others in eq. 4, counts like (a_n − v_n)². Its unit is an activation squared, so
    that the weight depends on the layer.

    Args:
        activations: of the images by layer, each (B, ...).
        statistics: by layer; every layer of `activations`.
        nu: ν, small and positive; the paper gives no value.

    Returns:
        (B,), one value per image.

    Raises:
        InversionError: a layer has no statistics, shapes differ, or ν is not positive.

    >>> seen = {"stem": statistics_of(torch.tensor([[0.0, 1.0], [0.0, 3.0]]))}
    >>> gaussian_regulariser({"stem": torch.tensor([[1.0, 2.0]])}, seen, nu=0.1)
    tensor([1.])
    """
    check_positive("nu", nu)
    if not activations or not activations.keys() <= statistics.keys():
        raise InversionError(
            f"activations are of {sorted(activations)} and statistics of {sorted(statistics)}; "
            "gather statistics of the same layers."
        )
    total = 0
    for name, a in activations.items():
        variance = statistics[name].variance
        largest = variance.max()
        # The clamp matters only where no node ever varied: then every node counts as such.
        floor = torch.finfo(variance.dtype).tiny
        weights = nu * largest.clamp(min=floor) / (variance + nu * largest).clamp(min=nu * floor)
        energies = weights * _squares(a, statistics[name])
        total = total + energies.sum(tuple(range(1, a.ndim)))
    return total


def _squares(activations: Tensor, statistics: ActivationStatistics) -> Tensor:
    """(a_n − v_n)², (B, ...)."""
    if activations.shape[1:] != statistics.mean.shape:
        raise InversionError(
            f"activations are {described(activations)}, statistics are of "
            f"{described(statistics.mean)}; gather them from pictures of the same size."
        )
    return (activations - statistics.mean).square()
