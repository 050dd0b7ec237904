"""Explorer: figure 7 of Liu et al. (2018), the way from z of a picture to z of its normal face."""

from __future__ import annotations

from collections.abc import Sequence

import anywidget
import torch
import traitlets
from torch import Tensor

from visage.explore.javascript import bundle, stylesheet
from visage.explore.nfgan_faces import faces_of, numbers_of, pack_faces, shown_people
from visage.nfgan.networks import Nfgan, load_nfgan

NETWORKS = ("nfgan_encoder.onnx", "nfgan_decoder.onnx")
PEOPLE = 8


class TraversalExplorer(anywidget.AnyWidget):
    """Walk from a picture's code to that of its own normalized face, or of another picture.

    In the built book encoder and decoder run in the browser (onnxruntime-web); in Jupyter and on
    Colab the kernel runs them in torch.

    Args:
        inputs: (P, 1, 64, 64) in [0, 1], pictures to walk from and to.
        names: of the pictures, P.
        network: encodes and decodes.
    """

    _esm = bundle("traversal.js")
    _css = stylesheet("explorer.css", "nfgan_explorer.css")

    inputs = traitlets.Unicode().tag(sync=True)  # base64 of bytes
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    networks = traitlets.List(traitlets.Unicode(), list(NETWORKS)).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)  # a, b, target, place

    def __init__(self, inputs: Tensor, names: Sequence[str], network: Nfgan):
        self._network = network
        super().__init__(inputs=pack_faces(inputs), names=list(names))
        self.on_msg(self._answer)

    @classmethod
    def standard(cls) -> TraversalExplorer:
        """The explorer of the book: eight held-out people and the shipped network.

        Raises:
            CheckpointError: the network is missing.
            ExplorerDataError: the people are missing.
        """
        people = shown_people().first(PEOPLE)
        return cls(people.inputs, people.names, load_nfgan())

    def _answer(self, _widget: object, content: dict, buffers: list[memoryview]) -> None:
        """Answer the page: codes of faces, or faces of codes."""
        with torch.inference_mode():
            if content.get("kind") == "encode":
                found = self._network.encoder(faces_of(buffers[0]))
            elif content.get("kind") == "decode":
                codes = numbers_of(buffers[0]).view(-1, self._network.config.latent)
                found = self._network.decoder(codes)
            else:
                return
        self.send({"id": content.get("id")}, [found.contiguous().numpy().tobytes()])
