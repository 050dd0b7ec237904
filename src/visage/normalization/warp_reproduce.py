"""Figures 2 and 5 of Cole et al. (2017): what the warp does to a face."""

from __future__ import annotations

import time

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.portraits import Detail
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row, measured_result
from visage.normalization.spline import Order, polyharmonic_spline
from visage.normalization.warp import boundary_points, control_points, dense_flow, sample, warp
from visage.normalization.warp_examples import (
    SIZE,
    Portraits,
    astronaut,
    mean_geometry,
    person_landmarks,
    synthetic_portraits,
)
from visage.photos.alignment import to_grey

_PAPER = "cole2017synthesizing"
_SHOWN, _PAIR = (11, 12), (3, 6)  # of the synthetic test people
_PLAIN = Detail(texture=256, strands=500)
_START, _WANTED = "#56b4e9", "#e69f00"
_ARROWS = 14  # pixels between two of the flow's


def reproduce_fig2(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """A photograph, its landmarks, and the photograph warped to the mean geometry."""
    start, count = time.perf_counter(), 40 if profile == "full" else 2
    wanted = mean_geometry()
    detail = Detail(texture=512, strands=5000, supersample=2) if profile == "full" else _PLAIN
    shown = astronaut() + synthetic_portraits(_SHOWN[:count], seed=seed, detail=detail)
    several = synthetic_portraits(range(20, 20 + count), seed=seed, detail=_PLAIN)
    textures = warp(several.images, several.landmarks, wanted[None])
    means = torch.stack([several.images.mean(0), textures.mean(0)])
    before, after = _face_gradients(means, wanted).tolist()
    single = _face_gradients(textures, wanted)
    result = measured_result(
        "normalization/fig2",
        "Warping aligns the textures, so that the left pupil in every image lies at the same pixel "
        "coordinates.",
        f"{count} synthetic test people in the crop of section 6.1 ({SIZE} pixels), warped by "
        "their true landmarks to the mean of 200 synthetic training people: φ_1, "
        f"{len(boundary_points(9, 9))} boundary points. What lies at the same pixels stays sharp "
        "when the pictures are averaged: gradient is the mean length of luma's gradient about "
        "the face, in grey levels a pixel, of the mean of the pictures, of the mean of the warped "
        "ones, and of single warped ones (mean).",
        paper=_PAPER,
        profile=profile,
        seed=seed,
        start=start,
        rows=[
            Row("gradient_of_mean_before", None, before, "levels/px", "higher", count),
            Row("gradient_of_mean_after", None, after, "levels/px", "higher", count),
            mean_row("gradient_of_one", single, "levels/px", None),
        ],
    )
    return result, fig2(shown, wanted, means)


def _face_gradients(images: Tensor, outline: Tensor) -> Tensor:
    """Mean length of the gradient in the box of landmarks (68, 2), in grey levels: (N,)."""
    (left, top), (right, bottom) = outline.amin(0).int().tolist(), outline.amax(0).int().tolist()
    luma = 255 * to_grey(images)[:, 0, top:bottom, left:right]
    across, down = luma[:, :-1, 1:] - luma[:, :-1, :-1], luma[:, 1:, :-1] - luma[:, :-1, :-1]
    return torch.hypot(across, down).mean((1, 2))


def fig2(faces: Portraits, wanted: Tensor, means: Tensor) -> Figure:
    """Each face, its landmarks, the face with them at `wanted` (68, 2); below, means (2, 3, S, S).

    The means are of many such pictures, and of the same pictures warped.
    """
    count = len(faces.images)
    warped = warp(faces.images, faces.landmarks, wanted[None])
    figure, axes = plt.subplots(count + 1, 3, figsize=(6.3, 2.15 * (count + 1)))
    for row, image, result, points in zip(
        axes, faces.images, warped, faces.landmarks, strict=False
    ):
        _show(row[0], image)
        _show(row[1], image)
        _dots(row[1], points, _START)
        _show(row[2], result)
        _dots(row[2], wanted, _WANTED)
    _show(axes[-1, 0], means[0])
    _show(axes[-1, 2], means[1])
    axes[-1, 1].set_axis_off()
    axes[-1, 1].text(
        0.5, 0.5, "← mean of many\n\nmean of many,\nwarped →", ha="center", va="center",
        transform=axes[-1, 1].transAxes, fontsize=9,
    )  # fmt: skip
    for axis, title in zip(axes[0], ("picture", "landmarks", "at the mean geometry"), strict=True):
        axis.set_title(title)
    return figure


def reproduce_fig5(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """One face moved to another's landmarks, and how far flows of many pairs overshoot."""
    start, count = time.perf_counter(), 100 if profile == "full" else 4
    points = person_landmarks(2 * count, seed=seed, split="test")
    source, target = points[:count], points[count:]
    detail = Detail(texture=512, strands=5000, supersample=2) if profile == "full" else _PLAIN
    people = synthetic_portraits(_PAIR, seed=seed, detail=detail)
    result = measured_result(
        "normalization/fig5",
        "The linear interpolant is more robust to overshooting than the thin-plate spline, and "
        "its linearization artifacts are difficult to detect.",
        f"{count} pairs of synthetic test people, one's landmarks moved to the other's, twice as "
        f"far in rows _twice; {SIZE} pixels, {len(boundary_points(9, 9))} boundary points, "
        "float32. landmark_error: how far the flow at a landmark is from its displacement, the "
        "worst. overshoot: the flow's largest displacement in times of the largest asked for. "
        "folded: pixels at which the flow turns the picture over (its Jacobian's determinant is "
        "not positive).",
        paper=_PAPER,
        profile=profile,
        seed=seed,
        start=start,
        rows=_flow_rows(source, target),
    )
    return result, fig5(people.images[:1], people.landmarks[:1], people.landmarks[1:])


def _flow_rows(source: Tensor, target: Tensor) -> list[Row]:
    rows = []
    for order in (1, 2):
        name = {1: "linear", 2: "thin_plate"}[order]
        points, values = control_points(source, target, SIZE, SIZE)
        missed = polyharmonic_spline(points, values, target, order) - (source - target)
        worst = float(missed.norm(dim=2).max())
        count = target[..., 0].numel()
        rows.append(Row(f"landmark_error_px_{name}", None, worst, "px", "lower", count))
        flow = dense_flow(source, target, SIZE, SIZE, order=order)
        overshoot = flow.norm(dim=1).amax((1, 2)) / (source - target).norm(dim=2).amax(1)
        rows.append(mean_row(f"overshoot_{name}", overshoot, "times", "lower"))
        for times, tail in ((1, ""), (2, "_twice")):
            turned = (flow_determinant(times * flow) <= 0).float().mean((1, 2))  # d is linear in D
            rows.append(mean_row(f"folded_{name}{tail}", turned, "fraction", "lower"))
    return rows


def flow_determinant(flow: Tensor) -> Tensor:
    """How much each cell of four pixels grows: det(1 + ∇d), by differences of neighbours.

    Not positive where the picture is folded: two places of the result read the same place.

    Args:
        flow: (B, 2, H, W), pixels.

    Returns:
        (B, H − 1, W − 1).
    """
    across = flow[..., :-1, 1:] - flow[..., :-1, :-1]
    down = flow[..., 1:, :-1] - flow[..., :-1, :-1]
    return (1 + across[:, 0]) * (1 + down[:, 1]) - across[:, 1] * down[:, 0]


def fig5(image: Tensor, source: Tensor, target: Tensor, order: Order = 1) -> Figure:
    """Start, wish, flow and result of one warp, (1, 3, S, S) and (1, 68, 2) each."""
    height, width = image.shape[-2:]
    flow = dense_flow(source, target, height, width, order=order)
    figure, axes = plt.subplots(1, 4, figsize=(9.2, 2.55))
    for axis, title in zip(
        axes, ("landmarks", "where they shall lie", "flow", "result"), strict=True
    ):
        axis.set_title(title)
    _show(axes[0], image[0])
    _dots(axes[0], source[0], _START)
    _show(axes[1], 0.35 * image[0] + 0.65)
    _dots(axes[1], source[0], _START)
    _dots(axes[1], target[0], _WANTED)
    _dots(axes[1], boundary_points(height, width), _WANTED, clip=False)
    _draw_flow(axes[2], flow[0])
    _show(axes[3], sample(image, flow)[0])
    _dots(axes[3], target[0], _WANTED)
    return figure


def _draw_flow(axis: Axes, flow: Tensor) -> None:
    """Length as shade, and arrows from where a pixel is to where its content comes from."""
    height, width = flow.shape[-2:]
    shade = axis.imshow(flow.norm(dim=0).numpy(), cmap="viridis", interpolation="bilinear")
    x, y = torch.meshgrid(
        torch.arange(_ARROWS // 2, width, _ARROWS),
        torch.arange(_ARROWS // 2, height, _ARROWS),
        indexing="xy",
    )
    u, v = flow[:, y, x]
    axis.quiver(
        *(t.numpy() for t in (x, y, u, v)),
        angles="xy",
        scale_units="xy",
        scale=1,
        color="white",
        width=0.006,
    )
    bar = axis.figure.colorbar(shade, ax=axis, fraction=0.046, pad=0.03)
    bar.set_label("pixels", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)


def _show(axis: Axes, image: Tensor) -> None:
    axis.imshow(image.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="bilinear")
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


def _dots(axis: Axes, points: Tensor, colour: str, *, clip: bool = True) -> None:
    axis.scatter(*points.numpy().T, s=5, color=colour, linewidths=0, clip_on=clip)


EXPERIMENTS: dict[str, Experiment] = {
    "normalization/fig2": reproduce_fig2,
    "normalization/fig5": reproduce_fig5,
}
