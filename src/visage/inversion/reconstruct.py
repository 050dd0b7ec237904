"""Iterative reconstruction of faces from their embeddings (section 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from visage.inversion.errors import InversionError, check_pictures
from visage.inversion.iteration import Callback, Iteration, chosen
from visage.inversion.objective import Objective, References
from visage.inversion.pixels import Pixels, PlainPixels
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.inversion.state import ReconstructionState
from visage.recognition.encoder import Encoder


@dataclass(frozen=True)
class Reconstruction:
    """What came of it.

    Attributes:
        images: (B, 3, S, S) in [0, 1]: the last or the best by ``config.keep``; the best so far
            where a run diverged.
        losses: by term and "total", each (steps, B), weighted as they were at that step, and
            "distance", the encoder's own.
        best_step: (B,), of the lowest loss with the final TV weight.
        diverged: (B,), True where a loss was no longer finite or exploded.
    """

    images: Tensor
    losses: dict[str, Tensor]
    best_step: Tensor
    diverged: Tensor


def reconstruct(
    encoder: Encoder,
    targets: Tensor,
    config: ReconstructionConfig | None = None,
    references: References | None = None,
    *,
    pixels: Pixels | None = None,
    start: Tensor | None = None,
    seeds: Sequence[int] | None = None,
    callback: Callback | None = None,
    keep_at: str | Path | None = None,
    keep_every: int = 50,
) -> Reconstruction:
    """Find images whose embeddings are the targets: min L, eq. 1, by gradient descent, eq. 3.

    All images are descended together and each on its own loss, so that a result does not depend on
    what else is in the batch, but for rounding. Works where the targets and the encoder are.

    Args:
        encoder: F, frozen.
        targets: e, (B, dim).
        config: settings.
        references: guide, statistics of activations, energies of bands, mean embedding.
        pixels: the parametrisation, `PlainPixels` if None.
        start: (1 or B, 3, S, S), in place of what ``config.start`` says.
        seeds: one for each image, for its noise and its jitter; ``config.seed`` for all if None.
            A single seed also moves all images and their guide alike, which is the faster.
        callback: see `Callback`; may raise KeyboardInterrupt to stop.
        keep_at: a file. Where it exists, the run goes on from it; it is written every
            ``keep_every`` steps, when interrupted, and at the end.
        keep_every: steps.

    Raises:
        InversionError: targets, guide, start, seeds or the file cannot be used.
    """
    config, references = config or ReconstructionConfig(), references or References()
    pixels = pixels or PlainPixels()
    objective = Objective(encoder, config.objective, references)
    objective.check(targets)
    seeds = _checked_seeds(seeds, config, len(targets))
    iteration = Iteration(objective, targets, config, pixels, seeds, callback)
    problem = _describe(targets, config, references, pixels, start, seeds)
    if keep_at is not None and Path(keep_at).exists():
        state = ReconstructionState.load(keep_at, problem, targets.device)
    else:
        state = iteration.first(_start(encoder, iteration, references, start), problem)
    try:
        while state.step < config.steps and not bool(state.diverged.all()):
            state = iteration.advanced(state)
            if keep_at is not None and state.step % keep_every == 0:
                state.save(keep_at)
    finally:
        # A state is never changed, only replaced: even an interrupted step leaves a whole one.
        if keep_at is not None:
            state.save(keep_at)
    return _result(state, iteration)


def _result(state: ReconstructionState, iteration: Iteration) -> Reconstruction:
    diverged = state.diverged | iteration.out_of_range(state.numbers)
    best = torch.ones_like(diverged) if iteration.config.keep == "best" else diverged
    with torch.no_grad():
        images = iteration.pixels.decode(chosen(best, state.best, state.numbers))
    return Reconstruction(
        images.clamp(0, 1).contiguous(), dict(state.losses), state.best_step, diverged
    )


def _start(
    encoder: Encoder, iteration: Iteration, references: References, start: Tensor | None
) -> Tensor:
    """Numbers to start from, (B, ...), in the dtype of the targets and where they are."""
    targets, pixels = iteration.targets, iteration.pixels
    if start is None and iteration.config.start == "guide":
        start = references.guide
        if start is None:
            raise InversionError(
                "there is no guide to start from; give one in the references, or start='noise'."
            )
    if start is None:
        drawn = [
            pixels.noise(encoder.crop.size, Generator().manual_seed(seed))
            for seed in iteration.seeds
        ]
        numbers = torch.cat(drawn).to(targets)
    else:
        check_pictures(start, encoder.crop.size, len(targets), "start")
        numbers = pixels.encode(start.detach().to(targets))
    numbers = numbers.expand(len(targets), *numbers.shape[1:]).clone()
    if iteration.config.channels_last and numbers.ndim == 4:
        # Kept so from step to step, pixels are never copied from one layout to the other.
        numbers = numbers.contiguous(memory_format=torch.channels_last)
    return numbers


def _checked_seeds(
    seeds: Sequence[int] | None, config: ReconstructionConfig, batch: int
) -> list[int]:
    """One seed for all images or one for each."""
    if seeds is None:
        return [config.seed]
    seeds = [int(seed) for seed in seeds]
    if len(seeds) not in {1, batch} or min(seeds) < 0:
        raise InversionError(
            f"there are {len(seeds)} seeds for {batch} targets; give one for each, 0 or more."
        )
    return seeds


def _describe(
    targets: Tensor,
    config: ReconstructionConfig,
    references: References,
    pixels: Pixels,
    start: Tensor | None,
    seeds: list[int],
) -> str:
    """A digest of all that a reconstruction depends on, but the encoder's weights."""
    digest = hashlib.sha256(f"{config} {type(pixels).__name__} {seeds}".encode())
    colours = references.colours
    tensors = [targets, references.guide, references.bands, references.centre, start]
    for tensor in [*tensors, *((colours.mean, colours.covariance) if colours else ())]:
        if tensor is not None:
            digest.update(tensor.detach().double().cpu().numpy().tobytes())
    return digest.hexdigest()
