"""The pictures of the user studies, and the sheets that hold them.

The shipped ones were made by ``python -m tools.build_study_stimuli``: synthetic test people, whom
nothing has learned from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from visage.files import written_whole
from visage.texture.errors import StudyError
from visage.texture.measures import band_energies
from visage.texture.user_study import TRUTH
from visage.texture.yiq import luminance

FOLDER = Path(__file__).parent / "stimuli"
HALVES, FACES, WORDS = "halves.webp", "faces.webp", "stimuli.json"


@dataclass(frozen=True, eq=False)
class Stimuli:
    """Everything that raters may see.

    Raises:
        StudyError: the pictures are not of as many people, or the truth is missing.
    """

    reference: Tensor  # (P, 3, H, W/2), the half of each face that is always true
    halves: Mapping[str, Tensor]  # by maker, (P, 3, H, W/2), the other half; the truth's first
    faces: Mapping[str, Tensor]  # by maker, (Q, R, 3, H', W'): Q people in R poses
    names: Mapping[str, str]  # what to call the makers, once all is answered

    def __post_init__(self):
        kinds = (*self.halves.values(), self.reference), tuple(self.faces.values())
        unlike = [len({tuple(one.shape) for one in kind}) > 1 for kind in kinds]
        if any(unlike) or TRUTH not in self.halves or not self.faces:
            raise StudyError(
                "stimuli need the truth, and pictures of the same people and size by each maker; "
                f"halves are by {', '.join(self.halves)}, faces by {', '.join(self.faces)}"
            )
        unnamed = {*self.halves, *self.faces} - set(self.names)
        if unnamed:
            raise StudyError(f"nobody said what to call {', '.join(sorted(unnamed))}")

    @property
    def makers_a(self) -> tuple[str, ...]:
        """Who made halves, beside the truth."""
        return tuple(name for name in self.halves if name != TRUTH)

    @property
    def makers_b(self) -> tuple[str, ...]:
        """Who made faces."""
        return tuple(self.faces)

    @property
    def people_a(self) -> int:
        """P."""
        return len(self.reference)

    @property
    def people_b(self) -> int:
        """Q."""
        return next(iter(self.faces.values())).shape[0]

    @property
    def poses(self) -> int:
        """R."""
        return next(iter(self.faces.values())).shape[1]


def changed_over(images: Tensor) -> tuple[Tensor, Tensor]:
    """Cut faces in two as study A shows them.

    What is shown on the left is the face's right half in the picture, and the other way round, so
    that cheeks meet in the middle and nobody can compare what crosses the nose.

    Args:
        images: (B, 3, H, W), W even, the face in the middle.

    Returns:
        What is shown on the left and on the right, (B, 3, H, W/2) each.

    Raises:
        StudyError: the width is odd.
    """
    width = images.shape[3]
    if width % 2:
        raise StudyError(f"pictures are {width} pixels wide; give an even number")
    return images[..., width // 2 :], images[..., : width // 2]


def band_gaps(made: Tensor, true: Tensor) -> Tensor:
    """How unlike pictures are in their amount of detail, whatever its place.

    Args:
        made: (B, 3, H, W), sRGB in [0, 1].
        true: (B, 3, H, W).

    Returns:
        (B,), sum over three bands (`visage.texture.measures.BANDS`) of the logarithm, to the base
        2, of the ratio of their energies, without its sign; 0 for equal pictures.

    >>> picture = torch.rand(2, 3, 16, 16)
    >>> band_gaps(picture, picture)
    tensor([0., 0.])
    """
    everywhere = torch.ones_like(made[:1, :1])
    energies = [band_energies(luminance(some), everywhere) for some in (made, true)]
    return (energies[0].clamp(min=1e-9) / energies[1].clamp(min=1e-9)).log2().abs().sum(1)


def write_stimuli(
    stimuli: Stimuli, folder: Path = FOLDER, *, quality: int = 82, note: str = ""
) -> int:
    """Write the two sheets and their words; returns their bytes.

    Args:
        stimuli: to keep.
        folder: where to.
        quality: of the WebP files.
        note: how they were made, for whoever opens the file.
    """
    rows = [torch.cat([half[p] for half in (stimuli.reference, *stimuli.halves.values())], 2)
            for p in range(stimuli.people_a)]  # fmt: skip
    columns = [faces.flatten(0, 1) for faces in stimuli.faces.values()]
    lines = [torch.cat([column[n] for column in columns], 2) for n in range(len(columns[0]))]
    _save(torch.cat(rows, 1), folder / HALVES, quality)
    _save(torch.cat(lines, 1), folder / FACES, quality)
    words = {
        "note": note,
        "halves": list(stimuli.halves),
        "half": list(stimuli.reference.shape[2:]),
        "people": stimuli.people_a,
        "faces": list(stimuli.faces),
        "face": list(columns[0].shape[2:]),
        "subjects": stimuli.people_b,
        "poses": stimuli.poses,
        "names": dict(stimuli.names),
    }
    with written_whole(folder / WORDS) as temporary:
        temporary.write_text(json.dumps(words, indent=1) + "\n", encoding="utf-8")
    return sum((folder / name).stat().st_size for name in (HALVES, FACES, WORDS))


def read_words(folder: Path = FOLDER) -> dict:
    """What the sheets hold: makers in order, sizes, counts and names.

    Raises:
        StudyError: the files are missing.
    """
    missing = [name for name in (HALVES, FACES, WORDS) if not (folder / name).is_file()]
    if missing:
        raise StudyError(
            f"{', '.join(missing)} of the user studies are missing; check them out again, or make "
            "them in a working copy with python -m tools.build_study_stimuli"
        )
    return json.loads((folder / WORDS).read_text(encoding="utf-8"))


@lru_cache(maxsize=2)
def load_stimuli(folder: Path = FOLDER) -> Stimuli:
    """The pictures of the sheets.

    Raises:
        StudyError: the files are missing.
    """
    words = read_words(folder)
    rows = _cut(folder / HALVES, words["people"], *words["half"])
    lines = _cut(folder / FACES, words["subjects"] * words["poses"], *words["face"])
    return Stimuli(
        rows[:, 0],
        {name: rows[:, 1 + place] for place, name in enumerate(words["halves"])},
        {
            name: lines[:, place].unflatten(0, (words["subjects"], words["poses"]))
            for place, name in enumerate(words["faces"])
        },
        words["names"],
    )


def _cut(sheet: Path, rows: int, height: int, width: int) -> Tensor:
    """(rows, columns, 3, height, width) of a sheet."""
    pixels = np.array(Image.open(sheet).convert("RGB"))
    tiles = torch.from_numpy(pixels).view(rows, height, -1, width, 3)
    return tiles.permute(0, 2, 4, 1, 3).float() / 255


def _save(picture: Tensor, path: Path, quality: int) -> None:
    pixels = (255 * picture.clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0)
    with written_whole(path) as temporary:
        image = Image.fromarray(pixels.contiguous().numpy())
        image.save(temporary, "WEBP", quality=quality, method=6)
