"""Explorer: the decoder of Cole et al. (2017), live: features to texture, landmarks and face."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor

from visage.explore.inversion_data import ExplorerDataError
from visage.explore.javascript import bundle, stylesheet
from visage.normalization.decoder import Decoder, load_decoder

NETWORK = "normalized_face.onnx"
WORLD = "synthetic"
"""Of the decoder that pages run: nobody's likeness is in it."""
PEOPLE = Path(__file__).parent / "normalization" / "people.json"


class NormalizedFaceExplorer(anywidget.AnyWidget):
    """Walk from one person's features to another's, go along their main directions, see the parts.

    In the built book the decoder runs in the browser (onnxruntime-web), up to texture and
    landmarks; the warp is JavaScript in either case. In Jupyter and on Colab the kernel decodes.

    Args:
        people: each with a "name", "features" (F numbers) and a "face" (a data URL).
        directions: each with a "name", a unit "vector" (F numbers) and a "spread".
        decoder: decodes features.
    """

    _esm = bundle("normalized_face.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css")

    people = traitlets.List(traitlets.Dict()).tag(sync=True)
    directions = traitlets.List(traitlets.Dict()).tag(sync=True)
    mean = traitlets.List().tag(sync=True)  # (68, 2), the texture's landmarks
    size = traitlets.Int().tag(sync=True)  # pixels a side
    network = traitlets.Unicode(NETWORK).tag(sync=True)  # file name among the site's assets
    still = traitlets.Unicode().tag(sync=True)  # what is seen before anything is loaded
    values = traitlets.Dict().tag(sync=True)  # a, b, walk, steps

    def __init__(
        self,
        people: Sequence[Mapping[str, object]],
        directions: Sequence[Mapping[str, object]],
        decoder: Decoder,
    ):
        self._decoder = decoder
        first = torch.tensor([people[0]["features"]], dtype=torch.float32)
        with torch.inference_mode():
            still = decoder(first).image[0]
        super().__init__(
            people=[dict(person) for person in people],
            directions=[dict(direction) for direction in directions],
            mean=[[round(value, 4) for value in point] for point in decoder.mean.tolist()],
            size=decoder.config.size,
            still=_data_url(still),
        )
        self.on_msg(self._answer)

    @classmethod
    def standard(cls) -> NormalizedFaceExplorer:
        """The explorer of the book: eight test people and the shipped decoder.

        Raises:
            CheckpointError: the decoder is missing.
            ExplorerDataError: the people are missing.
        """
        known = people_and_directions()
        return cls(known["people"], known["directions"], load_decoder(WORLD))

    def _answer(self, _widget: object, content: dict, buffers: list[memoryview]) -> None:
        """Answer the page: texture and landmarks of features."""
        if content.get("kind") != "decode":
            return
        features = torch.from_numpy(np.frombuffer(buffers[0], dtype=np.float32).copy())
        with torch.inference_mode():
            found = self._decoder(features[None], rendered=0)
        parts = [found.texture[0].numpy().tobytes(), found.landmarks[0].numpy().tobytes()]
        self.send({"id": content.get("id")}, parts)


def people_and_directions() -> dict:
    """What `tools/build_normalized_faces.py` made: {"people": [...], "directions": [...]}.

    Raises:
        ExplorerDataError: it is not there.
    """
    if not PEOPLE.is_file():
        raise ExplorerDataError(
            "src/visage/explore/normalization/people.json is missing; check it out again, or make "
            "it in a working copy with python -m tools.build_normalized_faces."
        )
    return json.loads(PEOPLE.read_text(encoding="utf-8"))


def _data_url(picture: Tensor) -> str:
    """Encode (3, S, S) in [0, 1] as a JPEG data URL."""
    pixels = (255 * picture.clamp(0, 1)).round().to(torch.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(
        buffer, format="JPEG", quality=90
    )
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
