"""Tracked syntheses for the explorers of Part V: sheets of luminance, and the colours they share.

The synthesis changes luminance only, so that a sheet is grey and one small coloured picture says
the rest: a change of Y in YIQ adds the same to red, green and blue.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from visage.explore.inversion_data import ExplorerDataError
from visage.files import written_whole
from visage.texture.window import face_region

FOLDER = Path(__file__).parent / "texture"
COLOUR_SIDE = 96
"""Texels of the longer side of a stored low-frequency albedo, which has nothing finer."""

_MARGIN = 0.02  # of the window's side, round the face


@dataclass(frozen=True, eq=False)
class TextureSheet:
    """R rows of C textures, cut to the face."""

    luminance: Tensor  # (R, C, H, W) in [0, 1]
    colours: Tensor  # (P, 3, H, W), sRGB: low-frequency albedos whose I and Q the tiles take
    words: dict  # what the explorer says about them


def face_box(size: int) -> tuple[slice, slice]:
    """Rows and columns of a window of `size` texels that hold the face, and a little more."""
    inside = face_region(size)[0, 0] > 0
    margin = max(1, round(_MARGIN * size))
    found = []
    for dim in (1, 0):
        places = inside.any(dim).nonzero().flatten()
        low, high = int(places[0]) - margin, int(places[-1]) + 1 + margin
        found.append(slice(max(0, low), min(size, high)))
    return found[0], found[1]


def write_sheet(name: str, sheet: TextureSheet, quality: int = 70) -> int:
    """Track a sheet as `<name>.webp`, `<name>_colour.webp` and `<name>.json`.

    Args:
        name: of the files.
        sheet: what they hold.
        quality: of the luminance, 0 to 100.

    Returns:
        Bytes of the three files.
    """
    rows, columns, height, width = sheet.luminance.shape
    grey = sheet.luminance.permute(0, 2, 1, 3).reshape(1, rows * height, columns * width)
    write_picture(f"{name}.webp", grey.expand(3, -1, -1), quality)
    scale = COLOUR_SIDE / max(height, width)
    small = interpolate(
        sheet.colours, size=(round(height * scale), round(width * scale)), mode="area"
    )
    write_picture(f"{name}_colour.webp", torch.cat(tuple(small), 2), 92)
    words = {**sheet.words, "tile": [height, width]}
    (FOLDER / f"{name}.json").write_text(json.dumps(_rounded(words)) + "\n", encoding="utf-8")
    return sum(path.stat().st_size for path in sheet_files(name))


def write_picture(name: str, image: Tensor, quality: int) -> int:
    """Track a picture (3, H, W) in [0, 1] as WebP; its bytes."""
    path = FOLDER / name
    FOLDER.mkdir(exist_ok=True)
    with written_whole(path) as temporary:
        _picture(image).save(temporary, "WEBP", quality=quality, method=6)
    return path.stat().st_size


def sheet_files(name: str) -> tuple[Path, ...]:
    """The three files of a sheet."""
    return tuple(FOLDER / f"{name}{end}" for end in (".webp", "_colour.webp", ".json"))


def sheet_words(name: str, tool: str) -> dict:
    """What a sheet says, `tile` (H, W) among it.

    Args:
        name: of the sheet.
        tool: the module below `tools` that makes it.

    Raises:
        ExplorerDataError: one of its files is missing.
    """
    for path in sheet_files(name):
        _there(path, tool)
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def sheet_urls(name: str) -> tuple[str, str]:
    """Data URLs of a sheet's luminance and of its colours."""
    grey, colour, _ = sheet_files(name)
    return _packed(grey), _packed(colour)


def file_url(name: str, tool: str) -> str:
    """A tracked picture as a data URL.

    Raises:
        ExplorerDataError: it is missing.
    """
    return _packed(_there(FOLDER / name, tool))


def picture_urls(name: str, tool: str) -> list[str]:
    """Data URLs of square pictures that lie side by side in a file.

    Raises:
        ExplorerDataError: the file is missing.
    """
    return [_url(one) for one in _squares(name, tool)]


def pictures(name: str, tool: str) -> Tensor:
    """The same as (P, 3, H, H) in [0, 1].

    Raises:
        ExplorerDataError: the file is missing.
    """
    found = [torch.from_numpy(np.array(one)).permute(2, 0, 1) for one in _squares(name, tool)]
    return torch.stack(found).float() / 255


def _squares(name: str, tool: str) -> list[Image.Image]:
    strip = Image.open(_there(FOLDER / name, tool)).convert("RGB")
    side = strip.height
    return [strip.crop((x, 0, x + side, side)) for x in range(0, strip.width, side)]


def _there(path: Path, tool: str) -> Path:
    if not path.is_file():
        raise ExplorerDataError(
            f"src/visage/explore/texture/{path.name} is missing; check it out again, or make it in "
            f"a working copy with python -m tools.{tool}."
        )
    return path


def _url(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=84, method=6)
    return _data_url(buffer.getvalue())


def _packed(path: Path) -> str:
    return _data_url(path.read_bytes())


def _data_url(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode()


def _picture(image: Tensor) -> Image.Image:
    pixels = (255 * image.detach().clamp(0, 1)).round().byte().permute(1, 2, 0)
    return Image.fromarray(pixels.contiguous().cpu().numpy())


def _rounded(words: object) -> object:
    """The same with floats of four digits."""
    if isinstance(words, Tensor):
        words = words.tolist()
    if isinstance(words, float):
        return float(f"{words:.4g}")
    if isinstance(words, Mapping):
        return {key: _rounded(value) for key, value in words.items()}
    if isinstance(words, list | tuple):
        return [_rounded(value) for value in words]
    return words
