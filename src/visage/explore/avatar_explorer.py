"""Explorer: heads fitted to normalized faces, to be turned, and what their colours are made of."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor

from visage.explore.face_basis import pack
from visage.explore.javascript import bundle, stylesheet
from visage.faces.shape import MorphableModel
from visage.normalization.avatar import (
    Avatars,
    draw_avatars,
    fine_model,
    head_camera,
    make_avatars,
    studio_light,
)
from visage.normalization.normal_people import NormalPeople, draw_normal_people

AVATARS = "avatars.bin"
PEOPLE = (3, 4, 7)
"""Of the test split: long hair, a moustache, grey hair; none of them is fitted."""

STEP = 0.01  # mm of a stored level
BASIS = (0.28209479, 0.48860251, 1.09254843, 0.31539157, 0.54627422)
"""Constants of the spherical harmonics up to order 2, as in `visage.faces.harmonics`."""

_PARTS = ("skin", "neck", "sockets", "eyes")  # what is behind closed lips is left out
_STILL = 320
_PORTRAIT = 128


class AvatarExplorer(anywidget.AnyWidget):
    """Turn a fitted head; see projected colours, confidence, basis, blend, or the shape alone.

    In the built book the page loads the heads from the book's own files and draws them with
    WebGL 2; in Jupyter and on Colab the kernel sends the same file.

    Args:
        portraits: the normalized faces, as data URLs.
        still: a data URL of what is shown until the heads are there, and where the browser cannot
            draw them.
        heads: the file, as `pack_avatars` makes it.
    """

    _esm = bundle("avatar_explorer.js")
    _css = stylesheet("explorer.css", "application_explorers.css")

    portraits = traitlets.List(traitlets.Unicode()).tag(sync=True)
    still = traitlets.Unicode().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)  # person, yaw (degrees), show, lit, spinning

    def __init__(self, portraits: list[str], still: str, heads: bytes):
        self._heads = heads
        super().__init__(portraits=portraits, still=still)
        self.on_msg(self._answer)

    @classmethod
    def standard(cls) -> AvatarExplorer:
        """The explorer of the book's three people."""
        people, avatars = standard_avatars()
        model = fine_model()
        still = draw_avatars(
            model, avatars.vertices[:1], avatars.texture.colours[:1], torch.zeros(1, 3), _STILL,
            lit=1.0,
        )  # fmt: skip
        portraits = [data_url(image, _PORTRAIT) for image in people.image]
        return cls(portraits, data_url(still[0], _STILL), pack_avatars(model, avatars))

    def _answer(self, _widget: object, content: dict, _buffers: list[memoryview]) -> None:
        """Send the page the file that the built book would have."""
        reply, name = {"id": content.get("id")}, content.get("name")
        if content.get("kind") != "asset" or name != AVATARS:
            self.send({**reply, "error": f"the notebook has no file {name!r}"})
            return
        self.send(reply, [self._heads])


@lru_cache(maxsize=1)
def standard_avatars() -> tuple[NormalPeople, Avatars]:
    """The book's three people, normalized, and their fitted heads."""
    model = fine_model()
    people = draw_normal_people(model, 0, PEOPLE)
    return people, make_avatars(people.image, people.landmarks, model=model)


def export_avatars(path: Path) -> None:
    """Write the heads of the book's three people, as the page loads them."""
    path.write_bytes(pack_avatars(fine_model(), standard_avatars()[1]))


def pack_avatars(model: MorphableModel, avatars: Avatars) -> bytes:
    """The file of `visage.explore.face_basis.pack`: P heads of N vertices.

    Returns:
        Its arrays are `positions` (P, 3, N) int16 in steps of `STEP`, `triangles` (F, 3) uint16,
        and in bytes of 255 the sRGB colours `projected` and `explained` (P, N, 3) and the
        `confidence` (P, N).
    """
    triangles = torch.cat([model.triangles[model.part_triangles[part]] for part in _PARTS])
    used, corners = torch.unique(triangles, return_inverse=True)
    texture = avatars.texture
    arrays = {
        "positions": (avatars.vertices[:, used].mT / STEP).round().short().numpy(),
        "triangles": corners.numpy().astype(np.uint16),
        "projected": _bytes(texture.projected[:, used]),
        "explained": _bytes(texture.explained[:, used]),
        "confidence": _bytes(texture.confidence[:, used]),
    }
    return pack({"step": STEP, **view_numbers()}, arrays)


def view_numbers() -> dict[str, list[float]]:
    """How `draw_avatars` looks at a head, in the page's numbers.

    Returns:
        `camera`: distance (mm), focal length over half the picture's side, and the shift (mm);
        `harmonics`: the nine coefficients of its white light, each times what it multiplies.
    """
    camera = head_camera(torch.zeros(1, 3), 2)
    light = studio_light(1)[0, :, 0].tolist()
    factors = [BASIS[0], *[BASIS[1] * 2 / 3] * 3, *[BASIS[2] / 4] * 5]
    factors[6], factors[8] = BASIS[3] / 4, BASIS[4] / 4
    shift = camera.translation[0].tolist()
    return {
        "camera": [camera.distance.item(), camera.focal.item(), *shift],
        "harmonics": [factor * level for factor, level in zip(factors, light, strict=True)],
    }


def _bytes(shares: Tensor) -> np.ndarray:
    return (255 * shares.clamp(0, 1)).round().byte().numpy()


def data_url(image: Tensor, size: int) -> str:
    """A picture (3, H, W) in [0, 1], resized to a square of `size` pixels, as a JPEG data URL."""
    pixels = (255 * image.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
