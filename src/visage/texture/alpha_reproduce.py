"""Figure 6: how much detail different weights α of the correlations bring."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.layers_reproduce import depths
from visage.texture.study import part_result
from visage.texture.synthesis import SynthesisConfig
from visage.texture.synthesis_study import StudyPlan, cases, detail_rows, loupe_rows, study_bench

ALPHAS = (0.0, 2.0, 20.0, 200.0, 2000.0, 20000.0)

PLANS = {"fast": StudyPlan(1, 128, 4, 4), "full": StudyPlan(3, 256, 256, 60)}


def reproduce_fig6(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The same people with ever more weight on correlations."""
    start, plan = time.perf_counter(), PLANS[profile]
    config = SynthesisConfig(iterations=plan.iterations)
    bench = study_bench(plan, config)
    people = cases(plan, bench)
    made = {
        alpha: [case.synthesised(bench, replace(config, alpha=alpha)) for case in people]
        for alpha in ALPHAS
    }
    true = torch.cat([case.true for case in people])
    rows: list[Row] = []
    for alpha, found in made.items():
        tail = f"/alpha_{alpha:g}"
        rows += detail_rows(torch.cat([one.texture for one in found]), true, tail)
        for kind in ("gram", "feature"):
            errors = [_mean_term(one.terms, kind) for one in found]
            if None not in errors:
                unit = "fraction"
                rows.append(mean_row(f"{kind}_error{tail}", torch.tensor(errors), unit, "lower"))
    result = part_result(
        "texture/fig6",
        "The weight α balances low frequencies and detail; α = 2000 preserves the details.",
        f"{plan.sentence()} Features: {', '.join(bench.backbone.feature_layers)} of the "
        f"low-frequency albedo; correlations: {', '.join(depths(bench.grams.layers))} of "
        f"{bench.backbone.name}. Each layer's squared norm is divided by its target's, so that α "
        "does not depend on the network's scale; the paper's plain sums do. gram_error and "
        "feature_error: mean over layers of the relative error ‖X - X̂‖ / ‖X̂‖ that is left. "
        "Band energies: over the truth's, on the face. The paper shows pictures, without numbers.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    shown = [made[alpha][0].texture for alpha in ALPHAS]
    columns = [*(f"α = {alpha:g}" for alpha in ALPHAS), "truth"]
    pictures = loupe_rows([*shown, people[0].true])
    return result, sheet(pictures, ["cheek", "mouth"], columns=columns)


def _mean_term(terms: dict[str, float], kind: str) -> float | None:
    errors = [value**0.5 for name, value in terms.items() if name.startswith(kind)]
    return sum(errors) / len(errors) if errors else None


EXPERIMENTS: dict[str, Experiment] = {"texture/fig6": reproduce_fig6}
