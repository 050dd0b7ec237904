"""The settings of an iterative reconstruction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from visage.inversion.descent import GradientForm, Optimiser
from visage.inversion.errors import InversionError, check_positive, check_weight
from visage.inversion.objective import ObjectiveConfig
from visage.photos.jitter import Jitter


@dataclass(frozen=True)
class ReconstructionConfig:
    """How an image is brought to an embedding."""

    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    steps: int = 300  # the paper: "hundreds or even thousands"
    start: Literal["guide", "noise"] = "guide"  # figs. 1e and 1f: the guide is the better start
    optimiser: Optimiser = "adam"  # the paper names both
    learning_rate: float = 0.02  # in units of the parametrisation; for Adam, of a pixel's range
    final_learning_rate: float = 0.1  # as a fraction of the first
    momentum: float = 0.0  # of SGD; eq. 3 has none
    gradient: GradientForm = "plain"  # "laplacian" is the paper's later choice (5.1)
    levels: int = 4  # bands of that Laplacian pyramid
    tv_final: float = 0.1  # the TV weight of the last step, as a fraction of the first
    jitter: Jitter | None = None  # move images at every step; None as in the paper
    keep: Literal["best", "last"] = "last"  # with jitter, a low loss is partly luck
    explosion: float = 100.0  # a loss of so many times the first means divergence
    seed: int = 0  # of the noise and the jitter
    channels_last: bool = True  # the faster memory layout for most convolutions

    def __post_init__(self) -> None:
        if self.steps < 1 or self.levels < 1:
            raise InversionError(f"steps and levels are at least 1: {self.steps}, {self.levels}.")
        for name in ("learning_rate", "final_learning_rate", "tv_final", "explosion"):
            check_positive(name, getattr(self, name))
        check_weight("momentum", self.momentum)
        choices = {"start": ("guide", "noise"), "keep": ("best", "last")}
        choices |= {"optimiser": ("adam", "sgd"), "gradient": ("plain", "rms", "laplacian")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InversionError(f"{name} is one of {known}, not {getattr(self, name)!r}.")


PAPER = ReconstructionConfig(
    objective=ObjectiveConfig(guide_weight=0.02, tv_weight=1e-4),
    gradient="laplacian",
    learning_rate=0.01,
)
"""What section 5.1 settles on: several guided layers, falling total variation, evened gradients.

The weights are ours: faces smooth as an average, within 0.02 of their embeddings.
"""

ROBUST = ReconstructionConfig(
    objective=ObjectiveConfig(
        guide_weight=0.08,
        tv_weight=1e-3,  # within the slack, the smoothest
        bands_weight=0.15,
        bands_slack=1.2,
        colour_weight=0.02,
    ),
    steps=200,
    learning_rate=0.05,
    jitter=Jitter(),
)
"""Beyond the paper: moved at every step, with photographs' share of every size of detail.

Meant for `visage.inversion.pixels.FourierPixels`; the references need ``bands`` (`mean_band_energy`
with ``by_colour=True``: without it, speckle gathers in the colours) and ``colours``.
"""
