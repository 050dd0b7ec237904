"""Explorer: before and after on a turning head, drawn by the page with WebGL."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor

from visage.explore.face_basis import pack
from visage.explore.javascript import bundle, stylesheet
from visage.explore.texture_sheets import (
    face_box,
    file_url,
    picture_urls,
    pictures,
    sheet_urls,
    sheet_words,
)
from visage.faces.shape import MorphableModel
from visage.texture.window import CORNER, SIDE

SHEET, TOOL = "heads", "build_texture_heads"
ATLASES, PHOTOS = "heads_atlas.webp", "heads_photo.webp"

STEP = 0.01  # mm of a stored level
PARTS = ("skin", "neck", "sockets", "eyes")
"""What is drawn of a head at rest: what is behind closed lips is left out."""


class TurningHeadExplorer(anywidget.AnyWidget):
    """Turn a head with two textures, one at each side of a line that can be moved.

    The page shows what `tools/build_texture_heads.py` inferred, beside what was seen and the
    truth. Needs WebGL 2 and no kernel.

    Args:
        told: of the sheet: tile, box (of the tile in the atlas), people (name).
        sheet: a data URL of luminances; a row a person: inferred, seen, true.
        colours: a data URL of each person's low-frequency albedo, and where the photograph saw.
        atlases: a data URL of the heads' whole atlases side by side, small.
        photos: data URLs of the photographs.
        mesh: the heads, as `pack_heads` makes them.
        values: what to begin with: person, left, right, split, yaw, nod, lampRight, lampUp, bump,
            tint, spinning.
    """

    _esm = bundle("turning_head.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "geometry_explorers.css",
                      "texture_explorers.css")  # fmt: skip

    told = traitlets.Dict().tag(sync=True)
    sheet = traitlets.Unicode().tag(sync=True)
    colours = traitlets.Unicode().tag(sync=True)
    atlases = traitlets.Unicode().tag(sync=True)
    photos = traitlets.List(traitlets.Unicode()).tag(sync=True)
    mesh = traitlets.Unicode().tag(sync=True)  # base64
    values = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        told: dict,
        sheet: str,
        colours: str,
        atlases: str,
        photos: list[str],
        mesh: bytes,
        values: Mapping[str, object] | None = None,
    ):
        super().__init__(
            told=told,
            sheet=sheet,
            colours=colours,
            atlases=atlases,
            photos=photos,
            mesh=base64.b64encode(mesh).decode(),
            values=dict(values or {}),
        )

    @classmethod
    def standard(cls) -> TurningHeadExplorer:
        """The explorer of the book.

        Raises:
            ExplorerDataError: its sheet is missing.
        """
        told = sheet_words(SHEET, TOOL)
        identity = torch.tensor(told.pop("identity"))
        photos = picture_urls(PHOTOS, TOOL)
        atlases = file_url(ATLASES, TOOL)
        return cls(told, *sheet_urls(SHEET), atlases, photos, pack_heads(identity))


def shown_photographs() -> Tensor:
    """The photographs (P, 3, 320, 320), sRGB, in [0, 1], of people who do not exist.

    Raises:
        ExplorerDataError: they are missing.
    """
    return pictures(PHOTOS, TOOL)


def atlas_box(size: int) -> list[float]:
    """Where the sheet's tile lies in the atlas: left, top, width and height, the atlas being 1."""
    rows, columns = face_box(size)
    left, top = (
        corner + SIDE * cut.start / size
        for corner, cut in zip(CORNER, (columns, rows), strict=True)
    )
    wide, high = (SIDE * (cut.stop - cut.start) / size for cut in (columns, rows))
    return [left, top, wide, high]


def pack_heads(identity: Tensor, model: MorphableModel | None = None) -> bytes:
    """The file of `visage.explore.face_basis.pack`: P heads at rest, as `head_arrays` makes them.

    Args:
        identity: (P, K), standard deviations.
        model: the subdivided one if None.
    """
    model = model or MorphableModel.load(1)
    return pack({"step": STEP}, head_arrays(model.vertices(identity), model))


def head_arrays(
    vertices: Tensor, model: MorphableModel, parts: Sequence[str] = PARTS
) -> dict[str, np.ndarray]:
    """What the page draws heads from.

    Args:
        vertices: (P, V, 3) mm, of P heads.
        model: whose vertices they are.
        parts: of the head.

    Returns:
        `positions` (P, 3, N) int16 in steps of `STEP`, of the vertices that `drawn_vertices` tells;
        and of the C corners, which are vertices with a place in the texture: `corner_vertices`
        (C,) uint16, `places` (C, 2) uint16 of 65535, and `triangles` (F, 3) uint16.
    """
    used = drawn_vertices(model, parts)
    kept = torch.cat([model.triangles[model.part_triangles[part]] for part in parts]).flatten()
    places = torch.cat([model.uv_triangles[model.part_triangles[part]] for part in parts])
    at = torch.stack([torch.searchsorted(used, kept), places.flatten()], 1)
    pairs, triangles = torch.unique(at, dim=0, return_inverse=True)
    return {
        "positions": (vertices[:, used].mT / STEP).round().short().numpy(),
        "corner_vertices": pairs[:, 0].numpy().astype(np.uint16),
        "places": (65535 * model.uv[pairs[:, 1]]).round().numpy().astype(np.uint16),
        "triangles": triangles.view(-1, 3).numpy().astype(np.uint16),
    }


def drawn_vertices(model: MorphableModel, parts: Sequence[str] = PARTS) -> Tensor:
    """The vertices (N,) of some parts of the head, in order."""
    return torch.unique(torch.cat([model.triangles[model.part_triangles[one]] for one in parts]))
