"""The adversarial losses of Liu et al. (2018), section 4.3, on logits.

The discriminator's last layer is a map of logits ("Conv5, 3×3/1" leaves 4 × 4 of them), one a
place; each place is judged by itself, and a loss is the mean over places. With logits s, Dis =
σ(s), −log Dis = softplus(−s) and −log(1 − Dis) = softplus(s): exact where a probability would
round to 0 or 1.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from visage.nfgan.errors import AdversarialError


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy of Liu et al. (2018), eq. 4: −log Dis(g_i) − log(1 − Dis(x̃_j)).

    Args:
        real: (B, 1, h, w), logits of faces of the guiding set.
        fake: (B, 1, h, w), of generated ones, who need not be the same people.

    Returns:
        (B,), nats; 2 log 2 = 1.386 of a discriminator that knows nothing.

    Raises:
        AdversarialError: the logits are not two maps of the same shape.

    >>> import torch
    >>> discriminator_loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    tensor([1.3863])
    """
    if real.shape != fake.shape:
        raise AdversarialError(
            f"logits are {tuple(real.shape)} and {tuple(fake.shape)}; expected the same shape"
        )
    return generator_loss(real) + F.softplus(_maps(fake)).mean((1, 2, 3))


def generator_loss(fake: Tensor) -> Tensor:
    """The decoder's side of the game, Liu et al. (2018), eq. 5: −log Dis(x̃_j).

    Not log(1 − Dis), eq. 1, whose gradient vanishes while the discriminator wins.

    Args:
        fake: (B, 1, h, w), logits of generated faces.

    Returns:
        (B,), nats.

    Raises:
        AdversarialError: the logits are not maps.

    >>> import torch
    >>> generator_loss(torch.zeros(1, 1, 2, 2))
    tensor([0.6931])
    """
    return F.softplus(-_maps(fake)).mean((1, 2, 3))


def discriminator_accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """How many places (B, 1, h, w) of real and generated faces are called what they are, ().

    About 0.5 where the discriminator has given up and 1 where the decoder has: a game that is
    alive stays between.
    """
    return 0.5 * ((_maps(real) > 0).float().mean() + (_maps(fake) <= 0).float().mean())


def _maps(logits: Tensor) -> Tensor:
    if logits.ndim != 4 or logits.shape[1] != 1:
        raise AdversarialError(f"logits are {tuple(logits.shape)}; expected (B, 1, h, w)")
    return logits
