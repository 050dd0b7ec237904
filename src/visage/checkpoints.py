"""Shipped weights: ``checkpoints/<name>.safetensors``, each with a card ``<name>.json``.

A checkpoint is stored in float16, or in int8 with one scale per output channel, and always comes
back as float32. Its card says what it was trained on, with which command, what it measures, and
what it must not be used for; the card's sha256 is checked on every load.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from visage.files import written_whole
from visage.ledger import repository

Storage = Literal["float16", "int8", "float32"]

LARGEST_FILE = 8_000_000
"""Bytes. Every clone, Binder and Colab session pays for each one."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
_SCALE = ".int8_scale"


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, found or trusted; the message says which and why."""


@dataclass(frozen=True)
class Card:
    """What a reader must know before using a checkpoint.

    Attributes:
        task: what the network does: input, output, architecture.
        data: what it was trained on.
        data_licence: the terms of that data.
        licence: the terms of the weights.
        command: reproduces the checkpoint.
        revision: of the code, as `visage.ledger.current_revision` words it.
        seed: of the training run.
        device: as `visage.ledger.describe_device` words it.
        seconds: wall time of the training.
        metrics: measured on data that was not trained on, by name.
        intended_use: one or two sentences.
        must_not_be_used_for: one or two sentences.
        storage: how the floating-point weights are stored; `save_checkpoint` fills it in.
        parameters: how many numbers the file holds, likewise.
        sha256: of the weight file, likewise.
    """

    task: str
    data: str
    data_licence: str
    licence: str
    command: str
    revision: str
    seed: int
    device: str
    seconds: float
    metrics: dict[str, float]
    intended_use: str
    must_not_be_used_for: str
    storage: Storage = "float16"
    parameters: int = 0
    sha256: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        texts = ("task", "data", "data_licence", "licence", "command", "revision", "device")
        for name in (*texts, "intended_use", "must_not_be_used_for"):
            text = getattr(self, name)
            if not isinstance(text, str) or not text.strip():
                raise CheckpointError(f"A model card's {name} is a text, not {text!r}.")
        if type(self.seed) is not int:
            raise CheckpointError(f"A model card's seed is a whole number, not {self.seed!r}.")
        numbers = {"seconds": self.seconds}
        if not isinstance(self.metrics, dict):
            raise CheckpointError(
                f"A model card's metrics are named numbers, not {self.metrics!r}."
            )
        for name, number in (numbers | self.metrics).items():
            if not isinstance(number, int | float) or not math.isfinite(number):
                raise CheckpointError(f"A model card's {name} is a finite number, not {number!r}.")


def checkpoints_folder() -> Path:
    """The folder named by ``VISAGE_CHECKPOINTS``, else ``checkpoints/`` of the working copy.

    Raises:
        CheckpointError: neither exists.
    """
    named = os.environ.get("VISAGE_CHECKPOINTS")
    if named:
        return Path(named).expanduser()
    root = repository()
    if root is None:
        raise CheckpointError(
            "There is no checkpoints folder: the package is not installed from a working copy. "
            "Name a folder in the environment variable VISAGE_CHECKPOINTS."
        )
    return root / "checkpoints"


def list_checkpoints() -> list[str]:
    """Names of all shipped checkpoints, sorted."""
    return sorted(path.stem for path in checkpoints_folder().glob("[!.]*.safetensors"))


def save_checkpoint(
    name: str,
    tensors: Mapping[str, Tensor],
    card: Card,
    storage: Storage = "float16",
    folder: Path | None = None,
) -> Path:
    """Write the weights and their card; both appear whole or not at all.

    Tensors with fewer than two dimensions stay float32 whatever the storage: they are small, and
    normalisation statistics span many magnitudes. Integer tensors stay as they are.

    Args:
        name: lower-case letters, digits and underscores.
        tensors: e.g. ``module.state_dict()``.
        card: its ``storage``, ``parameters`` and ``sha256`` are filled in here.
        storage: ``float16``, ``int8`` (one scale per slice of dimension 0) or ``float32``.
        folder: where to write, `checkpoints_folder()` if None.

    Returns:
        The path of the weight file.

    Raises:
        CheckpointError: a value is not finite or overflows float16, the name or the storage is
            unknown, or the file would be larger than `LARGEST_FILE`.
    """
    _check_name(name)
    if storage not in ("float16", "int8", "float32"):
        raise CheckpointError(f"storage is 'float16', 'int8' or 'float32', not {storage!r}.")
    encoded = {}
    for key in sorted(tensors):
        encoded |= _encode(key, tensors[key].detach().cpu(), storage)
    content = safetensors.torch.save(encoded)
    if len(content) > LARGEST_FILE:
        raise CheckpointError(
            f"Checkpoint {name!r} would take {len(content):,} bytes as {storage}, more than "
            f"{LARGEST_FILE:,}; make the network smaller or store it as int8."
        )
    card = replace(
        card,
        storage=storage,
        parameters=sum(tensor.numel() for tensor in tensors.values()),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    path = (folder or checkpoints_folder()) / f"{name}.safetensors"
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
    with written_whole(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def load_checkpoint(name: str) -> tuple[dict[str, Tensor], Card]:
    """Read a checkpoint, checked against its card.

    Returns:
        The tensors, floating-point ones as float32 on the CPU, and the card.

    Raises:
        CheckpointError: there is no such checkpoint (the message lists those there are), its card
            is missing or broken, or the file is not the one that the card describes.
    """
    _check_name(name)
    path = checkpoints_folder() / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(list_checkpoints()) or "none"
        raise CheckpointError(f"There is no checkpoint {name!r}; there are: {known}.")
    card = read_card(name)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise CheckpointError(
            f"{path} is not the file that its card describes (sha256 differs); "
            f"restore both, or make them again with `{card.command}`."
        )
    try:
        encoded = safetensors.torch.load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a safetensors file ({error}).") from None
    return _decode(encoded), card


def read_card(name: str) -> Card:
    """The card of a checkpoint.

    Raises:
        CheckpointError: it is missing, not JSON, or its fields are not a card's.
    """
    _check_name(name)
    path = checkpoints_folder() / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"Checkpoint {name!r} has no card: {path} is missing.") from None
    except json.JSONDecodeError as error:
        raise CheckpointError(f"The card {path} is not JSON ({error}).") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"The card {path} is not a JSON object.")
    known = {entry.name for entry in fields(Card)}
    required = {entry.name for entry in fields(Card) if entry.default is MISSING}
    missing, unknown = sorted(required - content.keys()), sorted(content.keys() - known)
    if missing or unknown:
        what = [f"lacks {', '.join(missing)}"] if missing else []
        what += [f"has the unknown {', '.join(unknown)}"] if unknown else []
        raise CheckpointError(f"The card {path} {' and '.join(what)}.")
    return Card(**content)


def load_into(module: nn.Module, name: str) -> Card:
    """Load a checkpoint into a module that has exactly its tensors.

    Raises:
        CheckpointError: as `load_checkpoint`, or names or shapes differ; the module is unchanged.
    """
    tensors, card = load_checkpoint(name)
    own = module.state_dict()
    problems = [f"it lacks {key}" for key in own if key not in tensors]
    problems += [f"the module lacks {key}" for key in tensors if key not in own]
    problems += [
        f"{key} is {tuple(tensors[key].shape)} in the file and {tuple(own[key].shape)} here"
        for key in own
        if key in tensors and tensors[key].shape != own[key].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(
            f"Checkpoint {name!r} does not fit {type(module).__name__}: "
            f"{'; '.join(problems[:3])}{more}."
        )
    module.load_state_dict(tensors)
    return card


def quantise(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric int8 with one scale per output channel.

    The largest magnitude of a channel becomes 127, so no weight moves by more than half a step,
    max|w| / 254 of its channel.

    Args:
        weights: (O, ...), float32, at least two dimensions.

    Returns:
        int8 of the same shape, and the scales, float32 of shape (O, 1, ...).

    >>> steps, scales = quantise(torch.tensor([[1.27, -0.5], [0.0, 0.0]]))
    >>> steps
    tensor([[127, -50],
            [  0,   0]], dtype=torch.int8)
    """
    magnitude = weights.abs().amax(dim=tuple(range(1, weights.ndim)), keepdim=True)
    scales = (magnitude / 127).clamp(min=torch.finfo(torch.float32).tiny)
    return (weights / scales).round().clamp(-127, 127).to(torch.int8), scales


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise CheckpointError(
            f"A checkpoint's name is lower-case letters, digits and underscores, not {name!r}."
        )


def _encode(key: str, tensor: Tensor, storage: Storage) -> dict[str, Tensor]:
    if not tensor.is_floating_point():
        return {key: tensor.contiguous().clone()}
    tensor = tensor.float().contiguous().clone()
    if not tensor.isfinite().all():
        raise CheckpointError(f"Tensor {key!r} holds values that are not finite.")
    if tensor.ndim < 2 or storage == "float32":
        return {key: tensor}
    if storage == "int8":
        steps, scales = quantise(tensor)
        return {key: steps, key + _SCALE: scales}
    half = tensor.half()
    if not half.isfinite().all():
        raise CheckpointError(
            f"Tensor {key!r} holds {tensor.abs().max():.4g}, too large for float16; "
            "store the checkpoint as float32."
        )
    return {key: half}


def _decode(encoded: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = {}
    for key, tensor in sorted(encoded.items()):
        if key.endswith(_SCALE):
            continue
        if key + _SCALE in encoded:
            tensor = tensor.float() * encoded[key + _SCALE]
        tensors[key] = tensor.float() if tensor.is_floating_point() else tensor
    return tensors
