"""The training loop: seeds, resume, progress, logging, mixed precision, any number of devices.

A `Recipe` says what is trained; `train` runs it on Lightning Fabric. The same recipe runs on one
core and, unchanged, under ``fabric run --devices 8 --num-nodes 4 -- $(which visage) train <name>``.

On the CPU a run that was stopped and resumed gives the same weights, bit for bit, as one that was
not: items depend on (seed, index) only, the learning rate on the step only, and every step seeds
its own random numbers from (seed, step). `visage.runs` keeps what a run leaves on disk.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from visage.checkpoints import Card, Storage
from visage.data_parallel import average_gradients, fabric_of, synchronise_batch_norm
from visage.runs import Run, TrainingError

Batch = Any
"""Tensors in any nesting of tuples, lists and dicts; the first dimension is the item."""


class TrainingConfigError(ValueError):
    """Settings that make no sense."""


class TrainingDivergedError(TrainingError):
    """The loss or its gradient is no longer finite; what was last saved is still good."""


@dataclass(frozen=True)
class TrainingConfig:
    """How long, how fast and how exactly to train."""

    steps: int = 1000
    batch_size: int = 64  # over all devices together, so that a cluster follows the same curve
    learning_rate: float = 1e-3  # the peak, reached at the end of the warm-up
    warmup: int = 100  # steps of linear rise: AdamW's second moments are noise at first
    final_learning_rate: float = 0.01  # where the cosine ends, as a fraction of the peak
    weight_decay: float = 0.01  # matrices and kernels only; biases and norms are left alone
    gradient_clip: float = 1.0  # largest gradient norm; 0 leaves gradients as they are
    ema: float = 0.0  # decay of the running mean of the weights that is kept; 0 keeps the last
    precision: Literal["32-true", "bf16-mixed"] = "32-true"  # neither needs a loss scale
    seed: int = 0
    checkpoint_every: int = 500  # steps; also when stopped and at the end
    log_every: int = 20  # steps
    workers: int = 0  # processes that make batches beside the one that trains

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "checkpoint_every", "log_every"):
            if getattr(self, name) < 1:
                raise TrainingConfigError(f"{name} is at least 1, not {getattr(self, name)}.")
        for name in ("learning_rate", "warmup", "weight_decay", "gradient_clip", "seed", "workers"):
            if getattr(self, name) < 0:
                raise TrainingConfigError(f"{name} is 0 or more, not {getattr(self, name)}.")
        if not 0 <= self.ema < 1:
            raise TrainingConfigError(f"ema is at least 0 and below 1, not {self.ema}.")


class Stream(Protocol):
    """Endless data: item i depends on the stream's seed and on i only."""

    def batch(self, indices: Sequence[int]) -> Batch:
        """The items of these indices, collated."""
        ...


@dataclass(frozen=True)
class Recipe:
    """Everything that makes one network trainable by name.

    Attributes:
        name: of the checkpoint.
        summary: one line for ``visage train --list``.
        config: the settings that the shipped checkpoint was made with.
        build_model: the untrained network; may draw from torch's global generator.
        build_stream: the data for a seed.
        loss: (model, batch, generator) to a scalar to minimise and its terms for the log. The
            generator is on the batch's device; the scalar is a mean over items.
        card: the model card of a finished run, with metrics measured on other data.
        shipped: the part of the network that is kept; what only the loss needs is not.
        storage: of the checkpoint: int8 where half of float16's size is worth its half step.
    """

    name: str
    summary: str
    config: TrainingConfig
    build_model: Callable[[], nn.Module]
    build_stream: Callable[[int], Stream]
    loss: Callable[[nn.Module, Batch, Generator], tuple[Tensor, dict[str, Tensor]]]
    card: Callable[[Trained], Card]
    shipped: Callable[[nn.Module], nn.Module] = lambda model: model
    storage: Storage = "float16"


