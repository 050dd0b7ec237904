"""Explorer: five losses pull on one face. Weigh them, and see what their generator makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import anywidget
import torch
import traitlets
from torch import Tensor

from visage.explore.javascript import bundle, stylesheet
from visage.explore.nfgan_faces import (
    ShownPeople,
    SubsetFaces,
    faces_of,
    numbers_of,
    pack_faces,
    shown_people,
    subset_faces,
)
from visage.nfgan.algorithm import Auxiliaries, load_auxiliaries, terms
from visage.nfgan.family import LossFamily, load_family
from visage.nfgan.losses import LETTERS, TERMS
from visage.nfgan.networks import Discriminator, load_nfgan

NETWORKS = ("nfgan_family.onnx", "nfgan_terms.onnx")
PEOPLE = 8

WORDS = {
    "perceptual": "eq. 2: maps of a recogniser, as the truth’s",
    "symmetry": "eq. 3: the left half as the right",
    "adversarial": "eq. 5: taken for real",
    "identity": "eq. 6: the same person as the picture",
    "pixel": "eq. 7: every level as the truth’s",
}
"""What each loss asks for, in a line."""


@dataclass(frozen=True)
class Preset:
    """A weighting with a name."""

    name: str
    letters: str  # of the losses that are on, as `visage.nfgan.losses.LETTERS` has them
    what: str  # to look for


PRESETS = (
    Preset("All five", LETTERS, "Weighed as for the shipped generator. The ticks are theirs."),
    Preset("Pixels alone", "x", "A plain autoencoder: the safe answer is the mean of all faces "
           "that could be meant, and a mean is blurred."),
    Preset("Features alone", "p", "What a recogniser’s early maps do not see is left to chance."),
    Preset("No adversary", "psix", "Nobody asks whether the result looks like a face at all."),
    Preset("No identity", "psax", "A fine face. Whose?"),
    Preset("No features", "saix", "The paper could not keep the game from collapsing without "
           "them."),
    Preset("Symmetry alone", "s", "Any symmetric picture will do, and the flattest is easiest."),
    Preset("Identity alone", "i", "Only to be the same person to a small recogniser, which does "
           "not need a face for that."),
    Preset("Adversary alone", "a", "Only to look real: nothing ties the result to the picture, and "
           "the encoder learns nothing."),
)  # fmt: skip


def weights_of(letters: str, family: LossFamily) -> list[float]:
    """Five weights in the order of `TERMS`: the middle ones of some losses, 0 of the others.

    Args:
        letters: of `visage.nfgan.losses.LETTERS`.
        family: knows the middle of its weights.
    """
    ranges = family.ranges()
    return [
        ranges[name][1] if letter in letters else 0.0
        for letter, name in zip(LETTERS, TERMS, strict=True)
    ]


class LossFamilyExplorer(anywidget.AnyWidget):
    """Five sliders, the outcome on several people, each loss's value, and how they trade.

    In the built book the family of generators and the networks that judge it run in the browser
    (onnxruntime-web); in Jupyter and on Colab the kernel runs them in torch.

    Args:
        people: whose pictures go in.
        family: generates.
        judge: says what each loss is.
        subsets: what generators made of the same people that were trained with some of the losses.
    """

    _esm = bundle("five_losses.js")
    _css = stylesheet("explorer.css", "nfgan_explorer.css")

    inputs = traitlets.Unicode().tag(sync=True)  # base64 of bytes
    targets = traitlets.Unicode().tag(sync=True)
    terms = traitlets.List(traitlets.Dict()).tag(sync=True)  # key, name, what, low, high, range
    presets = traitlets.List(traitlets.Dict()).tag(sync=True)  # name, what, weights
    letters = traitlets.Unicode(LETTERS).tag(sync=True)  # one a term
    subsets = traitlets.List(traitlets.Dict()).tag(sync=True)  # letters, values
    subset_sheet = traitlets.Unicode().tag(sync=True)  # data URL: a row a subset
    networks = traitlets.List(traitlets.Unicode(), list(NETWORKS)).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)  # person, weights, mode

    def __init__(
        self,
        people: ShownPeople,
        family: LossFamily,
        judge: FiveLosses,
        subsets: SubsetFaces | None = None,
    ):
        self._family, self._judge = family, judge
        spans = self._spans(people, subsets)
        super().__init__(
            subsets=list(subsets.subsets) if subsets else [],
            subset_sheet=subsets.sheet if subsets else "",
            inputs=pack_faces(people.inputs),
            targets=pack_faces(people.targets),
            terms=[
                {"key": name, "name": name.capitalize(), "what": WORDS[name]}
                | {"low": low, "high": high, "range": spans[name]}
                for name, (low, _, high) in family.ranges().items()
            ],
            presets=[
                {"name": one.name, "what": one.what, "weights": weights_of(one.letters, family)}
                for one in PRESETS
            ],
        )
        self.on_msg(self._answer)

    @classmethod
    def standard(cls) -> LossFamilyExplorer:
        """The explorer of the book: eight held-out people and the shipped family.

        Raises:
            CheckpointError: a network is missing.
            ExplorerDataError: the people are missing.
        """
        people = shown_people().first(PEOPLE)
        return cls(people, load_family(), load_judge(), subset_faces())

    @torch.inference_mode()
    def _spans(self, people: ShownPeople, subsets: SubsetFaces | None) -> Mapping[str, list[float]]:
        """From where to where each loss goes over networks and people: a gauge's ends."""
        found = [torch.tensor(one["values"]) for one in (subsets.subsets if subsets else ())]
        for preset in PRESETS:
            weights = torch.tensor([weights_of(preset.letters, self._family)] * len(people))
            faces = self._family(people.inputs, weights)
            found.append(self._judge(people.inputs, faces, people.targets))
        values = torch.cat(found).clamp(min=1e-6)
        ends = zip(TERMS, values.amin(0).tolist(), values.amax(0).tolist(), strict=True)
        return {name: [0.7 * low, 1.1 * high] for name, low, high in ends}

    def _answer(self, _widget: object, content: dict, buffers: list[memoryview]) -> None:
        """Answer the page: faces of pictures, or the five losses of a face."""
        with torch.inference_mode():
            if content.get("kind") == "generate":
                faces, weights = faces_of(buffers[0]), numbers_of(buffers[1])
                found = self._family(faces, weights.expand(len(faces), -1))
            elif content.get("kind") == "judge":
                found = self._judge(*map(faces_of, buffers))
            else:
                return
        self.send({"id": content.get("id")}, [found.contiguous().numpy().tobytes()])


class FiveLosses(torch.nn.Module):
    """All five losses of a face, unweighted, by judges that stay the same whatever the weights.

    The adversary is the shipped one: the family learned from another for each weighting, whose
    answers could not be compared.

    Args:
        discriminator: of `visage.nfgan.networks.Nfgan`.
        auxiliaries: the two networks that losses look through.
    """

    def __init__(self, discriminator: Discriminator, auxiliaries: Auxiliaries):
        super().__init__()
        self.discriminator = discriminator
        self.perceptual, self.identity = auxiliaries.perceptual, auxiliaries.identity

    def forward(self, faces: Tensor, generated: Tensor, targets: Tensor) -> Tensor:
        """Inputs, generated faces and targets (B, 1, 64, 64) to (B, 5), as `TERMS`."""
        networks = Auxiliaries(self.perceptual, self.identity)
        found = terms(generated, faces, targets, self.discriminator, networks)
        return torch.stack([found[name] for name in TERMS], 1)


def load_judge() -> FiveLosses:
    """The shipped discriminator and the networks that losses look through.

    Raises:
        CheckpointError: a network is missing.
    """
    return FiveLosses(load_nfgan().discriminator, load_auxiliaries())
