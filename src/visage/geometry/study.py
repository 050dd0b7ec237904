"""What the measurements of this part have in common: networks, faces and rows."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import nn

from visage.checkpoints import list_checkpoints
from visage.geometry.coarse_network import CoarseNet, load_coarse_net
from visage.geometry.fine_network import FineNet, load_fine_net
from visage.geometry.pipeline import Networks
from visage.ledger import Profile
from visage.measured import measured_result
from visage.photos.downloads import cache_folder

PAPER = "richardson2017learning"

part_result = partial(measured_result, paper=PAPER)
"""`visage.measured.measured_result` of Richardson et al. (2017)."""


@lru_cache(maxsize=2)
def networks(profile: Profile) -> Networks:
    """CoarseNet and FineNet.

    Args:
        profile: "full" takes the shipped ones; "fast" untrained ones, to see that everything runs.
    """
    return Networks.load() if profile == "full" else Networks(_untrained(), FineNet().eval())


@lru_cache(maxsize=2)
def single_pass(profile: Profile) -> CoarseNet:
    """The CoarseNet of a single pass (Richardson et al. 2016), likewise; trained now if need be."""
    return _untrained() if profile == "fast" else trained("coarse_net_single")


@lru_cache(maxsize=4)
def trained(name: str) -> nn.Module:
    """One of this part's networks: shipped, or from a run, or trained now and kept."""
    loaders = {"coarse": load_coarse_net, "fine": load_fine_net}
    if name in list_checkpoints():
        return loaders[name.partition("_")[0]](name)
    # Training needs more than reading a network does.
    from visage.geometry.train import RECIPES
    from visage.training import train

    own = Path("runs") / name
    folder = own if own.exists() else cache_folder() / "geometry" / "runs" / name
    return train(RECIPES[name], folder=folder).model.eval().requires_grad_(False)


def _untrained() -> CoarseNet:
    """Untrained, CoarseNet answers with the mean face; so that something moves, not quite."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = CoarseNet()
        nn.init.normal_(network.head.weight, std=1e-3)
    return network.eval().requires_grad_(False)
