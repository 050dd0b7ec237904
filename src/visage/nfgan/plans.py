"""What is trained: the weights of the losses, and the plan of every generator.

**The weights are not the paper's.** Section 5.2 has 1, η = 0.1, λ1 = 3e-3, λ2 = 1e-3 and λ3 = 0.3
for VGG-Face's maps and a Light CNN whose scale it does not state. What counts is how hard each loss
pulls at a face: the norm of its gradient in the face's pixels. Measured on validation people after
800 steps at half the width, with the maps that we have:

    loss          value   gradient   paper's weight × gradient   ours × gradient
    perceptual     16.      18.        18.                          18.
    identity      145.     300.         0.9                          6.
    adversarial     2.3     10.         1.                          10.
    pixel           0.06     0.016      0.00002                      8.
    symmetry        0.02     0.03       0.01                         0.6

With the paper's weights the discriminator was right in 99 of 100 cases throughout and the decoder
never felt it; nor did the pixel loss keep the grain away that the perceptual one is blind to. So
the perceptual loss still has the largest say, as section 5.3 has it, but not the only one. In the
6000 steps of the shipped networks the discriminator is right in 81 to 86 of 100 cases, from the
first hundred steps to the last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

from visage.nfgan.family import SHAPE
from visage.nfgan.losses import LETTERS, TERMS, LossWeights
from visage.nfgan.networks import SHIPPED, NfganConfig
from visage.training import TrainingConfig

WEIGHTS = LossWeights(perceptual=1.0, identity=0.02, pixel=500.0, symmetry=20.0, adversarial=1.0)
"""Of everything that is trained here; the module's text says why they are not the paper's."""

TRAINING = TrainingConfig(
    steps=6000,
    batch_size=16,
    learning_rate=1e-3,
    warmup=100,
    final_learning_rate=0.05,
    weight_decay=0.0,  # the decoder's weights are as large as faces need them
    gradient_clip=1000.0,  # of a loss of about 100 at the start
    ema=0.998,
    precision="bf16-mixed",
    checkpoint_every=200,
)

SHORT = replace(TRAINING, steps=1200)
"""Of everything that is compared with each other, the twin of the shipped networks included."""

BRIEF = replace(TRAINING, steps=1200, ema=0.995)
"""Of each subset of the losses."""

FAMILY = replace(TRAINING, steps=2500)
"""Of the family, which has many generators to learn."""

SMALL = NfganConfig(width=0.5)
"""Of each subset's networks."""


@dataclass(frozen=True)
class Plan:
    """One training of encoder, decoder and discriminator."""

    config: NfganConfig = SHIPPED
    weights: LossWeights = WEIGHTS
    training: TrainingConfig = TRAINING
    family: bool = False  # one network for all weights around these


def subset_name(letters: str) -> str:
    """The recipe of the small generator that was trained with some of the five losses.

    >>> subset_name("px")
    'nfgan_subset_px'
    """
    return f"nfgan_subset_{letters}"


SUBSETS = tuple(
    "".join(some) for count in range(1, len(LETTERS) + 1) for some in combinations(LETTERS, count)
)
"""Every subset of the five losses but the empty one: 31, by their letters."""


def _compared(letters: str, seed: int = 0) -> Plan:
    return Plan(weights=WEIGHTS.only(letters), training=replace(SHORT, seed=seed))


def _described(letters: str) -> str:
    names = [TERMS[LETTERS.index(letter)] for letter in letters]
    return f"{' + '.join(names)}, half the width, trained briefly"


PLANS: dict[str, tuple[str, Plan]] = {
    "nfgan": ("all five losses", Plan()),
    "nfgan_short": ("all five losses, as long as what it is compared with", _compared("psaix")),
    **{
        f"nfgan_seed{seed}": (f"all five losses, briefer, seed {seed}", _compared("psaix", seed))
        for seed in (1, 2)
    },
    "nfgan_no_identity": ("without the identity loss", _compared("psax")),
    "nfgan_no_perceptual": ("without the perceptual loss", _compared("saix")),
    "nfgan_autoencoder": ("the pixel loss alone", _compared("x")),
    **{
        subset_name(letters): (
            _described(letters),
            Plan(SMALL, WEIGHTS.only(letters), training=BRIEF),
        )
        for letters in SUBSETS
    },
    "nfgan_family": (
        "one generator for all weights of the five losses",
        Plan(SHAPE, training=FAMILY, family=True),
    ),
}


def plan_of(name: str) -> Plan:
    """The plan behind one of `RECIPES`."""
    return PLANS[name][1]
