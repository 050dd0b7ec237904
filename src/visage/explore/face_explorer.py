"""Explorer: a synthetic head, live, with every number that makes its picture."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import anywidget
import torch
import traitlets
from PIL import Image
from torch import Tensor

from visage.explore.assets import ASSETS
from visage.explore.face_people import LOOKS, START, STYLES, people
from visage.explore.face_scene import face_camera, preset_light
from visage.explore.javascript import bundle, stylesheet
from visage.faces.hair import Hair, grow
from visage.faces.reflectance import decode_srgb
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.skin import sample_skin, skin_maps

BASIS = "face_basis.bin"
STILL_SIZE = 512


class FaceExplorer(anywidget.AnyWidget):
    """Sliders for identity, expression, pose, light and skin of the morphable head.

    In the built book the page loads the model from the book's own files and draws it with WebGL 2.
    In Jupyter and on Colab the kernel sends the same file; what the reader sets is then in the
    traits below, as the library takes it.

    Args:
        still: a data URL of the picture that stands in until the head is loaded, and where the
            browser cannot draw it; None is drawn by the library.
    """

    _esm = bundle("face_explorer.js")
    _css = stylesheet("explorer.css", "face_explorer.css")

    still = traitlets.Unicode().tag(sync=True)
    identity = traitlets.List(traitlets.Float(), [0.0] * 80).tag(sync=True)  # α, for `vertices`
    expression = traitlets.Dict().tag(sync=True)  # for `MorphableModel.expression_weights`
    pose = traitlets.List(traitlets.Float(), [0.0] * 3).tag(sync=True)  # pitch, yaw, roll, radians
    light = traitlets.Dict().tag(sync=True)  # the fields of `visage.faces.light.Light`, one light
    skin = traitlets.Dict().tag(sync=True)  # melanin, haemoglobin, freckles, ... in [0, 1]
    view = traitlets.Unicode("shaded").tag(sync=True)

    def __init__(self, still: str | None = None):
        super().__init__(still=still_picture() if still is None else still)
        self.on_msg(self._answer)

    def _answer(self, _widget: object, content: dict, buffers: list[memoryview]) -> None:
        """Send the page a file that the built book would have."""
        reply = {"id": content.get("id")}
        name = content.get("name")
        if content.get("kind") != "asset" or name != BASIS:
            self.send({**reply, "error": f"the notebook has no file {name!r}"})
            return
        self.send(reply, [asset_bytes(name)])


def face_explorer() -> FaceExplorer:
    """The explorer, ready to be shown by a chapter's cell."""
    return FaceExplorer()


@lru_cache(maxsize=2)
def asset_bytes(name: str) -> bytes:
    """A file of `visage.explore.assets`, made here and kept in memory."""
    make: Callable[[Path], None] = ASSETS[name]
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        make(path)
        return path.read_bytes()


@lru_cache(maxsize=1)
def still_picture(size: int = STILL_SIZE) -> str:
    """What the page shows first, drawn by the library, as a JPEG data URL."""
    model = MorphableModel.load()
    drawn = people(model)
    identity = torch.from_numpy(drawn["people"][START : START + 1] / 4096).float()
    looks = dict(zip(LOOKS, drawn["people_looks"][START] / 255, strict=True))
    style = STYLES[drawn["people_hair"][START, 0]]
    skin = replace(
        sample_skin(model.read(identity), torch.tensor([START])),
        **{name: torch.tensor([float(looks[name])]) for name in LOOKS[:3]},
        iris_melanin=torch.tensor([float(looks["iris"])]),
    )
    hair = Hair(style=style, eumelanin=0.08 * 40 ** looks["hair"], pheomelanin=1.1 * looks["red"])
    scene = Scene(
        identity,
        torch.zeros(1, 52),
        face_camera(torch.zeros(1, 3), size),
        preset_light("studio"),
        maps=skin_maps(model, skin, 512 if size > 256 else 128),
        strands=[grow(model, hair, model.vertices(identity), count=24 * size)],
        background=_backdrop(size),
    )
    image = render(model, scene, supersample=2).image[0]
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=86)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _backdrop(size: int) -> Tensor:
    """(1, 3, size, size) linear: a grey wall, lighter behind the head, as the page has it."""
    side = torch.linspace(-1, 1, size)
    far = torch.hypot(0.75 * side[None], 0.7 * side[:, None] + 0.12)
    t = (far / 1.15).clamp(0, 1)
    level = 0.80 - 0.28 * t * t * (3 - 2 * t)
    return decode_srgb(level.expand(1, 3, -1, -1)).contiguous()
