"""What the filter of section 6.1 keeps, and how right it is: ``normalization/filter``."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import measured_result
from visage.normalization.albums import find_all
from visage.normalization.filtering import measure_all
from visage.normalization.fit_filter import TESTED, read_all, read_errors
from visage.normalization.frame import normal_crop
from visage.normalization.quality import (
    MEASURED_AT,
    PAPER_TURN,
    Measures,
    Quality,
    colourfulness,
    sharpness,
)
from visage.normalization.read_outs import known_faces, load_read_outs
from visage.normalization.training_set import LFW_QUALITY, MOST_AVERAGED, lfw_album
from visage.photos.alignment import align, to_grey
from visage.photos.lfw import LFWNotFoundError, open_lfw
from visage.recognition.chips import Chips
from visage.recognition.encoder import load_encoder
from visage.recognition.verification import area_under_roc

_BLUR = 1.5  # pixels at `MEASURED_AT`
_TONE = (1.08, 0.96, 0.76)  # of a sepia print
_UNITS = {"yaw": "degrees", "pitch": "degrees"}


def blurred(pictures: Tensor, sigma: float = _BLUR) -> Tensor:
    """Pictures (B, 3, S, S) blurred by a Gaussian, pixels."""
    reach = int(3 * sigma) + 1
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1.0) / sigma) ** 2)
    taps = taps / taps.sum()
    flat = F.pad(pictures.flatten(0, 1)[:, None], (reach,) * 4, mode="replicate")
    flat = F.conv2d(F.conv2d(flat, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return flat[:, 0].unflatten(0, pictures.shape[:2])


def pixel_rows(pictures: Tensor) -> list[Row]:
    """How well sharpness and colour tell pictures from blurred, grey and toned copies."""
    grey = to_grey(pictures).expand_as(pictures)
    toned = (grey * pictures.new_tensor(_TONE).view(3, 1, 1)).clamp(max=1)
    trials = (
        ("blur_auc", sharpness, blurred(pictures)),
        ("grey_auc", colourfulness, grey),
        ("sepia_auc", colourfulness, toned),
    )
    rows = []
    for name, measured, worse in trials:
        values = torch.cat([measured(pictures), measured(worse)])
        good = torch.arange(len(values)) < len(pictures)
        area = area_under_roc(-values.numpy(), good.numpy())
        rows.append(Row(name, None, area, "", "higher", len(values)))
    return rows


def read_out_rows(chips: Chips, truth: dict[str, Tensor]) -> list[Row]:
    """How wrong pose, expression and glasses are, of people who are known."""
    errors = read_errors(read_all(load_read_outs(), chips, load_encoder()), truth)
    return [
        Row(name, None, value, _UNITS.get(name.partition("_")[0], ""), _better(name), len(chips))
        for name, value in errors.items()
    ]


def _better(name: str) -> str:
    return "higher" if name.endswith("_auc") else "lower"


def kept_rows(measures: Measures, people: list[str], quality: Quality) -> list[Row]:
    """What share of photographs each criterion keeps, and how many people that leaves."""
    count = len(measures)
    rows = [
        Row(f"kept_{name}", None, float(kept.float().mean()), "fraction", None, count)
        for name, kept in quality.keeps(measures).items()
    ]
    # The paper began with 2.6 million photographs of which 12 thousand were left, of a thousand
    # people with three or more.
    strict = replace(quality, most_turn=PAPER_TURN)
    for suffix, chosen, share in (("", quality, None), ("_at_5_degrees", strict, 0.005)):
        kept = chosen.keeps_all(measures)
        photos = [name for name, good in zip(people, kept.tolist(), strict=True) if good]
        several = sum(photos.count(name) >= 3 for name in set(photos))
        rows += [
            Row(f"kept_all{suffix}", share, float(kept.float().mean()), "fraction", None, count),
            Row(f"people{suffix}", None, float(len(set(photos))), "", None, None),
            Row(f"people_with_three{suffix}", 1000 if suffix else None, float(several), "", None,
                None),
        ]  # fmt: skip
    return rows


def reproduce_filter(profile: Profile, seed: int) -> Result:
    """Errors on synthetic test people; what is kept of LFW's training photographs."""
    start = time.perf_counter()
    people, shots = TESTED if profile == "full" else (16, 2)
    chips, truth = known_faces(people, shots, "test")
    crop = normal_crop(MEASURED_AT)
    pictures = align(chips.chips.float() / 255, chips.landmarks, crop, padding="border")
    rows = read_out_rows(chips, truth) + pixel_rows(pictures)
    note = "LFW was not there."
    try:
        album = lfw_album(open_lfw())
    except LFWNotFoundError:
        album = None
    if album is not None:
        if profile == "fast":
            album = replace(album, persons=dict(list(album.persons.items())[:24]))
        found = find_all(album, most=MOST_AVERAGED)
        measures = measure_all(album, found, load_read_outs(), load_encoder())
        rows += kept_rows(measures, [name for name, _ in found.photos], LFW_QUALITY)
        note = (
            f"kept: of {len(found)} photographs of LFW's training people (at most {MOST_AVERAGED} "
            f"of each, those in which dlib's detector sees the face), with {LFW_QUALITY}; "
            "at_5_degrees: the same with the paper's limit on yaw and pitch. The paper filtered "
            "2.6 million photographs of VGG-Face's training set with a commercial service."
        )
    return measured_result(
        "normalization/filter",
        "Of 2.6 million photographs, 12 thousand (0.5%) are frontal within 5 degrees, neutral, "
        "sharp, coloured and without glasses; 1000 people have three or more of them.",
        f"Errors and areas under curves: {len(chips)} everyday pictures of {people} synthetic test "
        "people (yaw to 35 degrees, pitch to 10), whose landmarks dlib found; frontal: within 15 "
        "degrees. smile: at least 0.4 against none; opening: 0.15 against none. blur: the same "
        f"pictures blurred by {_BLUR} pixels where the eyes are 39 apart. " + note,
        paper="cole2017synthesizing", profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip


EXPERIMENTS: dict[str, Experiment] = {"normalization/filter": reproduce_filter}
