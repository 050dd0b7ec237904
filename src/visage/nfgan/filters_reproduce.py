"""Figure 5: the encoder's first filters, with and without the perceptual loss."""

from __future__ import annotations

import time

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.nfgan.experiment import part_result
from visage.nfgan.networks import Encoder, NfganConfig
from visage.nfgan.orientation import active, orientation_selectivity
from visage.nfgan.study import trained

_ORIENTED = 0.35  # of an edge that is as long as the kernel: 0.43
_DRAWN = 32  # random encoders, for what chance gives


def first_filters(encoder: Encoder) -> Tensor:
    """The kernels (F, 1, 3, 3) of Conv1 of table 1."""
    first = next(layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d))
    return first.weight.detach()


def untrained_filters(seed: int, count: int = _DRAWN) -> Tensor:
    """First filters of encoders that have learnt nothing, (count F, 1, 3, 3)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.cat([first_filters(Encoder(NfganConfig(latent=4))) for _ in range(count)])


def filter_rows(filters: Tensor, tail: str) -> list[Row]:
    """How oriented filters are: those that answer to anything."""
    alive = active(filters)
    selectivity = orientation_selectivity(filters[alive])
    return [
        mean_row(f"orientation_selectivity{tail}", selectivity, "", "higher"),
        mean_row(f"oriented{tail}", (selectivity > _ORIENTED).float(), "fraction", "higher"),
        mean_row(f"active{tail}", alive.float(), "fraction", None),
    ]


def reproduce_fig5(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Filters, and how oriented they are."""
    start = time.perf_counter()
    without, ours = (
        first_filters(trained(name, profile).encoder)
        for name in ("nfgan_no_perceptual", "nfgan_short")
    )
    rows = [
        *filter_rows(ours, "_with"),
        *filter_rows(without, "_without"),
        *filter_rows(untrained_filters(seed), "_untrained"),
    ]
    result = part_result(
        "nfgan/fig5",
        "The encoder's first filters have more Gabor-like edges when they are learnt with the "
        "feature-level perceptual loss.",
        f"The {len(ours)} kernels of 3 by 3 of Conv1, of two networks trained equally long with "
        "and without the perceptual loss. orientation_selectivity: 1 minus the circular variance "
        "of the answers to gratings of 36 directions (Ringach et al. 2002), mean over the active "
        "filters (those that answer with a tenth of the strongest one's answer): 0.43 for "
        f"(-1, 0, 1) in three rows, 0 for a blob. oriented: above {_ORIENTED}. Rows _untrained: "
        f"of {_DRAWN} encoders that have learnt nothing. The paper shows pictures of filters and "
        "no number.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(without, ours)


def _figure(without: Tensor, ours: Tensor) -> Figure:
    figure = Figure(figsize=(6.4, 1.9), layout="constrained")
    titles = ("(a) without the perceptual loss", "(b) with it")
    for panel, filters, title in zip(figure.subfigures(1, 2), (without, ours), titles, strict=True):
        panel.suptitle(title, fontsize=9)
        order = orientation_selectivity(filters).argsort(descending=True)
        axes = panel.subplots(4, -(-len(filters) // 4), squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for axis, place in zip(axes.flat, order, strict=False):
            kernel = filters[place, 0]
            most = float(kernel.abs().max().clamp(min=1e-12))
            axis.imshow(kernel.numpy(), cmap="gray", vmin=-most, vmax=most)
    return figure


EXPERIMENTS: dict[str, Experiment] = {"nfgan/fig5": reproduce_fig5}
