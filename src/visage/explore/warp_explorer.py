"""Explorer: drag the landmarks of a face, and see the flow and the face move."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anywidget
import traitlets
from PIL import Image
from torch import Tensor

from visage.explore.javascript import bundle, stylesheet
from visage.faces.portraits import Detail
from visage.normalization.warp_examples import (
    Portraits,
    astronaut,
    mean_geometry,
    synthetic_portraits,
)

SIZE = 288
"""Pixels a side: as large as a phone shows them, and quick enough to follow a finger."""

_DETAIL = Detail(texture=512, strands=3000, supersample=2)
_PEOPLE = {"Somebody who does not exist": 12, "Somebody else who does not exist": 3}


@dataclass(frozen=True, eq=False)
class WarpFace:
    """A face that can be pulled at."""

    name: str
    image: Tensor  # (3, S, S), sRGB, in [0, 1]
    landmarks: Tensor  # (68, 2), pixels


class WarpExplorer(anywidget.AnyWidget):
    """Landmarks to drag, sliders towards the mean, a caricature or another face; φ_1 or φ_2.

    The page solves the spline's system and reads the picture itself: no kernel is needed.

    Args:
        faces: at least two, of one size, all in the frame of `visage.normalization.frame`.
        mean: (68, 2), pixels, from which caricatures go away.
    """

    _esm = bundle("warp_explorer.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "warp_explorer.css")

    faces = traitlets.List(traitlets.Dict()).tag(sync=True)
    mean = traitlets.List().tag(sync=True)
    size = traitlets.Int().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)  # face, other, exaggerate, towards, order, boundary

    def __init__(
        self,
        faces: Sequence[WarpFace],
        mean: Tensor,
        values: Mapping[str, object] | None = None,
    ):
        super().__init__(
            faces=[
                {"name": f.name, "image": _data_url(f.image), "landmarks": _rounded(f.landmarks)}
                for f in faces
            ],
            mean=_rounded(mean),
            size=faces[0].image.shape[-1],
            values=dict(values or {}),
        )

    @classmethod
    def standard(cls) -> WarpExplorer:
        """The explorer of the book: one portrait, and two people who do not exist."""
        drawn: Portraits = astronaut(SIZE) + synthetic_portraits(tuple(_PEOPLE.values()), size=SIZE)
        names = ("Eileen Collins, astronaut", *_PEOPLE)
        faces = map(WarpFace, names, drawn.images, drawn.landmarks)
        return cls(tuple(faces), mean_geometry(SIZE), {"exaggerate": 0.5})


def _rounded(points: Tensor) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in points.tolist()]


def _data_url(image: Tensor) -> str:
    """Encode (3, S, S) as a JPEG data URL."""
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
