"""Explorer: a lamp over recovered geometry. Coarse, fine and true surfaces, relit in the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anywidget
import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor

from visage.explore.javascript import bundle, stylesheet

STEP = 0.005
"""mm of depth that the page tells apart: less than half a degree of a normal."""

_MOST_STEPS = 65_535


@dataclass(frozen=True, eq=False)
class ReliefFace:
    """One face and the surfaces that are known of it.

    Raises:
        ValueError: there is no surface called "coarse", or a shape does not fit.
    """

    name: str
    photo: Tensor  # (3, H, W), sRGB, in [0, 1]
    surfaces: Mapping[str, Tensor]  # by key, (H, W) mm, larger is farther; infinite where none is
    scale: float  # pixels a millimetre
    light: Tensor  # (4,), of the photograph: constant, x, y, z (eq. 8), linear
    names: Mapping[str, str] | None = None  # of the surfaces by key, in place of `NAMES`

    def __post_init__(self):
        size = tuple(self.photo.shape[1:])
        wrong = [key for key, depth in self.surfaces.items() if tuple(depth.shape) != size]
        if "coarse" not in self.surfaces or wrong:
            raise ValueError(
                f"surfaces are {', '.join(self.surfaces)} ({', '.join(wrong)} of another size than "
                f"the photograph's {size}); give one called coarse, and all of its size"
            )


NAMES = {"coarse": "CoarseNet", "fine": "FineNet", "true": "The truth"}
"""What the page calls each surface; others are called by their keys."""


class ReliefExplorer(anywidget.AnyWidget):
    """Surfaces under a lamp that the reader moves: clay, relit skin, normals, depth.

    All is computed in the page, with WebGL 2 where the browser has it; no kernel is needed.

    Args:
        faces: at least one.
        values: what to begin with: face, surface, look, detail, lampRight, lampUp, turn, nod.
    """

    _esm = bundle("relief.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "geometry_explorers.css")

    faces = traitlets.List(traitlets.Dict()).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)

    def __init__(self, faces: Sequence[ReliefFace], values: Mapping[str, object] | None = None):
        super().__init__(faces=[packed(face) for face in faces], values=dict(values or {}))

    @classmethod
    def standard(cls) -> ReliefExplorer:
        """The explorer of the book: tracked test people, and what the shipped networks recover.

        Raises:
            ExplorerDataError: the people are missing.
        """
        from visage.explore.relief_faces import relief_faces

        return cls(relief_faces())


def packed(face: ReliefFace, margin: int = 6) -> dict:
    """A face as the page takes it, cut to where there is a surface.

    Returns:
        name, width, height, pitch (mm a pixel), light, step, photo and maps (data URLs), and
        surfaces (key and name of each, in the order in which `maps` has them below one another:
        red and green hold 1 + depth in steps, nearest last; 0 is no surface).
    """
    names = face.names or NAMES
    inside = torch.stack([depth.isfinite() for depth in face.surfaces.values()]).any(0)
    rows, columns = (inside.any(dim).nonzero().flatten() for dim in (1, 0))
    height, width = inside.shape
    top, left = max(0, int(rows[0]) - margin), max(0, int(columns[0]) - margin)
    bottom, right = (
        min(height, int(rows[-1]) + margin + 1),
        min(width, int(columns[-1]) + margin + 1),
    )
    window = slice(top, bottom), slice(left, right)
    maps = torch.cat([_steps(depth[window]) for depth in face.surfaces.values()])
    colours = torch.stack([maps // 256, maps % 256, torch.zeros_like(maps)], -1).to(torch.uint8)
    return {
        "name": face.name,
        "width": window[1].stop - window[1].start,
        "height": window[0].stop - window[0].start,
        "pitch": 1 / face.scale,
        "light": [round(value, 5) for value in face.light.tolist()],
        "step": STEP,
        "photo": _url(_bytes(face.photo[:, *window]), quality=88),
        "maps": _url(colours.numpy(), lossless=True, quality=60),
        "surfaces": [{"key": key, "name": names.get(key, key)} for key in face.surfaces],
    }


def _around(places: Tensor, size: int, margin: int) -> slice:
    """From the first of some places to the last, and a little more."""
    return slice(max(0, int(places[0]) - margin), min(size, int(places[-1]) + margin + 1))


def _steps(depth: Tensor) -> Tensor:
    """Heights in steps above the farthest point, from 1; 0 where there is no surface."""
    inside = depth.isfinite()
    farthest = depth[inside].amax() if inside.any() else depth.new_zeros(())
    steps = ((farthest - depth.masked_fill(~inside, 0)) / STEP).round().clamp(0, _MOST_STEPS - 1)
    return (steps.long() + 1).masked_fill(~inside, 0)


def _bytes(image: Tensor) -> np.ndarray:
    return (255 * image.clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _url(pixels: np.ndarray, **options: object) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", method=4, exact=True, **options)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
