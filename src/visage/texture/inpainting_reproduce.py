"""Figure 17: what is not visible, inferred and inpainted."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.backbones import Backbone, load_backbone
from visage.texture.held_out import held_out_views
from visage.texture.measures import (
    BANDS,
    band_energy_ratio,
    gram_distance,
    mean_difference,
    ssim,
)
from visage.texture.methods import infer
from visage.texture.observation import Observation, observe_truly
from visage.texture.quilting_reproduce import NAMES, PLANS, cut_out, within
from visage.texture.repetition import copied_share
from visage.texture.study import part_result
from visage.texture.window import face_region
from visage.texture.yiq import luminance

METHODS = ("pca", "biharmonic", "patch_match", "convex")
"""As the figure shows them, from left to right."""

_YAW = 45.0  # degrees
_SHOWN = 3
_GREY = 0.5
_CLOSE, _TOP, _EDGE = 0.4, 0.22, 0.12  # of the window's side: a cheek, an eye and half a mouth


def reproduce_fig17(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Turned heads of test people: the far side by four methods."""
    start, plan = time.perf_counter(), PLANS[profile]
    views, bench = held_out_views(plan.views, yaw=_YAW, relief=False), plan.bench()
    seen = [observe_truly(views, row, plan.size) for row in range(len(views))]
    found = [infer(one, bench, METHODS, seed + row) for row, one in enumerate(seen)]
    made = {name: torch.cat([one[name] for one in found]) for name in METHODS}
    true = views.textures(plan.size)
    visible = torch.cat([one.visible for one in seen])
    rows = [
        row for name in METHODS for row in _rows(name, made[name], true, visible, bench.backbone)
    ]
    # What is smooth has no patches that could be told from each other.
    detailed = {"patch_match": made["patch_match"], "convex": made["convex"], "true": true}
    for name, texture in detailed.items():
        copied = copied_share(luminance(texture), visible, face_region(plan.size))
        rows.append(mean_row(f"copied/{name}", copied, "fraction", None))
    invented = 1 - (visible * face_region(plan.size)).sum((1, 2, 3)) / face_region(plan.size).sum()
    rows.append(mean_row("invented", invented, "fraction", None))
    result = part_result(
        "texture/fig17",
        "PatchMatch, which knows low-level vision cues only, fills unseen skin with repeating "
        "structures and semantically wrong content.",
        f"{len(views)} synthetic test people turned by 45 degrees, textures of {plan.size} texels, "
        "unwrapped with their true shape, camera and light (their wrinkles are painted, so that "
        "none of their shading is taken for albedo); measured on the part of the face that is not "
        "visible. Inpainting starts from the visible part, with the low-frequency albedo "
        "around the face. patch_match: our own programme after Barnes et al. (2009), 7 x 7 texels, "
        "coarse to fine, with the energy of Wexler et al. (2007). biharmonic: scikit-image's. "
        f"ours: convex weights of {plan.people} training people, {plan.iterations} iterations, "
        "from the low-frequency albedo. linear model: the low-frequency albedo itself. "
        "gram_distance: mean over layers of the relative distance of Gram matrices from the "
        "truth's, by the backbone that ours optimises; gram_distance_recogniser: by a face "
        "recogniser's features, which no method has seen. copied: share of the invented 7 x 7 "
        "patches that occur in the visible part to within a byte's step; true: of the true "
        "texture. difference: mean absolute difference of luminance. The paper shows one person, "
        "without numbers.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(made, true, seen)


def _rows(name: str, made: Tensor, true: Tensor, visible: Tensor, backbone: Backbone) -> list[Row]:
    """On what is not visible of the face."""
    invented = face_region(made.shape[-1]) * (1 - visible)
    judged = luminance(made), luminance(true), invented
    energies = band_energy_ratio(*judged)
    return [
        mean_row(f"gram_distance/{name}", gram_distance(backbone, *judged), "", "lower"),
        mean_row(f"gram_distance_recogniser/{name}",
                 gram_distance(load_backbone("recogniser"), *judged), "", "lower"),
        *(mean_row(f"{band}_band_energy_ratio/{name}", energies[:, i], "", None)
          for i, band in enumerate(BANDS)),
        mean_row(f"ssim/{name}", ssim(*judged), "", "higher"),
        mean_row(f"difference/{name}", mean_difference(*judged), "", "lower"),
    ]  # fmt: skip


def _figure(made: dict[str, Tensor], true: Tensor, seen: Sequence[Observation]) -> Figure:
    """For each person a row of whole faces, and one of the side that is hidden."""
    rows, names = [], []
    for person, one in enumerate(seen[:_SHOWN]):
        visible = one.visible * face_region(one.size)
        shown = torch.where(visible > 0, one.texture, _GREY)
        textures = torch.cat([*(made[name][person : person + 1] for name in METHODS),
                              true[person : person + 1]])  # fmt: skip
        whole = torch.cat([shown, within(textures, one.low_frequency)])
        left, right = visible.chunk(2, 3)
        column = 1 - _CLOSE - _EDGE if left.sum() > right.sum() else _EDGE
        rows += [cut_out(whole, (0.0, 0.0), 1.0), cut_out(whole, (_TOP, column), _CLOSE)]
        names += [f"person {person + 1}", "hidden side"]
    return sheet(rows, names, columns=["visible", *(NAMES[name] for name in (*METHODS, "true"))])


EXPERIMENTS: dict[str, Experiment] = {"texture/fig17": reproduce_fig17}
