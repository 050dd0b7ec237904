"""Explorer: change a photograph of a face and see how far its embedding moves."""

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
from visage.photos.alignment import DLIB_CHIP
from visage.photos.corruption import surroundings
from visage.photos.reading import PhotoError, open_photo
from visage.recognition.encoder import Encoder, load_encoder


@dataclass(frozen=True)
class ExplorerFace:
    """A face that the explorer begins with.

    Attributes:
        name: caption in the page.
        surroundings: (1, 3, 300, 300) in [0, 1], from `surroundings`.
    """

    name: str
    surroundings: Tensor


class EmbeddingExplorer(anywidget.AnyWidget):
    """Sliders that blur, darken, move and cover a face, and the distance its embedding travels.

    In the built book the recogniser runs in the browser (onnxruntime-web), and a photograph that a
    reader chooses never leaves the page. In Jupyter and on Colab the kernel computes the embeddings
    with the very same network in torch.

    Args:
        faces: what to begin with; the first one is shown.
        histograms: counts of pair distances: `edges` (n + 1), `same` (n), `different` (n).
        encoder: the network; its threshold draws the line.
    """

    _esm = bundle("embedding_explorer.js")
    _css = stylesheet()

    faces = traitlets.List(traitlets.Dict()).tag(sync=True)
    histograms = traitlets.Dict().tag(sync=True)
    threshold = traitlets.Float().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        faces: Sequence[ExplorerFace],
        histograms: Mapping[str, Sequence[float]],
        encoder: Encoder | None = None,
    ):
        self._encoder = encoder or load_encoder()
        super().__init__(
            faces=[{"name": face.name, "image": _data_url(face.surroundings)} for face in faces],
            histograms={key: list(values) for key, values in histograms.items()},
            threshold=float(self._encoder.threshold),
        )
        self.on_msg(self._answer)

    def _answer(self, _widget: object, content: dict, buffers: list[memoryview]) -> None:
        """Answer the page: an embedding of a chip, or the face in a photograph."""
        reply = {"id": content.get("id")}
        try:
            if content["kind"] == "embed":
                size = DLIB_CHIP.size
                pixels = np.frombuffer(buffers[0], dtype=np.float32).reshape(1, 3, size, size)
                with torch.inference_mode():
                    embedding = self._encoder.embed(torch.from_numpy(pixels.copy()))
                self.send(reply, [embedding[0].numpy().tobytes()])
            elif content["kind"] == "face":
                image = surroundings(open_photo(bytes(buffers[0])), which="largest")
                self.send({**reply, "image": _data_url(image)})
        except PhotoError as error:
            self.send({**reply, "error": str(error)})


def _data_url(image: Tensor) -> str:
    """Encode (1, 3, H, W) as a JPEG data URL."""
    pixels = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=92)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
