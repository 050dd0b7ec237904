"""How good generated faces are, beside what they were generated of and what they should be.

All measures are one number a face. Identity is judged by dlib's recogniser, which has seen
photographs only. It is no stranger to a generator that was trained with the perceptual loss, whose
maps are its first layers; where identity is the question, a recogniser that took no part in
anything answers as well (`JUDGES`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.nfgan.frame import check_faces, to_chips
from visage.nfgan.losses import perceptual_loss, pixel_loss
from visage.nfgan.networks import normalized
from visage.nfgan.pairs import Pairs, shown
from visage.nfgan.perceptual import PerceptualNetwork, load_perceptual
from visage.nfgan.symmetry import laplacian, symmetry_loss
from visage.recognition.encoder import Encoder, load_encoder

JUDGES = ("dlib_resnet", "light_cnn")
"""dlib's, and the Light CNN of `visage.recognition`, which no generator of this part has met."""

_TOGETHER = 64
_INNER = slice(12, 52)  # brows to chin and cheek to cheek: no hair, no background


@dataclass(frozen=True, eq=False)
class Sample:
    """N inputs, and the target of each, mirrored as it is; all in [0, 1]."""

    inputs: Tensor  # (N, 1, 64, 64)
    targets: Tensor  # (N, 1, 64, 64)
    person: Tensor  # (N,) int64

    def __len__(self) -> int:
        """N."""
        return len(self.inputs)

    @classmethod
    def of(cls, pairs: Pairs, each: int | None = None) -> Sample:
        """All pictures, or the first of each person's: `each` of them, where given."""
        rows = torch.arange(len(pairs))
        if each is not None:
            rows = rows[torch.cat([(pairs.person == p).nonzero()[:each, 0] for p in
                                   range(len(pairs.targets))])]  # fmt: skip
        return cls(shown(pairs.inputs[rows]), shown(pairs.targets_of(rows)), pairs.person[rows])


@dataclass(frozen=True, eq=False)
class Measures:
    """What `measure` says of N faces, (N,) each."""

    identity_distance: Tensor  # dlib's, to the input
    pixel_error: Tensor  # mean absolute difference to the target, grey levels of 1 (eq. 7)
    perceptual_error: Tensor  # eq. 2, to the target
    sharpness: Tensor  # Laplacian energy, in times of the target's
    symmetry_error: Tensor  # eq. 3

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Of the measures, in order."""
        return tuple(field.name for field in fields(cls))


def measure(
    outputs: Tensor,
    sample: Sample,
    input_embeddings: Tensor | None = None,
    output_embeddings: Tensor | None = None,
) -> Measures:
    """Measure generated faces.

    Args:
        outputs: (N, 1, 64, 64) in [0, 1], of the sample's inputs.
        sample: the N faces.
        input_embeddings: (N, D) of the inputs by `embedded`, where they are known.
        output_embeddings: (N, D) of the outputs, likewise.
    """
    known = embedded(sample.inputs) if input_embeddings is None else input_embeddings
    reached = embedded(outputs) if output_embeddings is None else output_embeddings
    return Measures(
        (reached - known).norm(dim=1),
        pixel_loss(outputs, sample.targets),
        perceptual_error(outputs, sample.targets),
        laplacian_energy(outputs) / laplacian_energy(sample.targets),
        symmetry_loss(outputs),
    )


def generate(network: nn.Module, sample: Sample) -> Tensor:
    """The network's faces (N, 1, 64, 64) of the sample's inputs."""
    return normalized(network, sample.inputs)


@lru_cache(maxsize=2)
def recogniser(judge: str = "dlib_resnet") -> Encoder:
    """A recogniser of `JUDGES`, loaded once."""
    return load_encoder(judge)


@torch.no_grad()
def embedded(faces: Tensor, judge: str = "dlib_resnet") -> Tensor:
    """Points (N, D) that are as far apart as a recogniser finds faces (N, 1, 64, 64) unlike.

    Of a face and its mirror image, averaged, so that a mirrored target is the same person. The
    Light CNN compares directions, hence unit vectors. About 12 ms a face.

    Args:
        faces: grey, in [0, 1].
        judge: one of `JUDGES`.
    """
    check_faces(faces)
    encoder = recogniser(judge)
    found = []
    for some in faces.split(_TOGETHER):
        # Mirrored before it becomes a chip, whose middle is not the face's.
        views = [encoder.embed(to_chips(view)) for view in (some, some.flip(-1))]
        found.append((views[0] + views[1]) / 2)
    points = torch.cat(found)
    return F.normalize(points) if judge == "light_cnn" else points


def identity_distance(inputs: Tensor, outputs: Tensor) -> Tensor:
    """Distance (N,) of dlib's embeddings of faces (N, 1, 64, 64) and (N, 1, 64, 64)."""
    return (embedded(inputs) - embedded(outputs)).norm(dim=1)


@torch.no_grad()
def perceptual_error(
    outputs: Tensor, targets: Tensor, network: PerceptualNetwork | None = None
) -> Tensor:
    """Eq. 2 (N,) by the maps of a network, dlib's fifth convolution if None."""
    network = network or _perceptual()
    return torch.cat(
        [
            perceptual_loss(network(a), network(b))
            for a, b in zip(outputs.split(_TOGETHER), targets.split(_TOGETHER), strict=True)
        ]
    )


@lru_cache(maxsize=1)
def _perceptual() -> PerceptualNetwork:
    return load_perceptual()


def laplacian_energy(faces: Tensor) -> Tensor:
    """Mean square of the five-point Laplacian (N,) of the inner face: what blur takes first.

    Chequerboards and noise count as sharp, too: a value above the target's is no praise.

    Args:
        faces: (N, 1, 64, 64).
    """
    check_faces(faces)
    return laplacian(faces[..., _INNER, _INNER]).square().mean((1, 2, 3))


def diversity(outputs: Tensor, targets: Tensor) -> float:
    """How much generated faces differ among each other, in times of how much their targets do.

    Root of the variance over the faces, mean over pixels; near 0 where a generator has collapsed
    to one face.

    Args:
        outputs: (N, 1, 64, 64), of different people.
        targets: (N, 1, 64, 64).
    """
    spread = [faces.var(0).mean().sqrt() for faces in (outputs, targets)]
    return float(spread[0] / spread[1])


def within_over_between(faces: Tensor, people: Tensor) -> float:
    """Variance of a person's faces over the variance of people's means; 0 if all are one face.

    Args:
        faces: (N, ...), or embeddings (N, D).
        people: (N,) int64.
    """
    flat = faces.flatten(1).double()
    groups = [flat[people == person] for person in people.unique()]
    within = torch.stack([group.var(0, correction=0).sum() for group in groups]).mean()
    between = torch.stack([group.mean(0) for group in groups]).var(0, correction=0).sum()
    return float(within / between)
