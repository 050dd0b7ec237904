"""Figure 8: how many layers' correlations it takes."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.measures import gram_distance
from visage.texture.methods import Bench
from visage.texture.study import part_result
from visage.texture.synthesis import SynthesisConfig
from visage.texture.synthesis_study import StudyPlan, cases, detail_rows, loupe_rows, study_bench
from visage.texture.window import face_region
from visage.texture.yiq import luminance

PLANS = {"fast": StudyPlan(1, 128, 4, 3), "full": StudyPlan(3, 256, 256, 50)}

_SHOWN = "from_deepest"


def reproduce_fig8(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The same people with one layer, two, and so on to all."""
    start, plan = time.perf_counter(), PLANS[profile]
    config = SynthesisConfig(iterations=plan.iterations, feature_layers=())
    bench = study_bench(plan, config)
    people, rows, shown = cases(plan, bench), [], []
    for name, layers in choices(bench.grams.layers).items():
        chosen = replace(config, gram_layers=layers)
        made = [case.synthesised(bench, chosen).texture for case in people]
        rows += _rows(name, torch.cat(made), torch.cat([case.true for case in people]), bench)
        if name.startswith(_SHOWN) or name == "all":
            shown.append(made[0])
    bases = depths(bench.grams.layers)
    count = len(bases)
    result = part_result(
        "texture/fig8",
        "With fewer layers the synthesised textures become blurrier.",
        f"{plan.sentence()} Layers of {bench.backbone.name}: {', '.join(bases)}. "
        "from_finest_n: the first n, from_deepest_n: the last n; no features are matched, so that "
        "detail comes from correlations alone. gram_distance: mean over all layers of the relative "
        "distance from the truth's Gram matrices of the whole face. The figure adds layers from "
        "the deepest on. The paper shows pictures, without numbers.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    columns = [*(str(n) for n in range(1, count)), f"all {count}", "truth"]
    pictures = loupe_rows([*shown, people[0].true])
    return result, sheet(pictures, ["cheek", "mouth"], columns=columns)


def choices(layers: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Which layers are tried, by name; a layer's regions (``relu1_1@lips``) stay together.

    >>> for name, chosen in choices(("a@lips", "a@skin", "b")).items():
    ...     print(name, *chosen)
    from_deepest_1 b
    all a@lips a@skin b
    from_finest_1 a@lips a@skin
    """
    bases = depths(layers)
    some = range(1, len(bases))
    chosen = {
        **{f"from_deepest_{n}": bases[-n:] for n in some},
        "all": bases,
        **{f"from_finest_{n}": bases[:n] for n in some},
    }
    return {
        name: tuple(layer for layer in layers if layer.partition("@")[0] in kept)
        for name, kept in chosen.items()
    }


def depths(layers: tuple[str, ...]) -> tuple[str, ...]:
    """The network's own layers among them, in order.

    >>> depths(("a@lips", "a@skin", "b"))
    ('a', 'b')
    """
    return tuple(dict.fromkeys(layer.partition("@")[0] for layer in layers))


def _rows(name: str, made, true, bench: Bench) -> list[Row]:
    judged = luminance(made), luminance(true), face_region(made.shape[-1])
    distance = mean_row(f"gram_distance/{name}", gram_distance(bench.judge, *judged), "", "lower")
    return [distance, *detail_rows(made, true, f"/{name}")]


EXPERIMENTS: dict[str, Experiment] = {"texture/fig8": reproduce_fig8}
