"""Explorer: the feed-forward network of section 4.1, live between two people."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import anywidget
import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor

from visage.explore.inversion_data import inversion_json
from visage.explore.javascript import bundle, stylesheet
from visage.inversion.feedforward_reproduce import load_network
from visage.inversion.networks import FaceNetwork
from visage.recognition.encoder import Encoder, load_encoder

NETWORK = "inversion_network.onnx"
FILTERS = 50
"""Of the network that pages run, the largest of table 1."""


class InversionNetworkExplorer(anywidget.AnyWidget):
    """Walk the embedding from one person to another, exaggerate it, spoil it; see it painted.

    In the built book network and recogniser run in the browser (onnxruntime-web); in Jupyter and on
    Colab the kernel computes with the same networks in torch.

    Args:
        people: each with a "name", an "embedding" (dim numbers) and a "face" (a data URL).
        network: paints embeddings; its `input` knows their mean and spread.
        encoder: says who is in a picture; its threshold draws the line.
    """

    _esm = bundle("inversion_network.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css")

    people = traitlets.List(traitlets.Dict()).tag(sync=True)
    centre = traitlets.List(traitlets.Float()).tag(sync=True)
    spread = traitlets.Float().tag(sync=True)
    threshold = traitlets.Float().tag(sync=True)
    network = traitlets.Unicode(NETWORK).tag(sync=True)  # file name among the site's assets
    still = traitlets.Unicode().tag(sync=True)  # what is seen before anything is loaded
    values = traitlets.Dict().tag(sync=True)  # a, b, walk, scale, noise, seed, bits, mirror

    def __init__(
        self,
        people: Sequence[Mapping[str, object]],
        network: FaceNetwork,
        encoder: Encoder | None = None,
    ):
        self._network, self._encoder = network, encoder or load_encoder()
        first = torch.tensor(people[0]["embedding"], dtype=torch.float32)
        super().__init__(
            people=[dict(person) for person in people],
            centre=[round(float(value), 5) for value in network.input.centre],
            spread=float(network.input.spread),
            threshold=float(self._encoder.threshold),
            still=_data_url(self._painted(first)),
        )
        self.on_msg(self._answer)

    @classmethod
    def standard(cls) -> InversionNetworkExplorer:
        """The explorer of the book: eight test people and the shipped network of 50 filters.

        Raises:
            CheckpointError: the network is missing.
            ExplorerDataError: the people are missing.
        """
        return cls(inversion_json("people.json")["people"], load_network(FILTERS))

    @torch.inference_mode()
    def _painted(self, embedding: Tensor) -> Tensor:
        """The picture (3, S, S), uint8, of an embedding (dim,)."""
        return (255 * self._network(embedding[None])[0]).round().to(torch.uint8)

    def _answer(self, _widget: object, content: dict, buffers: list[memoryview]) -> None:
        """Answer the page: the picture of an embedding, or the embedding of a picture."""
        reply = {"id": content.get("id")}
        numbers = torch.from_numpy(np.frombuffer(buffers[0], dtype=np.float32).copy())
        if content.get("kind") == "paint":
            self.send(reply, [self._painted(numbers).numpy().tobytes()])
        elif content.get("kind") == "embed":
            size = self._encoder.crop.size
            with torch.inference_mode():
                embedding = self._encoder.embed(numbers.view(1, 3, size, size))
            self.send(reply, [embedding[0].numpy().tobytes()])


def _data_url(pixels: Tensor) -> str:
    """Encode (3, S, S), uint8, as a JPEG data URL."""
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    picture.save(buffer, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
