"""Figure 11: against the linear model and patches quilted in the manner of visio-lization."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.backbones import load_backbone
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.likeness import face_chips, identity_distances
from visage.texture.measures import BANDS, band_energy_ratio, gram_distance, ssim
from visage.texture.methods import Bench, infer
from visage.texture.observation import Observation, observe_truly
from visage.texture.study import part_result
from visage.texture.synthesis import SynthesisConfig
from visage.texture.window import face_region, feather, resized
from visage.texture.yiq import luminance

METHODS = ("pca", "quilting", "convex")
"""As the figure shows them, from left to right."""

NAMES = {
    "pca": "linear model",
    "quilting": "quilting",
    "convex": "ours",
    "patch_match": "PatchMatch",
    "biharmonic": "biharmonic",
    "true": "truth",
}

_ZOOMED = ((0.52, 0.40), (0.30, 0.46), (0.24, 0.12))  # row and column: mouth, nose, brow
_ZOOM = 0.25  # of the window's side
_SHOWN = 3
_PRINTED = 256  # pixels


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    views: int  # photographs, one of each person
    size: int  # texels
    people: int  # in the database
    iterations: int  # of a synthesis

    def bench(self) -> Bench:
        """Database, its correlations, and settings."""
        return Bench.load(self.size, self.people, SynthesisConfig(iterations=self.iterations))


PLANS = {"fast": Plan(1, 64, 4, 8), "full": Plan(8, 256, 256, 200)}


def reproduce_fig11(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Frontal photographs of test people, by three methods."""
    start, plan = time.perf_counter(), PLANS[profile]
    views, bench = held_out_views(plan.views, relief=False), plan.bench()
    seen = [observe_truly(views, row, plan.size) for row in range(len(views))]
    found = [infer(one, bench, METHODS, seed + row) for row, one in enumerate(seen)]
    made = {name: torch.cat([one[name] for one in found]) for name in METHODS}
    true = views.textures(plan.size)
    rows = [row for name in METHODS for row in _rows(name, made[name], true, views, bench)]
    people = torch.tensor(
        [len(bench.quilter.quilt(one.low_frequency, seed + row, face_region(plan.size)).people
             .unique()) for row, one in enumerate(seen)]
    )  # fmt: skip
    rows.append(mean_row("quilted_from", people, "people", None))
    result = part_result(
        "texture/fig11",
        "Ours and visio-lization produce higher fidelity than a linear model; at high resolution "
        "ours shows pores and stubble where visio-lization has random noise patterns.",
        f"{len(views)} synthetic test people, frontal, textures of {plan.size} texels, over the "
        "whole face. Each method starts from the same photograph, unwrapped with its true shape, "
        "camera and light (wrinkles are painted, so that none of their shading is taken for "
        f"albedo). ours: convex weights of {plan.people} training people, "
        f"{plan.iterations} iterations. linear model: the low-frequency albedo fitted to what is "
        "visible. quilting: in the manner of visio-lization (Mohammed et al. 2009), our own "
        "programme: patches of a sixteenth of the window from the same training people's "
        "registered textures, chosen by the low-frequency albedo and their neighbours, joined by "
        "minimum cuts (Efros and Freeman 2001). gram_distance: mean over layers of the relative "
        "distance of Gram matrices from the truth's, by the backbone that ours optimises; "
        "gram_distance_recogniser: by a face recogniser's features, which no method has seen. "
        "identity_distance: of dlib's recogniser between heads rendered with the method's and the "
        "true texture. The paper shows one person, without numbers.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(made, true, seen)


def _rows(name: str, made: Tensor, true: Tensor, views: HeldOutViews, bench: Bench) -> list[Row]:
    region = face_region(made.shape[-1])
    judged = luminance(made), luminance(true), region
    energies = band_energy_ratio(*judged)
    chips = [face_chips(within(some, true), views.identity) for some in (made, true)]
    return [
        mean_row(f"gram_distance/{name}", gram_distance(bench.backbone, *judged), "", "lower"),
        mean_row(f"gram_distance_recogniser/{name}",
                 gram_distance(load_backbone("recogniser"), *judged), "", "lower"),
        *(mean_row(f"{band}_band_energy_ratio/{name}", energies[:, i], "", None)
          for i, band in enumerate(BANDS)),
        mean_row(f"ssim/{name}", ssim(*judged), "", "higher"),
        mean_row(f"identity_distance/{name}", identity_distances(*chips).diagonal(), "", "lower"),
    ]  # fmt: skip


def within(texture: Tensor, around: Tensor) -> Tensor:
    """A texture (B, 3, S, S) on the face, fading into another beyond it."""
    return around + feather(texture.shape[-1]) * (texture - around)


def cut_out(textures: Tensor, corner: tuple[float, float], side: float) -> Tensor:
    """Squares (B, 3, ·, ·) of textures, as they are printed.

    Args:
        textures: (B, 3, S, S).
        corner: row and column of the squares' top left, where the window's side is 1.
        side: of the squares, where the window's is 1.
    """
    size = textures.shape[-1]
    top, left = (round(share * size) for share in corner)
    length = round(side * size)
    square = textures[:, :, top : top + length, left : left + length]
    return resized(square, _PRINTED)


def _figure(made: dict[str, Tensor], true: Tensor, seen: Sequence[Observation]) -> Figure:
    """For each person a row of whole textures, and one of a part of them."""
    rows, names = [], []
    for person, one in enumerate(seen[:_SHOWN]):
        textures = torch.cat([*(made[name][person : person + 1] for name in METHODS),
                              true[person : person + 1]])  # fmt: skip
        whole = within(textures, one.low_frequency)
        rows += [cut_out(whole, (0.0, 0.0), 1.0), cut_out(whole, _ZOOMED[person], _ZOOM)]
        names += [f"person {person + 1}", "four times"]
    return sheet(rows, names, columns=[NAMES[name] for name in (*METHODS, "true")])


EXPERIMENTS: dict[str, Experiment] = {"texture/fig11": reproduce_fig11}
