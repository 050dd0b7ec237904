"""What training both networks as one changes (Richardson et al. 2017, section 4.4 and fig. 7)."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.checkpoints import read_card
from visage.geometry.depth_error import depth_errors, summarised
from visage.geometry.detail import DetailedFaces
from visage.geometry.detail_error import DetailErrors, compared, detail_errors
from visage.geometry.detail_reproduce import relit
from visage.geometry.end_to_end import EndToEnd
from visage.geometry.end_to_end_train import RECIPES, TRAINING, end_to_end_recipe, measure
from visage.geometry.kept_detail import SETS, detailed_faces
from visage.geometry.photo_windows import photo_windows
from visage.geometry.study import networks, part_result
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.photos.downloads import cache_folder
from visage.photos.lfw import LFWNotFoundError
from visage.sheet import sheet
from visage.training import train

_FEW = 2  # faces of a fast run
_TOGETHER = 6
_PHOTOS = 60
_SHOWN = 6


def reproduce_end_to_end(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The criterion, the depth and the detail before and after, on people nobody trained on."""
    start, full = time.perf_counter(), profile == "full"
    both = networks(profile)
    before = EndToEnd(both.coarse, both.fine).eval()
    people = detailed_faces("test", SETS["test"][0] if full else _FEW, progress=False)
    stages = {"before": before, "after": _trained(profile, before, people.stored["faces"])}
    faces = {"renders": people.stored["faces"]}
    if full:
        with suppress(LFWNotFoundError):
            faces["photos"] = photo_windows("test", _PHOTOS)
    rows = []
    for kind, some in faces.items():
        for stage, network in stages.items():
            found = measure(network, some, len(some))
            rows.append(
                Row(f"criterion_{kind}/{stage}", None, found["criterion"], "", "lower", len(some))
            )
        rows.append(Row(f"moved_mm_{kind}", None, found["moved_mm"], "mm", None, len(some)))
    errors = against_truth(stages, people.rows(slice(None)))
    for stage in stages:
        rows += errors[stage]
    result = part_result(
        "geometry/end_to_end",
        "Trained as one, without labels, the networks explain pictures better, and CoarseNet is "
        "only slightly tuned.",
        f"The shipped CoarseNet and FineNet (before), and both after {TRAINING.steps} steps of "
        f"{TRAINING.batch_size} faces without labels, half photographs of Labeled Faces in the "
        "Wild where present and half renders of training people, by eq. 14 and a fidelity term "
        "(after); four plain iterations of CoarseNet. criterion: eq. 14 of FineNet's depth, in the "
        f"units of the library. renders: {len(people)} synthetic test people with true wrinkles; "
        f"photos: {_PHOTOS} test people of LFW, one photograph each. moved_mm: mean distance "
        "between CoarseNet's vertices before and after. mean_mm: depth error as in "
        "geometry/table1, high_frequency_mm and normals_deg as in geometry/detail, on renders, "
        "over the pixels for which before and after both vouch.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _shown(stages, people.rows(slice(None)))


@torch.no_grad()
def against_truth(stages: dict[str, EndToEnd], people: DetailedFaces) -> dict[str, list[Row]]:
    """Depth and detail errors of each stage's FineNet, on the pixels that all of them show.

    Args:
        stages: by name, in evaluation mode.
        people: and their truth.
    """
    wide = {name: [] for name in stages}
    fine: dict[str, list[DetailErrors]] = {name: [] for name in stages}
    for start in range(0, len(people), _TOGETHER):
        some = people[slice(start, start + _TOGETHER)]
        depths = {name: network(some.faces)["depth"] for name, network in stages.items()}
        pixels = compared(list(depths.values()), some.depth, some.mask, some.scale)
        for name, depth in depths.items():
            wide[name].append(depth_errors(depth, some.depth, pixels))
            fine[name].append(
                detail_errors(depth, some.depth, some.relief, pixels, some.seen, some.scale)
            )
    found = {}
    for name in stages:
        mean, detail = summarised(torch.cat(wide[name])).mean, DetailErrors.joined(fine[name])
        values = {
            "mean_mm": (mean, "mm"),
            "high_frequency_mm": (detail.high_frequency, "mm"),
            "normals_deg": (detail.normals, "degrees"),
        }
        found[name] = [
            mean_row(f"{measure}/{name}", value[value.isfinite()], unit, "lower")
            for measure, (value, unit) in values.items()
        ]
    return found


def _trained(profile: Profile, before: EndToEnd, faces: Tensor) -> EndToEnd:
    """Trained now, or by an earlier call that began with the same networks."""
    if profile == "full":
        began = "-".join(read_card(name).sha256[:8] for name in ("coarse_net", "fine_net"))
        folder = cache_folder() / "geometry" / "runs" / f"end_to_end-{began}"
        return train(RECIPES["end_to_end"], folder=folder).model.eval()
    config = replace(TRAINING, steps=1, batch_size=1, warmup=0)
    recipe = end_to_end_recipe(
        "end_to_end_fast", config, lambda: EndToEnd(before.coarse, before.fine), lambda side: faces
    )
    with TemporaryDirectory() as folder:
        return train(recipe, folder=Path(folder)).model.eval()


@torch.no_grad()
def _shown(stages: dict[str, EndToEnd], people: DetailedFaces) -> Figure:
    """The oldest people: the picture, every stage's surface under one lamp, and the truth."""
    some = people[people.age.argsort(descending=True)[:_SHOWN]]
    rows = {"picture": some.faces}
    for name, network in stages.items():
        passed = network(some.faces)
        for part in ("coarse", "depth"):
            seen = passed[part].isfinite()
            title = f"{'coarse' if part == 'coarse' else 'fine'} {name}"
            rows[title] = relit(passed[part], seen, passed["scale"])
    rows["truth"] = relit(some.depth, some.mask, some.scale)
    return sheet([row.expand(-1, 3, -1, -1) for row in rows.values()], list(rows))


EXPERIMENTS: dict[str, Experiment] = {"geometry/end_to_end": reproduce_end_to_end}
