"""Explorer: the discriminator's view. Change a face, or guess against it which one is real."""

from __future__ import annotations

from collections.abc import Mapping

import anywidget
import torch
import traitlets
from torch import Tensor

from visage.explore.five_losses_explorer import weights_of
from visage.explore.javascript import bundle, stylesheet
from visage.explore.nfgan_faces import faces_of, pack_faces, shown_people
from visage.nfgan.family import load_family
from visage.nfgan.frame import SIZE
from visage.nfgan.networks import Discriminator, load_nfgan, normalized

NETWORK = "nfgan_discriminator.onnx"


class DiscriminatorExplorer(anywidget.AnyWidget):
    """The score and its patches move while the reader paints, blurs, mirrors and swaps.

    In the built book the discriminator runs in the browser (onnxruntime-web); in Jupyter and on
    Colab the kernel judges with the same network in torch.

    Args:
        real: (P, 1, 64, 64) in [0, 1], true normalized faces.
        forgeries: by who made them, (P, 1, 64, 64) in [0, 1], of the same people in order.
        discriminator: judges.
    """

    _esm = bundle("gan_game.js")
    _css = stylesheet("explorer.css", "nfgan_explorer.css")

    real = traitlets.Unicode().tag(sync=True)  # base64 of bytes
    forgers = traitlets.List(traitlets.Dict()).tag(sync=True)  # key, name, faces
    patches = traitlets.List(traitlets.Int()).tag(sync=True)  # rows and columns of an answer
    network = traitlets.Unicode(NETWORK).tag(sync=True)  # file name among the site's assets
    values = traitlets.Dict().tag(sync=True)  # person, source, and what is done to the face

    def __init__(self, real: Tensor, forgeries: Mapping[str, Tensor], discriminator: Discriminator):
        self._discriminator = discriminator
        with torch.inference_mode():
            answer = discriminator(torch.zeros(1, 1, SIZE, SIZE))
        super().__init__(
            real=pack_faces(real),
            forgers=[
                {"key": f"made-{number}", "name": name, "faces": pack_faces(faces)}
                for number, (name, faces) in enumerate(forgeries.items())
            ],
            patches=list(answer.shape[-2:]),
        )
        self.on_msg(self._answer)

    @classmethod
    def standard(cls) -> DiscriminatorExplorer:
        """The explorer of the book: held-out people, and what two generators make of them.

        Raises:
            CheckpointError: a network is missing.
            ExplorerDataError: the people are missing.
        """
        people, network = shown_people(), load_nfgan()
        return cls(people.targets, forgeries(network, people.inputs), network.discriminator)

    def _answer(self, _widget: object, content: dict, buffers: list[memoryview]) -> None:
        """Answer the page: logits of faces."""
        if content.get("kind") != "judge":
            return
        with torch.inference_mode():
            logits = self._discriminator(faces_of(buffers[0]))
        self.send({"id": content.get("id")}, [logits.contiguous().numpy().tobytes()])


def forgeries(network: torch.nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """What the shipped generator makes of pictures, and one that was told of pixels alone.

    Args:
        network: `visage.nfgan.networks.Nfgan`.
        inputs: (P, 1, 64, 64) in [0, 1].
    """
    family = load_family()
    with torch.inference_mode():
        blurred = family(inputs, torch.tensor([weights_of("x", family)] * len(inputs)))
    return {"all five losses": normalized(network, inputs), "pixels alone": blurred}
