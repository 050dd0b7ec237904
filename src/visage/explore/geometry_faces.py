"""The faces that Part IV's explorers show: a tracked sheet of pictures, and what is true of them.

`tools/build_geometry_faces.py` draws them: synthetic people of the test split, whom no network has
seen. Their numbers are exact, and so is the depth that they give; of the wrinkles and pores, which
no number carries, the relief is tracked as a picture.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from visage.explore.inversion_data import ExplorerDataError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.feedback import feedback
from visage.geometry.grey import grey
from visage.geometry.pipeline import FINE_MESH
from visage.geometry.representation import SIZE, FaceNumbers

FOLDER = Path(__file__).parent / "geometry"
PICTURES, RELIEF, WORDS = "faces.webp", "relief.png", "faces.json"
LARGE = 2 * SIZE
"""Pixels of the pictures that are tracked: fig. 11 wants 400, and all else takes half of it."""

STEP = 0.01
"""mm of relief that a grey level of the tracked sheet is."""


@dataclass(frozen=True, eq=False)
class ShownFaces:
    """P faces in the window that CoarseNet takes, twice as fine."""

    names: tuple[str, ...]
    photos: Tensor  # (P, 3, 400, 400), sRGB, in [0, 1]
    relief: Tensor  # (P, 1, 400, 400), mm that wrinkles and pores rise towards the viewer
    numbers: FaceNumbers  # the truth

    def __len__(self) -> int:
        """P."""
        return len(self.photos)

    def __getitem__(self, index: slice | Sequence[int]) -> ShownFaces:
        """Some of the faces."""
        index = torch.arange(len(self))[index]
        names = tuple(self.names[i] for i in index.tolist())
        return ShownFaces(names, self.photos[index], self.relief[index], self.numbers[index])

    def photos_at(self, size: int) -> Tensor:
        """(P, 3, size, size), sRGB."""
        return resized(self.photos, size)

    def grey(self, size: int = SIZE) -> Tensor:
        """(P, 1, size, size), sRGB: what the networks take."""
        return grey(self.photos_at(size))

    def coarse_depth(self, size: int = SIZE) -> tuple[Tensor, Tensor]:
        """True depth without wrinkles (P, 1, size, size), mm, and the face's mask."""
        seen = feedback(FaceMesh.load(FINE_MESH), self.numbers, size)
        return seen.depth, seen.mask

    def depth(self, size: int = SIZE) -> tuple[Tensor, Tensor]:
        """True depth with wrinkles (P, 1, size, size), mm, and the face's mask."""
        coarse, mask = self.coarse_depth(size)
        return coarse - resized(self.relief, size), mask


def resized(pictures: Tensor, size: int) -> Tensor:
    """Pictures (B, C, H, H) at (B, C, size, size): means of the pixels that fall together."""
    if pictures.shape[-1] == size:
        return pictures
    return torch.nn.functional.interpolate(
        pictures, (size, size), mode="bilinear", antialias=True, align_corners=False
    )


@lru_cache(maxsize=1)
def shown_faces() -> ShownFaces:
    """The faces of the tracked sheet.

    Raises:
        ExplorerDataError: it is not there.
    """
    missing = [name for name in (PICTURES, RELIEF, WORDS) if not (FOLDER / name).is_file()]
    if missing:
        raise ExplorerDataError(
            f"src/visage/explore/geometry/{missing[0]} is missing; check it out again, or make it "
            "in a working copy with python -m tools.build_geometry_faces."
        )
    known = json.loads((FOLDER / WORDS).read_text(encoding="utf-8"))
    photos = _tiles(np.asarray(Image.open(FOLDER / PICTURES).convert("RGB")))
    relief = _tiles(np.asarray(Image.open(FOLDER / RELIEF).convert("L"))[..., None])
    count = len(known["names"])
    return ShownFaces(
        tuple(known["names"]),
        photos[:count].float() / 255,
        STEP * (relief[:count].float() - 128),
        FaceNumbers.of(torch.tensor(known["numbers"])),
    )


def write_sheet(faces: ShownFaces, columns: int = 4) -> None:
    """Track faces: pictures, relief, names and numbers."""
    FOLDER.mkdir(exist_ok=True)
    photos = (255 * faces.photos.clamp(0, 1)).round().to(torch.uint8)
    relief = (faces.relief / STEP + 128).round().clamp(0, 255).to(torch.uint8)
    _sheet(photos, columns).save(FOLDER / PICTURES, quality=90, method=6)
    _sheet(relief, columns).save(FOLDER / RELIEF, optimize=True)
    numbers = [[float(f"{value:.6g}") for value in row] for row in faces.numbers.numbers.tolist()]
    words = json.dumps({"names": faces.names, "numbers": numbers}) + "\n"
    (FOLDER / WORDS).write_text(words, encoding="utf-8")


def _sheet(tiles: Tensor, columns: int) -> Image.Image:
    """Bytes (N, C, H, H) side by side, row after row."""
    rows = -(-len(tiles) // columns)
    blank = tiles.new_zeros(rows * columns - len(tiles), *tiles.shape[1:])
    grid = torch.cat([tiles, blank]).unflatten(0, (rows, columns)).permute(0, 3, 1, 4, 2)
    pixels = grid.flatten(2, 3).flatten(0, 1)
    return Image.fromarray(pixels.squeeze(2).contiguous().numpy())


def _tiles(sheet: np.ndarray) -> Tensor:
    """Invert `_sheet`: (N, C, H, H)."""
    rows, columns = (side // LARGE for side in sheet.shape[:2])
    grid = torch.from_numpy(sheet.copy()).view(rows, LARGE, columns, LARGE, -1)
    return grid.permute(0, 2, 4, 1, 3).flatten(0, 1)
