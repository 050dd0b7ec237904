"""How long analysis and synthesis take: section 6, the paragraph on performance."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import threads
from visage.texture.analysis import blend_weights
from visage.texture.backbones import load_backbone
from visage.texture.database import TextureDatabase
from visage.texture.gram import Grams, grams
from visage.texture.gram_database import GramDatabase
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.regional import Regional
from visage.texture.skins import face_textures
from visage.texture.study import part_result
from visage.texture.synthesis import SynthesisConfig, synthesise
from visage.texture.window import face_region
from visage.texture.yiq import luminance

PAPER_SECONDS = {"correlation": 75.0, "weights": 14.0, "synthesis": 172.0}
"""On a Titan X: masked correlations, weights, and 1000 iterations."""

_PAPER_ITERATIONS = 1000
_THREADS = 2


@dataclass(frozen=True)
class TimingPlan:
    """How much is done."""

    size: int  # texels
    people: int  # in the database
    iterations: int  # of a synthesis
    large: int  # texels, on a GPU where there is one
    large_iterations: int


PLANS = {
    "fast": TimingPlan(64, 4, 4, 128, 4),
    "full": TimingPlan(512, 256, 300, 1024, _PAPER_ITERATIONS),
}


def reproduce_timing(profile: Profile, seed: int) -> Result:
    """One face of which half is seen, from masked correlations to a texture."""
    start, plan = time.perf_counter(), PLANS[profile]
    true = face_textures("test", [0], plan.size)
    with threads(_THREADS):
        rows = _analysis_rows(true, plan)
        rows += _synthesis_rows(true, plan)
    if torch.cuda.is_available():
        rows += _large_rows(plan)
    return part_result(
        "texture/timing",
        "75 s for partial correlations, 14 s for the convex combination and 172 s for 1000 "
        "iterations of synthesis, on a GeForce GTX Titan X.",
        f"One synthetic test person of whom the half is visible, textures of {plan.size} texels, "
        f"{plan.people} people in the database, {_THREADS} threads of the CPU. "
        "correlation_seconds: masked correlations of the whole database and the query and their "
        "inner products. weights_seconds: the convex weights from these. synthesis_512_seconds: "
        f"{plan.iterations} iterations of L-BFGS at {plan.size} texels, with the default network, "
        "regions, layers and settings; synthesis_512_seconds_per_1000: as many as the paper's, at "
        f"the same pace. Rows _gpu, where there is one: {plan.large_iterations} iterations at "
        f"{plan.large} texels. The paper's resolution is not stated, and its network, VGG-19, is "
        "16 times as large as the default here.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip


def _analysis_rows(true: Tensor, plan: TimingPlan) -> list[Row]:
    people = TextureDatabase.load(plan.size, plan.people)
    database = GramDatabase.of(Regional(load_backbone()), people)
    visible = face_region(plan.size).clone()
    visible[..., : plan.size // 2] = 0
    start = time.perf_counter()
    compared = database.compare(luminance(true), visible)
    middle = time.perf_counter()
    blend_weights(compared)
    end = time.perf_counter()
    return [
        _row("correlation_seconds", PAPER_SECONDS["correlation"], middle - start),
        _row("weights_seconds", PAPER_SECONDS["weights"], end - middle),
    ]


def _synthesis_rows(true: Tensor, plan: TimingPlan) -> list[Row]:
    backbone = Regional(load_backbone())
    low, targets = _targets(true, backbone)
    config = SynthesisConfig(iterations=plan.iterations)
    start = time.perf_counter()
    made = synthesise(low, targets, backbone, config)
    seconds = time.perf_counter() - start
    thousand = seconds / plan.iterations * _PAPER_ITERATIONS
    return [
        _row("synthesis_512_seconds", None, seconds),
        _row("synthesis_512_seconds_per_1000", PAPER_SECONDS["synthesis"], thousand),
        Row("evaluations_per_iteration", None, made.evaluations / plan.iterations, "", None, 1),
    ]


def _large_rows(plan: TimingPlan) -> list[Row]:
    """1024 texels and 1000 iterations on a GPU."""
    true = face_textures("test", [0], plan.large).cuda()
    backbone = Regional(load_backbone()).cuda()
    low, targets = _targets(true, backbone)
    config = SynthesisConfig(iterations=plan.large_iterations)
    region = face_region(plan.large).cuda()
    synthesise(low, targets, backbone, replace(config, iterations=3), region=region)
    torch.cuda.synchronize()
    start = time.perf_counter()
    synthesise(low, targets, backbone, config, region=region)
    torch.cuda.synchronize()
    name = f"synthesis_{plan.large}_seconds_gpu"
    return [_row(name, PAPER_SECONDS["synthesis"], time.perf_counter() - start)]


@torch.no_grad()
def _targets(true: Tensor, backbone) -> tuple[Tensor, Grams]:
    """The low-frequency albedo of a texture, and its correlations: time does not depend on them."""
    model, size = LowFrequencyAlbedo.load(), true.shape[-1]
    low = model.texture(model.fit(true.cpu()), size).to(true)
    region = face_region(size).to(true)
    return low, grams(backbone, luminance(true), region)


def _row(name: str, paper: float | None, seconds: float) -> Row:
    return Row(name, paper, seconds, "s", "lower", 1)


EXPERIMENTS: dict[str, Experiment] = {"texture/timing": reproduce_timing}
