"""Whether the confidence of a reconstruction says how far it is off."""

from __future__ import annotations

import time

import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from torch import Tensor

from visage.faces.backgrounds import backgrounds
from visage.faces.reflectance import encode_srgb
from visage.geometry.confidence import CONFIDENCE, GOOD, features, learn_confidence
from visage.geometry.depth_error import common_pixels, depth_errors, summarised
from visage.geometry.grey import grey
from visage.geometry.held_out import PEOPLE, HeldOut, held_out_faces
from visage.geometry.pipeline import Looks, Networks, reconstruct_windows
from visage.geometry.representation import SIZE
from visage.geometry.study import networks, part_result
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row

_COUNT = {"fast": 4, "full": PEOPLE}
_NOBODY = {"fast": 2, "full": 100}
_TOGETHER = 25
_GROUPS = 5


def looked(players: Networks, faces: HeldOut) -> tuple[list[Looks], Tensor]:
    """What CoarseNet looked like, batch by batch, and the mean depth errors (N,) mm."""
    looks, errors = [], []
    for start in range(0, len(faces), _TOGETHER):
        part = faces[start : start + _TOGETHER]
        found = reconstruct_windows(players, part.faces)
        pixels = common_pixels([part.mask, found.mask])
        looks.append(found.looks)
        errors.append(summarised(depth_errors(found.depth, part.depth, pixels)).mean)
    return looks, torch.cat(errors)


def reproduce_confidence(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Expected and true errors of held-out people; and of windows without anybody."""
    start = time.perf_counter()
    looks, errors = looked(networks(profile), held_out_faces(_COUNT[profile]))
    expected = torch.cat([CONFIDENCE.expected_error(some) for some in looks])
    sure = torch.cat([CONFIDENCE(some) for some in looks])
    known = ~errors.isnan()
    expected, sure, errors = expected[known], sure[known], errors[known]
    good = (errors < GOOD).float()
    order = sure.argsort(descending=True)
    half = len(order) // 2
    empty = _nobody(_NOBODY[profile], seed)
    nothing = CONFIDENCE(reconstruct_windows(networks(profile), empty).looks)
    rows = [
        Row("rank_correlation", None, float(spearmanr(expected, errors).statistic), "", "higher",
            len(errors)),
        mean_row("good", good, "fraction", None),
        mean_row("mean_confidence", sure, "fraction", None),
        mean_row("calibration_error", (_groups(sure[order]) - _groups(good[order])).abs(),
                 "fraction", "lower"),
        mean_row("mean_mm_surer_half", errors[order[:half]], "mm", "lower"),
        mean_row("mean_mm_other_half", errors[order[half:]], "mm", None),
        mean_row("confidence_without_face", nothing, "fraction", "lower"),
    ]  # fmt: skip
    result = part_result(
        "geometry/confidence",
        f"We set out to tell which reconstructions are good: mean depth error below {GOOD:g} mm.",
        f"{len(errors)} test people as in table 1, errors where answer and truth have the face. "
        "The confidence is a linear regression of the logarithm of the error, learned on 150 "
        "validation people, on how far CoarseNet's last iteration moved the vertices, how far its "
        "four answers are from their mean, and the yaw. calibration_error: mean absolute "
        f"difference between confidence and share of good ones in {_GROUPS} groups by confidence. "
        f"confidence_without_face: {len(nothing)} windows on backgrounds without anybody.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(expected, errors, sure, good)


def _groups(values: Tensor) -> Tensor:
    """Means of as many groups as there are, of values in order."""
    return torch.stack([group.mean() for group in values.tensor_split(min(_GROUPS, len(values)))])


def _nobody(count: int, seed: int) -> Tensor:
    """Windows (N, 1, 200, 200) on the synthetic world's backgrounds."""
    seeds = torch.arange(count) + 1_000_000 * (seed + 1)
    return grey(encode_srgb(backgrounds(seeds, SIZE, SIZE)).clamp(0, 1))


def _figure(expected: Tensor, errors: Tensor, sure: Tensor, good: Tensor) -> Figure:
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.scatter(expected, errors, s=6, alpha=0.6)
    end = float(torch.cat([expected, errors]).max())
    left.plot([0, end], [0, end], color="0.5", linewidth=1)
    left.set(xlabel="expected error, mm", ylabel="true error, mm")
    order = sure.argsort(descending=True)
    right.plot(_groups(sure[order]), _groups(good[order]), "o-")
    right.plot([0, 1], [0, 1], color="0.5", linewidth=1)
    right.set(xlabel="confidence", ylabel=f"share below {GOOD:g} mm", xlim=(0, 1), ylim=(0, 1))
    return figure


EXPERIMENTS: dict[str, Experiment] = {"geometry/confidence": reproduce_confidence}


def main() -> None:
    """Learn the confidence of the shipped networks on validation people, and print it."""
    looks, errors = looked(Networks.load(), held_out_faces(150, "validation"))
    seen = torch.cat([features(some) for some in looks])
    known = ~errors.isnan()
    print(learn_confidence(seen[known], errors[known]))


if __name__ == "__main__":
    main()
