"""The figures of the opening chapters, in the book's one style."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from visage import ledger
from visage.explore.style import BLUE, GRID, INK, MUTED, ORANGE, YELLOW
from visage.photos.alignment import align
from visage.photos.landmarks import Face, find_face
from visage.recognition.encoder import Encoder


def read_histograms(result: str, setting: str = "plain") -> dict[str, list[float]]:
    """Read the distance histograms that a verification experiment keeps beside its ledger entry.

    Args:
        result: ledger id, for example "recognition/lfw".
        setting: "plain" (one chip, Euclidean distance) or "best" (the averaged embeddings).

    Returns:
        `edges` (n + 1 distances), `same` and `different` (n counts of pairs each).

    Raises:
        FileNotFoundError: the experiment has not been run.
    """
    path = Path(ledger.results_folder()) / f"{result}.histograms.json"
    found = json.loads(path.read_text(encoding="utf-8"))[setting]
    return {key: found[key] for key in ("edges", "same", "different")}


def pipeline(photo: Tensor, face: Face, chip: Tensor, embedding: Tensor) -> Figure:
    """Draw detection, landmarks, chip and embedding side by side.

    Args:
        photo: (1, 3, H, W) in [0, 1].
        face: its face.
        chip: (1, 3, S, S) in [0, 1].
        embedding: (1, D).
    """
    figure, axes = plt.subplots(
        1, 3, figsize=(7.6, 2.7), gridspec_kw={"width_ratios": [1, 1, 1.25]}
    )
    image(axes[0], photo, "the photograph")
    box = face.box
    width, height = box.right - box.left, box.bottom - box.top
    axes[0].add_patch(
        Rectangle((box.left, box.top), width, height, fill=False, color=YELLOW, linewidth=1.6)
    )
    points = face.landmarks[0].detach().cpu()
    axes[0].scatter(points[:, 0], points[:, 1], s=2.5, color=YELLOW, linewidths=0)
    size = chip.shape[-1]
    image(axes[1], chip, f"the chip, {size}×{size}")
    bars(axes[2], embedding[0])
    axes[2].set_title(f"the embedding, {embedding.shape[1]} numbers")
    return figure


def first_look(photo: Tensor, encoder: Encoder) -> Figure:
    """Take one photograph all the way, and draw its way.

    Args:
        photo: (1, 3, H, W) in [0, 1], with one face.
        encoder: whose crop and embedding to draw.
    """
    face = find_face(photo)
    chip = align(photo, face.landmarks, encoder.crop)
    with torch.inference_mode():
        return pipeline(photo, face, chip, encoder.embed(chip))


def image(axes: Axes, picture: Tensor, title: str) -> None:
    """Show (1, 3, H, W) or (1, 1, H, W) in [0, 1] without axes."""
    pixels = picture[0].detach().cpu().clamp(0, 1).permute(1, 2, 0).numpy()
    axes.imshow(
        pixels[..., 0] if pixels.shape[-1] == 1 else pixels,
        interpolation="antialiased",
        cmap="gray",
        vmin=0,
        vmax=1,
    )
    axes.set_title(title)
    axes.set_axis_off()


def bars(axes: Axes, embedding: Tensor) -> None:
    """Draw the numbers of one embedding (D,) as bars."""
    values = embedding.detach().cpu().numpy()
    axes.bar(np.arange(len(values)), values, color=np.where(values > 0, BLUE, ORANGE), width=0.8)
    axes.set_xlabel("dimension")
    axes.grid(False, axis="x")
    axes.set_xlim(-1, len(values))


def distance_histograms(histograms: Mapping[str, Sequence[float]], threshold: float) -> Figure:
    """Draw how far apart pairs of one person and of two people lie, and the threshold.

    Args:
        histograms: `edges`, `same`, `different`, as `read_histograms` returns them.
        threshold: the distance at which the decision changes.
    """
    figure, axes = plt.subplots()
    edges = np.asarray(histograms["edges"])
    for key, colour, words in (("same", BLUE, "one person"), ("different", ORANGE, "two people")):
        counts = np.asarray(histograms[key], dtype=float)
        share = counts / counts.sum()
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.55)
        peak = share.argmax()
        axes.annotate(
            words,
            ((edges[peak] + edges[peak + 1]) / 2, share[peak]),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            color=colour,
            weight="bold",
        )
    axes.axvline(threshold, color=INK, linestyle="--", linewidth=1.3)
    axes.annotate(
        f"threshold {threshold:.2f}",
        (threshold, 0.98),
        xycoords=("data", "axes fraction"),
        xytext=(5, 0),
        textcoords="offset points",
        va="top",
        color=INK,
    )
    axes.margins(y=0.16)
    axes.set(xlabel="distance between two embeddings", ylabel="share of pairs", xlim=(0, 1.2))
    return figure


def sweeps(
    corruptions: Mapping[str, Sequence[object]], curves: Mapping[str, Tensor], threshold: float
) -> Figure:
    """Draw the distance from the plain chip along each sweep of one corruption.

    Args:
        corruptions: label to a sequence of `Corruption`, which differ in one field.
        curves: label to (n,), the distance for each.
        threshold: drawn across every panel.
    """
    figure, axes = plt.subplots(1, len(curves), figsize=(7.6, 2.2), sharey=True)
    for panel, (label, values) in zip(axes, curves.items(), strict=True):
        field = _swept_field(corruptions[label])
        at = np.array([getattr(c, field) for c in corruptions[label]])
        if field == "rotation":
            at = np.degrees(at)
        panel.plot(at, values.cpu(), color=BLUE)
        panel.axhline(threshold, color=INK, linestyle="--", linewidth=1.2)
        panel.set_xlabel(label)
    axes[0].set_ylabel("distance")
    axes[0].set_ylim(0, None)
    return figure


def _swept_field(corruptions: Sequence[object]) -> str:
    """Name the one field in which the corruptions differ."""
    first, last = vars(corruptions[0]), vars(corruptions[-1])
    return next(name for name in first if first[name] != last[name])


def gradient(chip: Tensor, start: Tensor, pull: Tensor) -> Figure:
    """Draw a chip, where an optimisation would start, and each pixel's gradient strength.

    Args:
        chip: (1, 3, S, S), the goal.
        start: (1, 3, S, S), the picture that the gradient was taken at.
        pull: (1, 3, S, S), the gradient.
    """
    figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.7))
    image(axes[0], chip, "the chip")
    image(axes[1], start, "blurred")
    strength = torch.linalg.vector_norm(pull[0], dim=0).cpu()
    limit = torch.quantile(strength, 0.995).item()
    axes[2].imshow(strength.numpy(), cmap="viridis", vmax=limit, interpolation="nearest")
    axes[2].set_title("strength of the gradient")
    axes[2].set_axis_off()
    return figure


def avalanche(
    names: Sequence[str], bits: Sequence[float], distances: Sequence[float], threshold: float
) -> Figure:
    """Compare a hash with an embedding: how far each moves under the same small changes.

    Args:
        names: what was changed.
        bits: share of the hash's bits that flipped.
        distances: how far the embedding moved.
        threshold: the recogniser's.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 0.9 + 0.3 * len(names)), sharey=True)
    rows = np.arange(len(names))[::-1]
    axes[0].barh(rows, bits, color=ORANGE, height=0.6)
    axes[0].axvline(0.5, color=MUTED, linestyle=":", linewidth=1.2)
    axes[0].set(xlim=(0, 1), xlabel="share of bits that flip", title="SHA-256 of the chip")
    axes[1].barh(rows, distances, color=BLUE, height=0.6)
    axes[1].axvline(threshold, color=INK, linestyle="--", linewidth=1.2)
    axes[1].set(xlabel="distance (dashed: threshold)", title="embedding of the chip")
    axes[0].set_yticks(rows, names)
    for panel in axes:
        panel.grid(False, axis="y")
        panel.tick_params(axis="y", length=0)
    return figure


def quantisation(bits: Sequence[int], distances: Sequence[float], threshold: float) -> Figure:
    """Draw how far an embedding moves when each of its numbers is stored in a few bits.

    Args:
        bits: bits a number.
        distances: distance from the unrounded embedding.
        threshold: the recogniser's.
    """
    figure, axes = plt.subplots(figsize=(6.4, 2.6))
    axes.plot(bits, distances, "o-", color=BLUE)
    axes.axhline(threshold, color=INK, linestyle="--", linewidth=1.2)
    axes.set(xlabel="bits for each of the 128 numbers", ylabel="distance", ylim=(0, None))
    axes.set_xticks(list(bits))
    axes.grid(color=GRID)
    return figure
