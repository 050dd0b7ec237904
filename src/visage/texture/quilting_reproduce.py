"""Figure 11: against the linear model and patches quilted in the manner of visio-lization."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.backbones import load_backbone
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.likeness import face_chips, identity_distances
from visage.texture.measures import (
    BANDS,
    band_energy_ratio,
    gram_distance,
    mean_difference,
    ssim,
)
from visage.texture.methods import Bench, infer
from visage.texture.observation import Observation, observe_truly
from visage.texture.study import part_result, shown
from visage.texture.synthesis import SynthesisConfig
from visage.texture.truth_reproduce import FAST, FULL, TruthPlan
from visage.texture.window import face_region, feather, resized
from visage.texture.yiq import luminance

METHODS = ("pca", "quilting", "convex")
"""As the figure shows them, from left to right."""

NAMES = {
    "pca": "PCA",
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
    """How much is done; syntheses are the kept ones of `visage.texture.truth_reproduce`."""

    views: int  # photographs, one of each person
    pixels: int  # of a photograph's side
    size: int  # texels
    people: int  # in the database
    iterations: int  # of a synthesis
    fine: tuple[int, int, int] | None  # people, texels and iterations of a finer comparison

    @classmethod
    def of(cls, plan: TruthPlan, views: int) -> Plan:
        """The first people of the measurement against the truth."""
        fine = (plan.fine, plan.fine_size, plan.fine_iterations) if plan.fine else None
        return cls(views, plan.pixels, plan.size, plan.database, plan.iterations, fine)

    def bench(self) -> Bench:
        """Database, its correlations, and settings."""
        return Bench.load(self.size, self.people, SynthesisConfig(iterations=self.iterations))

    def finer(self) -> Plan:
        """The finer comparison, or this one if there is none."""
        if self.fine is None:
            return replace(self, views=min(self.views, _SHOWN))
        views, size, iterations = self.fine
        return replace(self, views=views, size=size, iterations=iterations, fine=None)


PLANS = {"fast": Plan.of(FAST, 1), "full": Plan.of(FULL, 12)}


@dataclass(frozen=True, eq=False)
class Compared:
    """What methods made of some photographs."""

    views: HeldOutViews
    bench: Bench
    seen: list[Observation]
    made: dict[str, Tensor]  # (B, 3, S, S) by method
    true: Tensor  # (B, 3, S, S)

    @classmethod
    def of(cls, plan: Plan, methods: Sequence[str], yaw: float = 0.0) -> Compared:
        """Photograph people, and let the methods complete their textures."""
        views = held_out_views(plan.views, size=plan.pixels, yaw=yaw, relief=False)
        bench = plan.bench()
        seen = [observe_truly(views, row, plan.size) for row in range(len(views))]
        found = [infer(one, bench, methods, seed=row) for row, one in enumerate(seen)]
        made = {name: torch.cat([one[name] for one in found]) for name in methods}
        return cls(views, bench, seen, made, views.textures(plan.size))

    def rows(self, region: Tensor, tail: str = "") -> list[Row]:
        """Every measure of every method.

        Args:
            region: (1 or B, 1, S, S), what is measured.
            tail: of the rows' names.
        """
        rows, recogniser = [], load_backbone("recogniser")
        for name, made in self.made.items():
            judged = luminance(made), luminance(self.true), region
            energies = band_energy_ratio(*judged)
            rows += [
                mean_row(f"gram_distance/{name}{tail}",
                         gram_distance(self.bench.judge, *judged), "", "lower"),
                mean_row(f"gram_distance_recogniser/{name}{tail}",
                         gram_distance(recogniser, *judged), "", "lower"),
                *(mean_row(f"{band}_band_energy_ratio/{name}{tail}", energies[:, i], "", None)
                  for i, band in enumerate(BANDS)),
                mean_row(f"ssim/{name}{tail}", ssim(*judged), "", "higher"),
                mean_row(f"difference/{name}{tail}", mean_difference(*judged), "", "lower"),
            ]  # fmt: skip
        return rows


def reproduce_fig11(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Frontal photographs of test people, by three methods."""
    start, plan = time.perf_counter(), PLANS[profile]
    finer = plan.finer()
    compared = Compared.of(plan, METHODS)
    rows = compared.rows(face_region(plan.size))
    true_chips = face_chips(compared.true, compared.views.identity)
    for name, made in compared.made.items():
        chips = face_chips(within(made, compared.true), compared.views.identity)
        distance = identity_distances(chips, true_chips).diagonal()
        rows.append(mean_row(f"identity_distance/{name}", distance, "", "lower"))
    fine = compared
    if plan.fine is not None:
        fine = Compared.of(finer, METHODS)
        rows += fine.rows(face_region(finer.size), f"_{finer.size}")
    result = part_result(
        "texture/fig11",
        "Ours and visio-lization produce higher fidelity than a linear model; at high resolution "
        "ours shows pores and stubble where visio-lization has random noise patterns.",
        f"The first {plan.views} of texture/truth's test people, frontal, textures of {plan.size} "
        f"texels, over the whole face; rows _{finer.size} and the figure: {finer.views} of them at "
        f"{finer.size} texels. All start from the same photograph, unwrapped with its true shape, "
        "camera and light (wrinkles are painted, so that none of their shading is taken for "
        f"albedo). convex is ours: weights of {plan.people} training people, {plan.iterations} "
        f"iterations ({finer.iterations} for the finer). pca: the low-frequency albedo fitted to "
        "what is visible. quilting: in the manner of visio-lization (Mohammed et al. 2009), "
        "written for this book: patches of a sixteenth of the window from the same training "
        "people's registered textures, chosen by the low-frequency albedo and by their neighbours, "
        "joined by minimum cuts (Efros and Freeman 2001). gram_distance: mean over layers of the "
        "relative distance of Gram matrices from the truth's, by the default backbone, "
        "which ours optimises; "
        "gram_distance_recogniser: by a face recogniser's features, which no method has seen. "
        "difference: mean absolute, of luminance. identity_distance: of dlib's recogniser between "
        "heads rendered with the method's and with the true texture. The paper shows one person, "
        "without numbers.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(fine)


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


def _figure(compared: Compared) -> Figure:
    """For each person a row of whole faces, and one of a part of them."""
    rows, names = [], []
    for person, one in enumerate(compared.seen[:_SHOWN]):
        some = slice(person, person + 1)
        textures = torch.cat([*(compared.made[name][some] for name in METHODS),
                              compared.true[some]])  # fmt: skip
        whole = within(textures, one.low_frequency)
        rows += [shown(whole, _PRINTED), cut_out(whole, _ZOOMED[person], _ZOOM)]
        names += [f"person {person + 1}", "close up"]
    return sheet(rows, names, columns=[NAMES[name] for name in (*METHODS, "true")])


EXPERIMENTS: dict[str, Experiment] = {"texture/fig11": reproduce_fig11}
