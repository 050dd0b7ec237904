"""The people that Part III's explorers show: a tracked sheet of held-out faces of 64 grey pixels.

`tools/build_nfgan_faces.py` draws them: synthetic people of the test split, a picture of each and
the face that it should become. No network has seen them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from visage.explore.inversion_data import ExplorerDataError
from visage.nfgan.frame import SIZE, check_faces

FOLDER = Path(__file__).parent / "nfgan"
SHEET, WORDS = "faces.png", "faces.json"
SUBSET_SHEET, SUBSET_WORDS = "subsets.webp", "subsets.json"


@dataclass(frozen=True, eq=False)
class ShownPeople:
    """P people, each with one picture and the normalized face that belongs to it."""

    inputs: Tensor  # (P, 1, 64, 64) in [0, 1], hidden side on the picture's right
    targets: Tensor  # (P, 1, 64, 64) in [0, 1], mirrored where the input is
    expressions: tuple[str, ...]  # P, of the inputs

    def __len__(self) -> int:
        """P."""
        return len(self.inputs)

    def first(self, count: int) -> ShownPeople:
        """The first so many of them."""
        return ShownPeople(self.inputs[:count], self.targets[:count], self.expressions[:count])

    @property
    def names(self) -> list[str]:
        """What to call each picture."""
        return [f"Person {n + 1}, {what}" for n, what in enumerate(self.expressions)]


@lru_cache(maxsize=1)
def shown_people() -> ShownPeople:
    """The people of the tracked sheet.

    Raises:
        ExplorerDataError: it is not there.
    """
    sheet, words = FOLDER / SHEET, FOLDER / WORDS
    if not (sheet.is_file() and words.is_file()):
        raise ExplorerDataError(
            f"src/visage/explore/nfgan/{SHEET} or {WORDS} is missing; check it out again, or make "
            "it in a working copy with python -m tools.build_nfgan_faces."
        )
    known = json.loads(words.read_text(encoding="utf-8"))
    faces = _cut(np.asarray(Image.open(sheet).convert("L")))
    count = len(known["expressions"])
    return ShownPeople(faces[:count], faces[count : 2 * count], tuple(known["expressions"]))


def write_sheet(people: ShownPeople, columns: int = 16) -> None:
    """Track people: the inputs, then the targets, row by row."""
    faces = torch.cat([people.inputs, people.targets])
    rows = -(-len(faces) // columns)
    blank = faces.new_zeros(rows * columns - len(faces), 1, SIZE, SIZE)
    tiles = _bytes(torch.cat([faces, blank])).reshape(rows, columns, SIZE, SIZE)
    picture = Image.fromarray(tiles.transpose(0, 2, 1, 3).reshape(rows * SIZE, columns * SIZE))
    FOLDER.mkdir(exist_ok=True)
    picture.save(FOLDER / SHEET, optimize=True)
    words = json.dumps({"expressions": people.expressions}) + "\n"
    (FOLDER / WORDS).write_text(words, encoding="utf-8")


@dataclass(frozen=True)
class SubsetFaces:
    """What generators made that were trained with some of the losses, one after another."""

    sheet: str  # data URL: a row a generator, a column a person
    subsets: tuple[dict, ...]  # each row's "letters" and "values", five losses a person


def subset_faces() -> SubsetFaces | None:
    """The tracked sheet of the subsets' generators; None where it has not been made."""
    sheet, words = FOLDER / SUBSET_SHEET, FOLDER / SUBSET_WORDS
    if not (sheet.is_file() and words.is_file()):
        return None
    data = base64.b64encode(sheet.read_bytes()).decode()
    known = json.loads(words.read_text(encoding="utf-8"))
    return SubsetFaces(f"data:image/webp;base64,{data}", tuple(known))


def write_subsets(faces: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Track what generators made.

    Args:
        faces: by letters of the losses, (P, 1, 64, 64) in [0, 1] each, of the same people.
        values: by the same letters, (P, 5), the losses of those faces.
    """
    rows = [_bytes(some).transpose(1, 0, 2).reshape(SIZE, -1) for some in faces.values()]
    FOLDER.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(rows)).convert("RGB").save(
        FOLDER / SUBSET_SHEET, quality=92, method=6
    )
    words = [
        {"letters": letters, "values": [[float(f"{v:.4g}") for v in row] for row in some.tolist()]}
        for letters, some in values.items()
    ]
    (FOLDER / SUBSET_WORDS).write_text(json.dumps(words) + "\n", encoding="utf-8")


def pack_faces(faces: Tensor) -> str:
    """Faces (N, 1, 64, 64) in [0, 1] as base64 of bytes, which the page unpacks at once.

    >>> len(pack_faces(torch.zeros(3, 1, 64, 64)))
    16384
    """
    return base64.b64encode(_bytes(check_faces(faces)).tobytes()).decode()


def faces_of(buffer: memoryview) -> Tensor:
    """Faces (N, 1, 64, 64), float32, that the page sent."""
    return torch.from_numpy(np.frombuffer(buffer, dtype=np.float32).copy()).view(-1, 1, SIZE, SIZE)


def numbers_of(buffer: memoryview) -> Tensor:
    """Any numbers (N,), float32, that the page sent."""
    return torch.from_numpy(np.frombuffer(buffer, dtype=np.float32).copy())


def _cut(sheet: np.ndarray) -> Tensor:
    rows, columns = (side // SIZE for side in sheet.shape)
    tiles = sheet.reshape(rows, SIZE, columns, SIZE).transpose(0, 2, 1, 3)
    return torch.from_numpy(tiles.reshape(-1, 1, SIZE, SIZE).copy()).float() / 255


def _bytes(faces: Tensor) -> np.ndarray:
    return (255 * faces.clamp(0, 1)).round().to(torch.uint8).squeeze(1).numpy()
