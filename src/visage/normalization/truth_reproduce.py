"""Decoded faces beside the truth, and before recognisers that took no part."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.normalization.ablation_reproduce import truth_rows
from visage.normalization.decoder_metrics import own_chips
from visage.normalization.losses import chips_of, texture_error
from visage.normalization.measured_people import first_rows, people_of_test_side, suffix
from visage.normalization.study import closeness_rows, part_result, recogniser, shipped
from visage.photos.alignment import DLIB_CHIP, crop_transform
from visage.photos.lfw import LFWNotFoundError
from visage.recognition.acceptance import Bench
from visage.recognition.encoder import load_encoder
from visage.recognition.judge import OneJudge, load_judge
from visage.recognition.picture_pairs import judged_pairs, synthetic_pairs
from visage.sheet import sheet

_SHOWN = 8
_ALONE = ("light_cnn", "patches")


def reproduce_truth(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Synthetic test people, whose normal faces are known."""
    start = time.perf_counter()
    test, trial = people_of_test_side("synthetic"), shipped("synthetic")
    rows = first_rows(test, 1, None if profile == "full" else 12)
    chips, true = test.photos.chips[rows], test.faces[test.photos.rows[rows].tolist()]
    found = trial.of(chips)
    mean = trial.decoder.mean
    texture = texture_error(found.decoded.texture, true.textures(mean))
    everybody = true.pictures().mean(0, keepdim=True)
    table = [mean_row("texture_mae", texture, "", "lower"), *truth_rows(found, true, "")]
    average = (everybody - true.pictures()).abs().mean((1, 2, 3))
    table.append(mean_row("image_mae_of_mean_face", average, "", None))
    spread = (true.landmarks - true.landmarks.mean(0)) * (224 / true.size)
    table.append(mean_row("landmark_error_px_of_mean_face", spread.square().mean((1, 2)).mul(2)
                          .sqrt(), "pixels of 224", None))  # fmt: skip
    true_chips = chips_of(
        true.pictures(), crop_transform(true.landmarks, DLIB_CHIP), DLIB_CHIP.size
    )
    table += _foreign_rows(own_chips(found.decoded, DLIB_CHIP), true_chips)
    result = part_result(
        "normalization/truth",
        "The decoder's faces against the true normal face of each person.",
        f"{len(rows)} synthetic test people, one everyday picture each, the shipped decoder. "
        "landmark_error_px: root of the mean squared distance, in pixels of the 224-pixel crop "
        "(eyes are 55 apart); texture_mae: texture against the true face, warped to the mean "
        "landmarks; ssim, image_mae: of whole faces. foreign: the Light CNN's distance between "
        "decoded and true face, to the right person and to the nearest other one; it took no "
        "part in training.",
        profile=profile, seed=seed, start=start, rows=table,
    )  # fmt: skip
    pictures = [chips.float() / 255, found.decoded.image, true.pictures()]
    return result, sheet([some[:_SHOWN] for some in pictures], ["input", "decoded", "truth"])


def _foreign_rows(made: Tensor, true: Tensor) -> list[Row]:
    """Distances by a recogniser that took no part, of made faces to true ones, one for one."""
    light = recogniser("light_cnn")
    a, b = light.of(made.clamp(0, 1)), light.of(true.clamp(0, 1))
    table = light.encoder.distance(a[:, None], b[None])
    right = table.diagonal()
    wrong = table.clone().fill_diagonal_(torch.inf)
    return [
        mean_row("foreign_distance", right, "", "lower"),
        mean_row("foreign_distance_nearest_other", wrong.min(1).values, "", None),
        mean_row(
            "foreign_within_threshold",
            (right < light.encoder.threshold).float(),
            "fraction",
            "higher",
        ),
        mean_row("foreign_first", (right < wrong.min(1).values).float(), "fraction", "higher"),
    ]


def reproduce_foreign_judge(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Type I and II of normalized faces before a recogniser of another kind."""
    start = time.perf_counter()
    full = profile == "full"
    encoder, judge = load_encoder(), load_judge()
    rows, counts, shown = [], {}, None
    for world in ("lfw", "synthetic"):
        try:
            if world == "lfw":
                source, other = judged_pairs(encoder, None if full else 40)
            else:
                source, other = synthetic_pairs(encoder, 100 if full else 40, seed)
        except LFWNotFoundError:
            continue
        tail, counts[world] = suffix(world), len(source.names)
        found = shipped(world).of(source.chips)
        made = own_chips(found.decoded, DLIB_CHIP).clamp(0, 1)
        benches = {"": judge} | {f"_{by}": OneJudge(judge, by) for by in _ALONE}
        for by, one in benches.items():
            bench = Bench.of(one, source.chips, other.chips)
            rows += bench.real_rows(f"{by}{tail}") + bench.rows(made, f"{by}{tail}")
        rows += closeness_rows(found, tail)
        again = trial_distance(found.embeddings, shipped(world), other.chips)
        rows.append(mean_row(f"distance_to_other{tail}", again, "", "lower"))
        shown = (source.chips[:_SHOWN].float() / 255, found.decoded.image[:_SHOWN], made[:_SHOWN])
    result = part_result(
        "normalization/foreign_judge",
        "A naive decoder of the same features, trained on unmoved pictures, passes for 50 % "
        "(type I) and 23 % (type II) at a false-accept rate of 0.1 %.",
        f"People with two photographs: {counts}; the first is normalized. type1: the decoded face "
        "against that photograph; type2: against the other one. The judge (a Light CNN, and "
        "patches of patterns and gradients with joint Bayesian, weighed together; rows _light_cnn "
        "and _patches each alone) took no part in training; its thresholds are set on all pairs "
        "of different people among these photographs. real_pairs: two photographs of one person, "
        "accepted so often. Decoded faces are cut by their own landmarks. Rows _synthetic: people "
        "who do not exist, by the decoder that learned from such; the others are of LFW's test "
        "side.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    naive = {"type1_far_1e-3": 0.50, "type2_far_1e-3": 0.23}
    result = replace(
        result,
        paper=None,
        rows=tuple(replace(row, paper=naive.get(row.name, row.paper)) for row in result.rows),
    )
    return result, sheet(shown, ["photograph", "normalized", "as the judge sees it"])


def trial_distance(embeddings: Tensor, trial, chips: Tensor) -> Tensor:
    """The recogniser's distances (B,) of embeddings to those of chips (B, 3, 150, 150)."""
    wanted = trial.features.embedding(trial.features.of(chips))
    return trial.features.encoder.distance(embeddings, wanted)


EXPERIMENTS: dict[str, Experiment] = {
    "normalization/truth": reproduce_truth,
    "normalization/foreign_judge": reproduce_foreign_judge,
}
