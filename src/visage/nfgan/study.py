"""Generators for experiments: trained where they have not been, and how their training went."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from visage.ledger import Profile
from visage.nfgan.errors import NfganError
from visage.nfgan.family import LossFamily
from visage.nfgan.networks import Nfgan
from visage.nfgan.pairs import Pairs, pairs
from visage.nfgan.plans import PLANS, SUBSETS, plan_of, subset_name
from visage.nfgan.train import RECIPES, nfgan_recipe
from visage.photos.downloads import cache_folder
from visage.training import Trained, train

__all__ = ["SUBSETS", "history", "subset_name", "trained", "trained_family", "training_seconds"]

_FAST_STEPS, _FAST_BATCH, _FAST_PEOPLE, _FAST_WIDTH = 4, 4, 3, 0.25


@lru_cache(maxsize=40)
def trained(name: str, profile: Profile) -> Nfgan:
    """One of the generators of `visage.nfgan.train.RECIPES`, with its discriminator.

    Args:
        name: of the recipe, "nfgan" and so on.
        profile: "full" takes up what was trained before, or trains it now and keeps it; "fast"
            trains a few steps on a few faces, to see that everything runs.

    Returns:
        The networks in evaluation mode, whose weights do not learn.

    Raises:
        NfganError: no generator has that name.
    """
    return _run(name, profile).model.players.eval().requires_grad_(False)


@lru_cache(maxsize=2)
def trained_family(profile: Profile) -> LossFamily:
    """The family of generators, likewise."""
    return _run("nfgan_family", profile).model.players.family.eval().requires_grad_(False)


def history(name: str, profile: Profile) -> list[dict[str, float]]:
    """How a training went: every few steps the mean of each loss, and the discriminator's accuracy.

    Args:
        name: of the recipe.
        profile: as for `trained`, which is run first.
    """
    log = _run(name, profile).folder / "log.jsonl"
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def training_seconds(name: str, profile: Profile) -> float:
    """Wall time that a training took, over all its continuations."""
    return _run(name, profile).seconds


@lru_cache(maxsize=40)
def _run(name: str, profile: Profile) -> Trained:
    if name not in PLANS:
        raise NfganError(f"no generator is called {name!r}; `visage train --list` names them")
    if profile == "full":
        # What `visage train` left is taken up; else the run is kept with what else is remembered.
        own = Path("runs") / name
        return train(RECIPES[name], folder=own if own.exists() else runs_folder() / name)
    plan = plan_of(name)
    short = replace(plan.training, steps=_FAST_STEPS, batch_size=_FAST_BATCH, warmup=1, log_every=1)
    config = replace(plan.config, width=_FAST_WIDTH, discriminator_width=_FAST_WIDTH)
    plan = replace(plan, training=short, config=config)
    recipe = nfgan_recipe(name, "a few steps", plan, few_pairs)
    return train(recipe, folder=runs_folder() / f"{name}_fast")


@lru_cache(maxsize=1)
def few_pairs() -> Pairs:
    """A few training people, for a trial of everything; seconds to draw."""
    return pairs("train", _FAST_PEOPLE, progress=False)


def runs_folder() -> Path:
    """Where runs are kept that no folder was named for."""
    return cache_folder() / "nfgan" / "runs"
