"""Figure 14: different networks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.photos.downloads import DOWNLOADS, cache_folder
from visage.sheet import sheet
from visage.texture.backbones import Backbone, load_backbone
from visage.texture.study import part_result
from visage.texture.synthesis import SynthesisConfig
from visage.texture.synthesis_study import (
    Case,
    StudyPlan,
    cases,
    detail_rows,
    loupe_rows,
    study_bench,
)
from visage.texture.vgg19 import DOWNLOAD

PLANS = {"fast": StudyPlan(1, 128, 2, 3), "full": StudyPlan(2, 256, 32, 50)}

_SQUEEZENET = "squeezenet_v1.0_imagenet.npz"


@dataclass(frozen=True, eq=False)
class Trial:
    """What one network gave."""

    made: Tensor  # (B, 3, S, S)
    seconds: float  # of one evaluation of energy and gradient
    people: list[Case]


def reproduce_fig14(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The same people through every network that is there."""
    start, plan = time.perf_counter(), PLANS[profile]
    trials = {name: _trial(load(), plan) for name, load in networks(profile).items()}
    rows = [row for name, trial in trials.items() for row in _rows(name, trial)]
    missing = [name for name in ("vgg19", "squeezenet") if name not in trials]
    absent = f" Not there when this was run: {', '.join(missing)}." if missing else ""
    result = part_result(
        "texture/fig14",
        "Deeper networks give fewer artefacts: CaffeNet's textures are blocky, VGG-16's slightly "
        "noisy at boundaries, VGG-19's the best.",
        f"{plan.sentence()} No features are matched. Correlations: each network's own choice of "
        "layers, region by region, on luminance, average pooling unless its name says max; first "
        "layers that step over texels look at each. seconds_per_evaluation: of energy and "
        f"gradient, with as many threads as torch takes ({torch.get_num_threads()}).{absent} The "
        "paper's networks are trained on ImageNet; it shows pictures, without numbers.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    any_trial = next(iter(trials.values()))
    columns = [trial.made[:1] for trial in trials.values()] + [any_trial.people[0].true]
    names = [*(name.replace("_", " ") for name in trials), "truth"]
    return result, sheet(loupe_rows(columns), ["cheek", "mouth"], columns=names)


def networks(profile: Profile) -> dict[str, Callable[[], Backbone]]:
    """How to load every network that needs nothing that is not there."""
    found = {
        "random_vgg19": load_backbone,
        "random_vgg19_max": partial(load_backbone, pooling="max"),
        "recogniser": partial(load_backbone, "recogniser"),
    }
    file = Path(os.environ.get("VISAGE_DATA", "")) / _SQUEEZENET
    if profile == "full" and "VISAGE_DATA" in os.environ and file.exists():
        found["squeezenet"] = partial(load_backbone, "squeezenet", weights=file)
    if profile == "full" and (cache_folder() / DOWNLOADS[DOWNLOAD].filename).exists():
        found["vgg19"] = partial(load_backbone, "vgg19")
    return found


def _trial(backbone: Backbone, plan: StudyPlan) -> Trial:
    config = SynthesisConfig(iterations=plan.iterations, feature_layers=())
    bench = study_bench(plan, config, backbone)
    people, made, seconds, evaluations = cases(plan, bench), [], 0.0, 0
    for case in people:
        start = time.perf_counter()
        found = case.synthesised(bench, config)
        seconds += time.perf_counter() - start
        evaluations += found.evaluations
        made.append(found.texture)
    return Trial(torch.cat(made), seconds / evaluations, people)


def _rows(name: str, trial: Trial) -> list[Row]:
    true = torch.cat([case.true for case in trial.people])
    seconds = mean_row(
        f"seconds_per_evaluation/{name}", torch.tensor([trial.seconds]), "s", "lower"
    )
    return [*detail_rows(trial.made, true, f"/{name}"), seconds]


EXPERIMENTS: dict[str, Experiment] = {"texture/fig14": reproduce_fig14}
