"""What the journey's explorer shows, as a few small pictures and one file of words.

A `Journey` is one photograph's way through all five parts. Several become pictures side by side
that `tools/build_journey.py` tracks, or that a notebook makes of the reader's own photograph.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from visage.explore.inversion_data import ExplorerDataError
from visage.explore.texture_sheets import COLOUR_SIDE, face_box
from visage.explore.turning_head_explorer import atlas_box
from visage.files import written_whole
from visage.texture.yiq import luminance

FOLDER = Path(__file__).parent / "journey"
STAGES = (
    *("photograph", "embedding", "inversion", "normalized", "nfgan"),
    *("coarse", "fine", "texture", "front"),
)
"""In the order of the sheet of steps: `visage.avatar.stages.STAGES`, part III's face after part
II's, and the head from the front last."""

RELIEF = 2.4
"""mm from the deepest to the highest relief that a sheet holds."""

STEP_SIDE = 224  # pixels of a stage's picture
TILE_SIZE = 320  # texels of the window's side
ATLAS_SIDE = 512  # texels of the whole head: an iris is 12 of them
_WORDS = "journey.json"
_QUALITY = {"steps": 80, "skins": 86, "colours": 90, "atlases": 82}  # of WebP, by picture


@dataclass(frozen=True, eq=False)
class JourneyStage:
    """What one stage made."""

    key: str  # of `STAGES`
    picture: Tensor  # (3, S, S), sRGB, in [0, 1]
    distance: float | None  # of its embedding from the photograph's; None: there is none


@dataclass(frozen=True, eq=False)
class Shape:
    """What a head's vertices follow from."""

    identity: Tensor  # (K,), standard deviations
    expression: Tensor  # (52,)


@dataclass(frozen=True, eq=False)
class Skin:
    """A head's colours, sRGB-encoded albedo."""

    face: Tensor  # (3, S, S), of the face window
    atlas: Tensor  # (3, R, R), of the whole head


@dataclass(frozen=True, eq=False)
class Journey:
    """One photograph, from its pixels to a head.

    Raises:
        ValueError: the stages are others than `STAGES`.
    """

    name: str
    about: str  # a sentence
    stages: tuple[JourneyStage, ...]
    embedding: Tensor  # (E,), the photograph's
    coarse: Shape  # part IV's
    head: Shape  # the avatar's
    skin: Skin
    visible: Tensor  # (1, S, S), 1 where the photograph showed the skin
    relief: Tensor  # (1, S, S) mm, of the fine geometry over the coarse one, outwards
    truth: tuple[Shape, Skin] | None = None  # of synthetic people

    def __post_init__(self):
        keys = tuple(stage.key for stage in self.stages)
        if keys != STAGES:
            raise ValueError(f"the stages are {', '.join(keys)}; expected {', '.join(STAGES)}")


@dataclass(frozen=True)
class JourneySheets:
    """Journeys as the page takes them."""

    words: dict  # JSON: people, tile, box, threshold, relief
    pictures: dict[str, bytes]  # WebP, by name: steps, skins, colours, atlases

    def write(self) -> int:
        """Track them in `FOLDER`; their bytes."""
        FOLDER.mkdir(exist_ok=True)
        text = json.dumps(self.words, separators=(",", ":")) + "\n"
        files = {_WORDS: text.encode()}
        files |= {f"{name}.webp": data for name, data in self.pictures.items()}
        for name, data in files.items():
            with written_whole(FOLDER / name) as temporary:
                temporary.write_bytes(data)
        return sum(map(len, files.values()))

    @classmethod
    def read(cls) -> JourneySheets:
        """The tracked ones.

        Raises:
            ExplorerDataError: one of the files is missing.
        """
        names = (_WORDS, *(f"{name}.webp" for name in _QUALITY))
        missing = [name for name in names if not (FOLDER / name).is_file()]
        if missing:
            raise ExplorerDataError(
                f"src/visage/explore/journey/{missing[0]} is missing; check it out again, or make "
                "it in a working copy with python -m tools.build_journey."
            )
        words = json.loads((FOLDER / _WORDS).read_text(encoding="utf-8"))
        return cls(words, {name: (FOLDER / f"{name}.webp").read_bytes() for name in _QUALITY})

    def url(self, name: str) -> str:
        """One of the pictures as a data URL."""
        return "data:image/webp;base64," + base64.b64encode(self.pictures[name]).decode()