@dataclass(frozen=True)
class Trained:
    """A finished run: the network in evaluation mode on the CPU, and what it took."""

    model: nn.Module
    config: TrainingConfig
    folder: Path
    device: torch.device
    seconds: float  # spent in the loop, over all its continuations
    rank: int = 0  # of this process; only the first should write what comes of the run


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine to ``final_learning_rate`` times the peak.

    >>> config = TrainingConfig(steps=100, warmup=10, learning_rate=1.0, final_learning_rate=0.1)
    >>> [round(learning_rate(step, config), 3) for step in (0, 9, 10, 55, 100)]
    [0.1, 1.0, 1.0, 0.55, 0.1]
    """
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return config.learning_rate * (
        config.final_learning_rate + (1 - config.final_learning_rate) * cosine
    )


def train(
    recipe: Recipe, config: TrainingConfig | None = None, folder: Path | None = None
) -> Trained:
    """Run a recipe to its end, from wherever the folder's last checkpoint left it.

    Ctrl-C, or a termination signal, lets the current step finish, saves, and raises
    ``KeyboardInterrupt``; the same call then resumes.

    Args:
        recipe: what to train.
        config: settings other than the recipe's own.
        folder: of the run, ``runs/<name>`` if None.

    Raises:
        TrainingDivergedError: the loss or its gradient is not finite.
        TrainingError: the folder holds a run of another recipe or with other settings, or the
            batch cannot be divided among the devices.
    """
    config = config or recipe.config
    folder = Path(folder or Path("runs") / recipe.name)
    fabric = fabric_of(config.precision)
    if not int(os.environ.get("LT_CLI_USED", 0)):  # `fabric run` has started the processes already
        fabric.launch()
    with _own_random_numbers(fabric.device):
        torch.manual_seed(config.seed)
        model = recipe.build_model()
    if fabric.world_size > 1:
        synchronise_batch_norm(model)
    network, optimizer = fabric.setup(model, _optimizer(model, config))
    run = Run(folder, recipe.name, config, model, optimizer)
    run.resume(fabric.device)
    loader = _loader(recipe.build_stream(config.seed), config, run.step, fabric)
    bar = tqdm(total=config.steps, initial=run.step, desc=recipe.name, unit="step", disable=None)
    with _own_random_numbers(fabric.device), _stop_requests() as stop, bar:
        started = time.perf_counter() - run.seconds
        batches = iter(loader)
        network.train()
        while run.step < config.steps:
            rate = learning_rate(run.step, config)
            for group in optimizer.param_groups:
                group["lr"] = rate
            terms = _step(fabric, recipe, run, network, optimizer, next(batches))
            run.average_weights(config.ema)
            run.seconds = time.perf_counter() - started
            last = run.step == config.steps - 1
            if last or run.step % config.log_every == 0:
                terms = {
                    k: fabric.all_reduce(v.detach(), reduce_op="mean").item()
                    for k, v in terms.items()
                }
                if fabric.is_global_zero:
                    run.log(terms | {"learning_rate": rate})
                bar.set_postfix(loss=f"{terms['loss']:.4g}", refresh=False)
            run.step += 1
            bar.update()
            stopping = stop() and not last
            due = last or stopping or run.step % config.checkpoint_every == 0
            if due and fabric.is_global_zero:
                run.save()
            if stopping:
                raise KeyboardInterrupt(f"stopped after step {run.step}; the same command resumes")
    if run.average:
        model.load_state_dict(run.average)
    return Trained(
        model.cpu().eval(), config, folder, fabric.device, run.seconds, fabric.global_rank
    )


def _step(fabric, recipe, run, network, optimizer, batch) -> dict[str, Tensor]:
    """One step of the optimiser, refused where it would spoil the weights; returns the terms."""
    generator = _seed_step(run.config.seed, run.step, fabric)
    loss, terms = recipe.loss(network, fabric.to_device(batch), generator)
    optimizer.zero_grad()
    fabric.backward(loss)
    average_gradients(fabric, [p for p in network.parameters() if p.requires_grad])
    limit = run.config.gradient_clip or math.inf
    norm = fabric.clip_gradients(network, optimizer, max_norm=limit, error_if_nonfinite=False)
    if not math.isfinite(loss.item() + norm.item()):
        saved = run.checkpoint if run.checkpoint.exists() else "none"
        raise TrainingDivergedError(
            f"{recipe.name} diverged at step {run.step}: loss {loss.item():.4g}, gradient norm "
            f"{norm.item():.4g}. The last good checkpoint is {saved}; "
            "start a new run with a lower learning rate."
        )
    optimizer.step()
    return {"loss": loss, **terms, "gradient": norm}


class _Steps(Dataset):
    """Item s is this device's share of the batch of step s."""

    def __init__(self, stream: Stream, batch_size: int, rank: int, world: int):
        self.stream, self.share, self.rank, self.world = stream, batch_size // world, rank, world

    def __getitem__(self, step: int) -> Batch:
        first = (step * self.world + self.rank) * self.share
        return self.stream.batch(range(first, first + self.share))


def _loader(stream: Stream, config: TrainingConfig, start: int, fabric: Fabric) -> DataLoader:
    if config.batch_size % fabric.world_size:
        raise TrainingError(
            f"batch_size {config.batch_size} cannot be divided among {fabric.world_size} devices."
        )
    steps = _Steps(stream, config.batch_size, fabric.global_rank, fabric.world_size)
    return DataLoader(
        steps,
        batch_size=None,
        sampler=range(start, config.steps),
        num_workers=config.workers,
        worker_init_fn=_ignore_interrupts,
    )


def _ignore_interrupts(worker: int) -> None:
    # The terminal sends Ctrl-C to every process; only the one that trains should act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.learning_rate)


def _own_random_numbers(device: torch.device):
    """Leave torch's global generators as they were afterwards."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def _seed_step(seed: int, step: int, fabric: Fabric) -> Generator:
    """Seed this step's random numbers, dropout's included; there is no state to save."""
    words = np.random.SeedSequence([seed, step, fabric.global_rank]).generate_state(1, np.uint64)
    mixed = int(words[0] >> 1)
    torch.manual_seed(mixed)
    return Generator(fabric.device).manual_seed(mixed)


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Whether a stop was asked for; a second request stops at once."""
    asked = []

    def handle(number, frame):
        if asked:
            raise KeyboardInterrupt("stopped at once; the last checkpoint stands")
        asked.append(number)

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, handle)
    except ValueError:
        pass  # Outside the main thread Python takes no handlers, and Ctrl-C does not arrive.
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
