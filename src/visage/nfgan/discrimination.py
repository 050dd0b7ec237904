"""How easily a discriminator that starts anew tells generated faces from true ones.

The discriminator that a generator was trained against has played one game only, and lost or won
it. A fresh one, trained on faces of some people and asked about others', judges all generators
alike: 0.5 of its answers are right where it can tell nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.nfgan.adversarial import discriminator_loss
from visage.nfgan.errors import DiscriminationError
from visage.nfgan.frame import check_faces
from visage.nfgan.networks import Discriminator, NfganConfig

_WIDTH = 0.25
_BATCH = 32
_RATE = 1e-3


def fresh_accuracy(
    real: Tensor, generated: Tensor, people: Tensor, *, steps: int = 120, seed: int = 0
) -> float:
    """How often a discriminator, trained on half of the people, is right about the other half.

    Args:
        real: (N, 1, 64, 64) in [0, 1], true faces.
        generated: (N, 1, 64, 64), of the same people in the same order.
        people: (N,) int64.
        steps: of training, of 32 faces of each kind.
        seed: of weights, halves and batches.

    Returns:
        Share of right answers on real and generated faces of the other half, by the mean logit.

    Raises:
        DiscriminationError: there are fewer than two people.
    """
    check_faces(real, "real faces")
    check_faces(generated, "generated faces")
    generator = torch.Generator().manual_seed(seed)
    names = people.unique()
    if len(names) < 2:
        raise DiscriminationError("give faces of two people at least: some to learn, some to ask")
    learnt = names[torch.randperm(len(names), generator=generator)[: len(names) // 2]]
    known = torch.isin(people, learnt)
    network = _trained(real[known], generated[known], steps, seed, generator)
    with torch.no_grad():
        logits = [network(faces[~known]).mean((1, 2, 3)) for faces in (real, generated)]
    return float(0.5 * ((logits[0] > 0).float().mean() + (logits[1] <= 0).float().mean()))


def _trained(
    real: Tensor, generated: Tensor, steps: int, seed: int, generator: torch.Generator
) -> Discriminator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Discriminator(NfganConfig(_WIDTH))
    optimizer = torch.optim.Adam(network.parameters(), _RATE)
    network.train()
    for _ in range(steps):
        rows = torch.randint(len(real), (2, _BATCH), generator=generator)
        logits = network(torch.cat([real[rows[0]], generated[rows[1]]]))
        loss = discriminator_loss(*logits.chunk(2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()