def journey_sheets(journeys: Sequence[Journey], threshold: float) -> JourneySheets:
    """Make pictures and words of journeys.

    Args:
        journeys: at least one.
        threshold: of the recogniser.
    """
    skins = [one.truth[1] if one.truth else one.skin for one in journeys]
    steps = [torch.cat([_sized(s.picture, STEP_SIDE) for s in one.stages], 2) for one in journeys]
    tiles = [
        torch.cat([_grey(one.skin.face), _relief(one.relief), _grey(true.face)], 2)
        for one, true in zip(journeys, skins, strict=True)
    ]
    colours = [
        part
        for one, true in zip(journeys, skins, strict=True)
        for part in (one.skin.face, one.visible.expand(3, -1, -1), true.face)
    ]
    atlases = [
        _sized(skin.atlas, ATLAS_SIDE)
        for one, true in zip(journeys, skins, strict=True)
        for skin in (one.skin, true)
    ]
    pictures = {
        "steps": torch.cat(steps, 1),
        "skins": torch.cat(tiles, 1).expand(3, -1, -1),
        "colours": torch.cat([_small(_cut(part)) for part in colours], 2),
        "atlases": torch.cat(atlases, 2),
    }
    rows, columns = face_box(TILE_SIZE)
    words = {
        "people": [_words(one) for one in journeys],
        "tile": [rows.stop - rows.start, columns.stop - columns.start],
        "box": atlas_box(TILE_SIZE),
        "threshold": threshold,
        "relief": RELIEF,
    }
    return JourneySheets(
        _rounded(words), {name: _webp(one, _QUALITY[name]) for name, one in pictures.items()}
    )


def _words(one: Journey) -> dict:
    def of(shape: Shape) -> dict:
        return {"identity": shape.identity, "expression": shape.expression}

    return {
        "name": one.name,
        "about": one.about,
        "stages": [{"key": s.key, "distance": s.distance} for s in one.stages],
        "embedding": one.embedding,
        "coarse": of(one.coarse),
        "head": of(one.head),
        "truth": of(one.truth[0]) if one.truth else None,
    }  # fmt: skip


def _cut(window: Tensor) -> Tensor:
    """The part of a window (C, S, S) that holds the face, at `TILE_SIZE`."""
    return _sized(window, TILE_SIZE)[(..., *face_box(TILE_SIZE))]


def _grey(skin: Tensor) -> Tensor:
    return luminance(_cut(skin)[None])[0]


def _relief(height: Tensor) -> Tensor:
    return (0.5 + _cut(height) / RELIEF).clamp(0, 1)


def _small(tile: Tensor) -> Tensor:
    """A tile with `COLOUR_SIDE` texels at its longer side."""
    scale = COLOUR_SIDE / max(tile.shape[1:])
    size = [round(side * scale) for side in tile.shape[1:]]
    return interpolate(tile[None], size=size, mode="area")[0]


def _sized(picture: Tensor, side: int) -> Tensor:
    """A square picture (C, S, S) with another number of pixels."""
    if picture.shape[-1] == side:
        return picture
    return interpolate(picture[None], size=(side, side), mode="bilinear", antialias=True)[0]


def _webp(picture: Tensor, quality: int) -> bytes:
    pixels = (255 * picture.detach().clamp(0, 1)).round().byte().permute(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels.contiguous().numpy()).save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def _rounded(words: object) -> object:
    """The same with floats of four digits, ready for JSON."""
    if isinstance(words, Tensor):
        words = words.tolist()
    if isinstance(words, float):
        return float(f"{words:.4g}")
    if isinstance(words, dict):
        return {key: _rounded(value) for key, value in words.items()}
    if isinstance(words, list | tuple):
        return [_rounded(value) for value in words]
    return words
