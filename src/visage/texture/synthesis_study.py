"""What the studies of the synthesis start from: held-out people, and correlations inferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.ledger import Row
from visage.measured import mean_row
from visage.texture.backbones import Backbone, load_backbone
from visage.texture.blend import Blend
from visage.texture.gram import Grams
from visage.texture.held_out import held_out_views
from visage.texture.measures import BANDS, band_energy_ratio, ssim
from visage.texture.methods import Bench
from visage.texture.observation import Observation, observe_truly
from visage.texture.regional import Regional
from visage.texture.synthesis import Synthesis, SynthesisConfig, synthesise
from visage.texture.window import face_region
from visage.texture.yiq import luminance

LOUPES = ((0.33, 0.16), (0.40, 0.62))
"""Row and column of the upper left corner of what figures enlarge: a cheek, and mouth to chin."""

_LOUPE = 0.25  # of the window's side


@dataclass(frozen=True)
class StudyPlan:
    """How much is done."""

    views: int  # photographs, one of each person, frontal
    size: int  # texels
    people: int  # in the database
    iterations: int  # of a synthesis

    def sentence(self) -> str:
        """For a protocol."""
        return (
            f"{self.views} synthetic test people, one frontal photograph each, unwrapped with its "
            f"true shape, camera and light to a texture of {self.size} texels; correlations of the "
            f"whole face from a convex blend of {self.people} training people. "
            f"{self.iterations} iterations of L-BFGS from the low-frequency albedo."
        )


@dataclass(frozen=True, eq=False)
class Case:
    """One person of a study."""

    seen: Observation
    grams: Grams  # Ĝ, inferred
    true: Tensor  # (1, 3, S, S)
    blend: Blend | None = None  # of the same people

    def synthesised(self, bench: Bench, config: SynthesisConfig) -> Synthesis:
        """The texture with these settings."""
        return synthesise(
            self.seen.low_frequency,
            self.grams,
            bench.backbone,
            config,
            blend=self.blend,
            progress=False,
        )


def study_bench(
    plan: StudyPlan, config: SynthesisConfig, backbone: Backbone | None = None
) -> Bench:
    """A bench whose correlations are taken region by region.

    Args:
        plan: of the study.
        config: of its syntheses.
        backbone: whose features, of whole faces; the default one if None.
    """
    regional = Regional(backbone or load_backbone())
    return Bench.load(plan.size, plan.people, config, backbone=regional)


def cases(plan: StudyPlan, bench: Bench) -> list[Case]:
    """The test people of a plan, each with the correlations that its photograph lets infer."""
    views, found = held_out_views(plan.views), []
    for row in range(len(views)):
        seen = observe_truly(views, row, plan.size)
        weights = bench.weights(seen, ("convex",))["convex"]
        blend = Blend.of(bench.database, weights)
        true = views[[row]].textures(plan.size)
        found.append(Case(seen, bench.grams.full(weights), true, blend))
    return found


def detail_rows(made: Tensor, true: Tensor, tail: str) -> list[Row]:
    """How much detail there is, band by band, and how much of it is in place.

    Args:
        made: (B, 3, S, S).
        true: (B, 3, S, S).
        tail: of the rows' names.
    """
    judged = luminance(made), luminance(true), face_region(made.shape[-1])
    energies = band_energy_ratio(*judged)
    rows = [
        mean_row(f"{band}_band_energy_ratio{tail}", energies[:, i], "", None)
        for i, band in enumerate(BANDS)
    ]
    return [*rows, mean_row(f"ssim{tail}", ssim(*judged), "", "higher")]


def loupes(texture: Tensor) -> list[Tensor]:
    """Parts of a texture (1, 3, S, S): a cheek, and mouth to chin, (3, S/4, S/4) each."""
    size = texture.shape[-1]
    side = round(_LOUPE * size)
    return [
        texture[0, :, round(row * size) :, round(column * size) :][:, :side, :side]
        for row, column in LOUPES
    ]


def loupe_rows(columns: Sequence[Tensor]) -> list[Tensor]:
    """Rows for a sheet: of each loupe, a picture a texture (1, 3, S, S)."""
    return [torch.stack(parts) for parts in zip(*map(loupes, columns), strict=True)]
