"""How well the segmentation network finds the skin of test people's faces."""

from __future__ import annotations

import time

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.occluders import HAND, OBJECT
from visage.texture.segmentation import SegmentationNet, load_segmentation_net
from visage.texture.segmentation_data import EACH, KeptPeople, kept_people
from visage.texture.segmentation_stream import LAID_OVER, PLAIN, SegmentationStream
from visage.texture.segmentation_train import measure
from visage.texture.study import part_result

_COUNT = {"fast": 1, "full": None}  # people; None is all of them
_SHOWN = 8  # pictures in a row of the figure
_DARK = 0.25  # what is left of a picture where no skin is found


def reproduce_segmentation(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Intersection over union, by what hides the face."""
    start = time.perf_counter()
    kept = kept_people("test", _COUNT[profile], progress=False)
    network = load_segmentation_net() if profile == "full" else SegmentationNet().eval()
    found = measure(network, kept, seed + 1)
    rows = [
        mean_row(f"iou/{kind}", values, "fraction", "higher")
        for kind, values in found.items()
        if len(values)
    ]
    every = torch.cat(list(found.values()))
    result = part_result(
        "texture/segmentation",
        "A segmentation network says which pixels show the face, whatever hides the rest.",
        f"{len(kept) // EACH} synthetic test people, {EACH} pictures each: all expressions and "
        "lights, yaw to 50 degrees, in chips of 128 pixels that are about 2 pixels off. "
        "Intersection over union of the skin found and the true one, mean over pictures: clear of "
        "anything, with glasses, beards or hair in the face, and, over every picture, with a hand "
        "or an object laid over. Skin has brows, lips and stubble; hair, beards, lenses, eyes and "
        "the inside of the mouth are none. The paper's own network (Saito, Li and Li, 2016) is "
        "trained on photographs, and the paper gives no number of it.",
        profile=profile, seed=seed, start=start,
        rows=[mean_row("iou", every, "fraction", "higher"), *rows],
    )  # fmt: skip
    return result, _figure(network, kept, seed)


@torch.no_grad()
def _figure(network: SegmentationNet, kept: KeptPeople, seed: int) -> Figure:
    streams = {
        "as they are": SegmentationStream(seed, kept, PLAIN),
        "a hand": SegmentationStream(seed, kept, LAID_OVER, kind=HAND),
        "an object": SegmentationStream(seed, kept, LAID_OVER, kind=OBJECT),
    }
    rows, names = [], []
    for name, stream in streams.items():
        chips = stream.batch(range(_SHOWN))["chips"]
        rows += [chips, _lit(chips, network(chips).sigmoid())]
        names += [name, "found"]
    return sheet(rows, names)


def _lit(chips: Tensor, share: Tensor) -> Tensor:
    return chips * (_DARK + (1 - _DARK) * share)


EXPERIMENTS: dict[str, Experiment] = {"texture/segmentation": reproduce_segmentation}
