"""Made "databases" for expression recognition: labelled faces of people whom no NFGAN has seen.

CK+ and MMI stand behind licences. What stands in for them here has their numbers of people, of
pictures and of expressions (section 5.1), but synthetic people, posed as the actions of FACS
prescribe. A result on it is a result on other data, and never one on CK+ or MMI;
`visage.nfgan.databases` reads the real ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visage.faces.light import LIGHT_KINDS
from visage.faces.population import SPLITS, seed_of
from visage.faces.shots import EVERYDAY, ShotRanges
from visage.nfgan.drawing import (
    SEED,
    ShotPlan,
    draw_inputs,
    draw_plainly,
    draw_targets,
    hidden_right,
)
from visage.nfgan.errors import NfganError
from visage.nfgan.pairs import edition, expression_plan, kept, stored
from visage.photos.downloads import cache_folder

__all__ = ["ExpressionFaces", "expressive_faces", "made_ck_plus", "made_mmi"]

CK_PLUS_SUBJECTS, MMI_SUBJECTS = 118, 31
CK_PLUS_COUNTS = {
    "anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28,
    "surprise": 83,
}  # fmt: skip
"""Labelled sequences of CK+ by expression (Lucey et al. 2010, table 1); 327 in all."""
MMI_COUNTS = {
    "anger": 33, "disgust": 32, "fear": 28, "happiness": 42, "sadness": 32, "surprise": 41,
}  # fmt: skip
"""Sequences of MMI by expression, as papers on its 208 frontal sequences report them, about."""

_INDOORS = tuple(kind for kind in LIGHT_KINDS if kind.name in ("room", "studio", "overcast"))
_LABORATORY = replace(EVERYDAY, yaw=5.0, pitch=4.0, roll=4.0, lights=_INDOORS)
_VARIED = replace(EVERYDAY, yaw=15.0, pitch=8.0)
_FIRST_OF_CK_PLUS, _FIRST_OF_MMI = 1000, 2000  # people of "test"; the ledger's are the first 300
_PEAK = (0.45, 1.0)  # intensity of CK+'s last frames
_MIDDLE = (0.3, 0.9)  # of MMI's middle frames: subtler, and varying from frame to frame
_FRAMES = 3  # of a sequence of MMI (section 5.1)
_WAVER = 0.15  # share by which a sequence's frames differ in intensity
_TOGETHER = 40  # pictures drawn at once


@dataclass(frozen=True, eq=False)
class ExpressionFaces:
    """N faces that show expressions, of S people.

    As in `visage.nfgan.pairs.Pairs`, the side that is turned away is on the picture's right:
    synthetic pictures are mirrored where it was not.
    """

    images: Tensor  # (N, 1, 64, 64) uint8
    labels: Tensor  # (N,) int64, place in `names`
    subjects: Tensor  # (N,) int64, row of `neutral`
    names: tuple[str, ...]
    neutral: Tensor  # (S, 1, 64, 64) uint8, a true neutral face of each person, never mirrored
    sequences: Tensor  # (N,) int64, equal for pictures of one recording

    def __post_init__(self):
        counts = {len(self.images), len(self.labels), len(self.subjects), len(self.sequences)}
        if len(counts) > 1:
            raise NfganError("expression faces need as many labels, subjects and sequences")

    def __len__(self) -> int:
        """N."""
        return len(self.images)


def made_ck_plus(*, split: str = "test", folder: Path | None = None) -> ExpressionFaces:
    """Like CK+: 118 people, 327 peak pictures of seven expressions, near frontal, indoors.

    Args:
        split: "validation" has as many others, to develop on.
        folder: of the cache, `cache_folder()` if None.
    """
    who, what = _cast(CK_PLUS_SUBJECTS, CK_PLUS_COUNTS, split, _FIRST_OF_CK_PLUS)
    levels = _random(split, _FIRST_OF_CK_PLUS, 1).uniform(*_PEAK, len(who)).tolist()
    plan = ShotPlan(who, _numbered(who), what, tuple(levels))
    return _faces("ck_plus", split, plan, _LABORATORY, range(len(plan)), folder)


def made_mmi(*, split: str = "test", folder: Path | None = None) -> ExpressionFaces:
    """Like MMI: 31 people, 208 sequences of six expressions, three frames of each.

    Heads turn up to 15 degrees, glasses are worn, light is everyday, and expressions are subtler
    than in `made_ck_plus`. The frames of a sequence differ in pose, light and intensity, as frames
    of a clip do, and more.

    Args:
        split: "validation" has as many others, to develop on.
        folder: of the cache, `cache_folder()` if None.
    """
    who, what = _cast(MMI_SUBJECTS, MMI_COUNTS, split, _FIRST_OF_MMI)
    random = _random(split, _FIRST_OF_MMI, 1)
    peaks = np.repeat(random.uniform(*_MIDDLE, len(who)), _FRAMES)
    levels = peaks * random.uniform(1 - _WAVER, 1 + _WAVER, len(peaks))
    who = tuple(number for number in who for _ in range(_FRAMES))
    what = tuple(name for name in what for _ in range(_FRAMES))
    plan = ShotPlan(who, _numbered(who), what, tuple(levels.clip(0, 1).tolist()))
    sequences = [row // _FRAMES for row in range(len(plan))]
    return _faces("mmi", split, plan, _VARIED, sequences, folder)


def expressive_faces(
    split: str, people: Sequence[int], each: int = 8, *, folder: Path | None = None
) -> ExpressionFaces:
    """Eight expressions, neutral among them, within 15 degrees; every other picture evenly lit.

    The evenly lit half is as `visage.nfgan.drawing.draw_plainly` has it: without glasses, before a
    plain background, in the light of normalized faces. To teach a judge what neutral is, give
    people of "train" from 5000 upwards, of whom no NFGAN has learnt.

    Args:
        split: of `visage.faces.population.SPLITS`.
        people: their numbers.
        each: pictures of each person in either light, hence half of all.
        folder: of the cache, `cache_folder()` if None.
    """
    everyday = expression_plan(split, people, each)
    # The same expressions again, at other moments.
    even = replace(everyday, shots=tuple(shot + each for shot in everyday.shots))
    name = f"expressive-{split}"
    first = _faces(name, split, everyday, _VARIED, range(len(everyday)), folder)
    second = _faces(f"{name}-plain", split, even, _VARIED, range(len(even)), folder, plainly=True)
    return ExpressionFaces(
        torch.cat([first.images, second.images]),
        torch.cat([first.labels, second.labels]),
        torch.cat([first.subjects, second.subjects]),
        first.names,
        first.neutral,
        torch.cat([first.sequences, second.sequences + len(first)]),
    )


def _cast(
    subjects: int, counts: Mapping[str, int], split: str, first: int
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Who shows what, in the order of people: everybody something, and nothing twice if possible.

    Each expression goes round in an order of its own; who is left with nothing takes something
    over from who has most.
    """
    random = _random(split, first, 0)
    shown: list[list[str]] = [[] for _ in range(subjects)]
    for name, count in counts.items():
        order = random.permutation(subjects)
        for place in range(count):
            shown[order[place % subjects]].append(name)
    for names in shown:
        if not names:
            names.append(max(shown, key=len).pop())
    who = tuple(first + subject for subject in range(subjects) for _ in shown[subject])
    return who, tuple(name for names in shown for name in names)


