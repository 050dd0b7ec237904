"""Where a synthesis is, on disk, so that it can be stopped and continued."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path
from pickle import UnpicklingError

import torch

from visage.files import written_whole
from visage.texture.descent import DescentState
from visage.texture.energy import Energy
from visage.texture.errors import SynthesisError


def problem_of(energy: Energy, setting: str) -> str:
    """Tells a synthesis from another one: its targets, network, region and settings."""
    digest = hashlib.sha256(f"{energy.backbone.key} {energy.alpha} {setting}".encode())
    for name, target in {**energy.features, **energy.grams, "region": energy.region}.items():
        digest.update(name.encode() + target.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_state(path: str | Path, state: DescentState, history: list[float], problem: str) -> None:
    """Write to a file that appears whole or not at all."""
    content = {field.name: getattr(state, field.name) for field in fields(state)}
    with written_whole(path) as temporary:
        torch.save({"state": content, "history": history, "problem": problem}, temporary)


def load_state(
    path: str | Path, problem: str, device: torch.device
) -> tuple[DescentState, list[float]]:
    """Read a state of the same problem, and the energies so far.

    Raises:
        SynthesisError: the file is no state, or one of other targets or settings.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        state, history = DescentState(**content["state"]), list(content["history"])
    except (UnpicklingError, RuntimeError, EOFError, TypeError, KeyError) as error:
        raise SynthesisError(f"{path} is no saved synthesis; remove it") from error
    if content["problem"] != problem:
        raise SynthesisError(
            f"{path} holds a synthesis of other targets or with other settings; give the same "
            "ones, or another path"
        )
    return state, history
