"""Inferred textures of held-out people beside their true ones."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import interpolate

from visage.ledger import Experiment, Profile, Result, Row
from visage.sheet import sheet
from visage.texture.comparison import (
    Measured,
    both_views,
    identity_rows,
    measure,
)
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.likeness import face_chips
from visage.texture.methods import Bench, infer
from visage.texture.observation import Observation, observe, observe_truly
from visage.texture.study import finite_mean, part_result, shown
from visage.texture.synthesis import SynthesisConfig

COMPARED = ("convex", "closest", "quilting", "pca")
VIEWS = {"front": 0.0, "side": 45.0}
"""Names of the views, and their yaw in degrees."""

_SHOWN = 4


@dataclass(frozen=True)
class TruthPlan:
    """How many are measured, and how finely."""

    people: int = 50  # in both views, with a true fit
    loose: int = 6  # of whom unconstrained weights are measured too
    whole: int = 5  # of whom correlations of the whole face, the paper's, are measured too
    photographed: int = 6  # of whom everything is inferred from the photograph, too
    fine: int = 8  # of whom, from the front, textures of 512 texels are made: in twelve minutes
    size: int = 192  # texels: of 1 mm; the window of an atlas of 512
    database: int = 256
    iterations: int = 60  # of L-BFGS: a texture takes four seconds
    fine_size: int = 512
    fine_database: int = 128  # as many take half a minute a photograph
    fine_iterations: int = 300  # as the library does by default: a texture takes a minute
    pixels: int = 512  # of the photographs' sides


FULL = TruthPlan()
FAST = TruthPlan(people=1, loose=1, whole=0, photographed=0, fine=0, size=128, database=6,
                 iterations=3, pixels=256)  # fmt: skip


def reproduce_truth(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Held-out people, from the front and from the side, with a true and with an inferred fit."""
    start, plan = time.perf_counter(), FULL if profile == "full" else FAST
    bench = Bench.load(plan.size, plan.database, SynthesisConfig(iterations=plan.iterations))
    views, measured = {}, {}
    for name, yaw in VIEWS.items():
        views[name] = held_out_views(plan.people, "test", plan.pixels, yaw, relief=False)
    true = views["front"].textures(plan.size)
    for name in VIEWS:
        measured[name] = measure(views[name], true, bench, COMPARED, observe_truly,
                                 loose=plan.loose,
                                 title=f"{name}, true fit")  # fmt: skip
    chips = face_chips(true, views["front"].identity)
    rows = [*_headline(measured, chips)]
    for name, found in measured.items():
        rows += found.means(name)
    rows += _whole(plan, views, true) + _photographed(plan, bench, true, chips) + _fine(plan)
    result = part_result(
        "texture/truth",
        "The inferred textures have the detail of captured ones, also where the photograph shows "
        "nothing; linear models lack it.",
        _protocol(plan),
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, truth_sheet(views, true, bench, min(_SHOWN, plan.people))


def _headline(measured: dict[str, Measured], chips: Tensor) -> list[Row]:
    """The four numbers of the part's goals, over both views, and what explains them."""
    of = {name: both_views(measured, name) for name in COMPARED}
    high, pca = of["convex"]["high"], of["pca"]["high"]
    invented = {name: values["gram_invented"].nanmean() for name, values in of.items()}
    rows = [
        finite_mean("high_band_energy_ratio", high),
        finite_mean("high_band_energy_error", (high - 1).abs(), "lower"),
        finite_mean("high_band_energy_error/closest", (of["closest"]["high"] - 1).abs(), "lower"),
        finite_mean("pca_high_band_energy_ratio", pca),
        Row("gram_distance_ratio_to_closest", None,
            float(invented["convex"] / invented["closest"]), "", "lower", len(high)),
        Row("gram_distance_ratio_to_closest_whole", None,
            float(of["convex"]["gram"].mean() / of["closest"]["gram"].mean()), "", "lower",
            len(high)),
    ]  # fmt: skip
    return rows + identity_rows(measured.values(), chips)


def _whole(plan: TruthPlan, views: dict[str, HeldOutViews], true: Tensor) -> list[Row]:
    """Correlations of the whole face, as the paper has them."""
    if not plan.whole:
        return []
    config = SynthesisConfig(iterations=plan.iterations)
    bench = Bench.load(plan.size, plan.database, config, regional=False)
    rows = []
    for name, every in views.items():
        found = measure(every[: plan.whole], true, bench, ("convex",), observe_truly, heads=False,
                        title=f"{name}, whole face")  # fmt: skip
        found.scores = {"whole_face": found.scores["convex"]}
        rows += found.means(name)
    return rows


def _photographed(plan: TruthPlan, bench: Bench, true: Tensor, chips: Tensor) -> list[Row]:
    """The same with everything inferred from the photograph, whose skin has relief."""
    rows, every = [], []
    if not plan.photographed:
        return rows
    for name, yaw in VIEWS.items():
        views = held_out_views(plan.photographed, "test", plan.pixels, yaw)
        found = measure(views, true, bench, ("convex", "pca"), _look, title=f"{name}, inferred fit")
        share = torch.zeros(found.asked)
        share[found.rows] = 1
        rows.append(finite_mean(f"inferred/{name}_photo", share, "higher", "fraction"))
        if found.rows:
            rows += found.means(name, "_photo")
            every.append(found)
    return rows + (identity_rows(every, chips, "_photo") if every else [])


def _look(views: HeldOutViews, row: int, size: int) -> Observation:
    return observe(views.image[row : row + 1], size)


def _fine(plan: TruthPlan) -> list[Row]:
    """A few at the size that the library makes by default."""
    if not plan.fine:
        return []
    config = SynthesisConfig(iterations=plan.fine_iterations)
    bench = Bench.load(plan.fine_size, min(plan.database, plan.fine_database), config)
    views = held_out_views(plan.fine, "test", plan.pixels, relief=False)
    true = views.textures(plan.fine_size)
    found = measure(
        views, true, bench, ("convex", "pca"), observe_truly, heads=False, title="512 texels"
    )
    return found.means("front", f"_{plan.fine_size}")


def truth_sheet(
    views: dict[str, HeldOutViews], true: Tensor, bench: Bench, count: int
) -> Figure:  # fmt: skip
    """Rows of people, seen from the side: photograph, what it shows, the truth, the methods."""
    side, rows, grey = views["side"], [], torch.full((1, 3, bench.size, bench.size), 0.5)
    for row in range(count):
        seen = observe_truly(side, row, bench.size)
        made = infer(seen, bench, COMPARED, seed=side.indices[row])
        visible = torch.where(seen.visible > 0, seen.texture, grey)
        pictures = [visible, true[row : row + 1], *made.values()]
        photo = interpolate(side.image[row : row + 1], size=shown(grey).shape[-2:], mode="area")
        rows.append(torch.cat([photo, *(shown(one) for one in pictures)]))
    columns = ("photograph", "visible", "truth", "ours", "closest", "quilting", "PCA")
    return sheet(rows, [f"person {index}" for index in side.indices[:count]], columns=columns)


def _protocol(plan: TruthPlan) -> str:
    return (
        f"{plan.people} synthetic test people, whom nothing has learned from, photographed from "
        f"the front and at 45 degrees: {plan.pixels} pixels, perspective, soft light of a room, "
        "window, studio or overcast sky, hair; shaven to their stubble, without glasses, and with "
        "wrinkles painted on, for nothing here tells relief's shading from albedo. Given the true "
        "fit: shape, camera, light, what hides the skin and the low-frequency albedo are known. "
        f"Textures of {plan.size} texels (1 mm each), a database of {plan.database} training "
        f"people, the default network, {plan.iterations} steps of L-BFGS. Rows "
        "<measure>/<method>/<view>: high, middle and low are energies of bands of luminance (waves "
        "below about 5 texels, to 25, and longer) over the truth's, on the face; gram_invented is "
        "the distance of correlations (mean over layers, relative) on the part of the face that "
        "is not visible; ssim on the visible and the invented part. The first rows are means over "
        "both views; gram_distance_ratio_to_closest is our mean distance on the invented part over "
        "that of the closest person's correlations. convex: the paper's weights; closest and "
        f"unconstrained (of the first {plan.loose}): its baselines; whole_face (of the first "
        f"{plan.whole}): as convex, but with one matrix a layer, as the paper has, where ours "
        "have one for brows and lids, lips, beard, other skin and outline each; all weights are "
        "asked, faintly, for the low-frequency albedo too; quilting: in the "
        "manner of visio-lization; pca: the low-frequency albedo. identity: dlib's recogniser on "
        "frontal heads with the inferred and the true texture, of the true shape; first: nearer to "
        f"its own than to all others. Rows _photo: {plan.photographed} of the people, wrinkles in "
        "relief, and everything (landmarks, mask, fit, light, albedo) inferred from the "
        f"photograph. Rows _{plan.fine_size}: {plan.fine} people at {plan.fine_size} texels, "
        f"{plan.fine_iterations} steps, {plan.fine_database} training people."
    )


EXPERIMENTS: dict[str, Experiment] = {"texture/truth": reproduce_truth}
"""What this module measures."""