def _random(split: str, first: int, part: int) -> np.random.Generator:
    return np.random.default_rng(seed_of(SEED, SPLITS.index(split), first, part))


def _numbered(who: Sequence[int]) -> tuple[int, ...]:
    """0, 1, 2, ... for each person's pictures."""
    seen: dict[int, int] = {}
    numbers = []
    for person in who:
        numbers.append(seen.get(person, 0))
        seen[person] = numbers[-1] + 1
    return tuple(numbers)


def _faces(
    name: str,
    split: str,
    plan: ShotPlan,
    ranges: ShotRanges,
    sequences: Sequence[int],
    folder: Path | None,
    *,
    plainly: bool = False,
) -> ExpressionFaces:
    """Draw a plan, or find it in the cache; its people become subjects 0, 1, ... in order."""
    names = tuple(sorted(set(plan.expressions)))
    people = sorted(set(plan.people))
    key = hashlib.sha256(f"{edition()}{plan}{ranges}{plainly}".encode()).hexdigest()[:12]
    path = (folder or cache_folder()) / "nfgan" / "sittings" / f"{name}-{key}.safetensors"
    draw = draw_plainly if plainly else draw_inputs

    def drawn() -> dict[str, Tensor]:
        blocks = [draw(split, part, ranges) for part in _parts(plan)]
        # A dozen pictures of others: textures take more room than pictures.
        rests = [people[start : start + 12] for start in range(0, len(people), 12)]
        return {
            "images": stored(torch.cat([hidden_right(*block) for block in blocks])),
            "neutral": stored(torch.cat([draw_targets(split, some) for some in rests])),
        }

    return ExpressionFaces(
        labels=torch.tensor([names.index(label) for label in plan.expressions]),
        subjects=torch.tensor([people.index(number) for number in plan.people]),
        names=names,
        sequences=torch.tensor(list(sequences)),
        **kept(path, drawn),
    )


def _parts(plan: ShotPlan) -> list[ShotPlan]:
    """The plan in runs of `_TOGETHER` pictures."""
    runs = [slice(start, start + _TOGETHER) for start in range(0, len(plan), _TOGETHER)]
    return [
        ShotPlan(plan.people[run], plan.shots[run], plan.expressions[run], plan.intensities[run])
        for run in runs
    ]
