"""What every recogniser offers, and how to load one.

An encoder maps an aligned crop of a face to a point, so that photographs of one person lie close
together. Part I inverts such an encoder, part III learns from its features, and every part measures
identity with one; all of them talk to the `Encoder` protocol and none to a particular network.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from visage.photos.alignment import Crop

# An optimisation may step a little outside [0, 1]; an image on 0..255 is far outside.
RANGE_LIMIT = 8.0


class EncoderInputError(ValueError):
    """The chips or feature names given to an encoder cannot be used."""


class UnknownEncoderError(ValueError):
    """No encoder has the name asked for."""


@runtime_checkable
class Encoder(Protocol):
    """A network that says who it is.

    Every encoder is an ``nn.Module`` in evaluation mode whose parameters need no gradient; its
    outputs are differentiable to the pixels, and it runs where its parameters are.

    Attributes:
        name: what `load_encoder` calls it.
        crop: the crop of a photograph that it was trained on.
        dim: length of an embedding.
        threshold: two crops nearer than this `distance` are taken for one person.
        feature_names: what `features` can return, from the image side to the embedding.
    """

    name: str
    crop: Crop
    dim: int
    threshold: float
    feature_names: tuple[str, ...]

    def embed(self, chips: Tensor) -> Tensor:
        """Embed chips (B, 3, S, S) in [0, 1], S the crop's size; returns (B, dim)."""
        ...

    def features(self, chips: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Named intermediate features of chips (B, 3, S, S), computed only as deep as needed."""
        ...

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Distance between embeddings (..., dim), broadcast; returns (...)."""
        ...


def _dlib_resnet() -> Encoder:
    return import_module("visage.recognition.dlib_resnet").DlibResNet.from_file()


def _facenet(training_set: str) -> Callable[[], Encoder]:
    def load() -> Encoder:
        return import_module("visage.recognition.facenet").FaceNet.from_download(training_set)

    return load


def _light_cnn() -> Encoder:
    return import_module("visage.recognition.light_cnn").LightCNNEncoder.from_checkpoint()


# Loaders, so that asking for one encoder imports no other's requirements.
ENCODERS: dict[str, Callable[[], Encoder]] = {
    "dlib_resnet": _dlib_resnet,
    "light_cnn": _light_cnn,
    "facenet_vggface2": _facenet("vggface2"),
    "facenet_casia_webface": _facenet("casia_webface"),
}


def load_encoder(name: str = "dlib_resnet") -> Encoder:
    """Load a recogniser by name, ready to use on the CPU.

    ``dlib_resnet`` (the default) comes with the installed packages, ``light_cnn`` with the book's
    checkpoints; the two ``facenet`` networks are downloaded when first asked for.

    Raises:
        UnknownEncoderError: there is no encoder of that name.

    >>> encoder = load_encoder()
    >>> encoder.embed(torch.full((2, 3, 150, 150), 0.5)).shape
    torch.Size([2, 128])
    """
    if name not in ENCODERS:
        raise UnknownEncoderError(
            f"there is no encoder called {name!r}; choose one of {', '.join(ENCODERS)}."
        )
    return ENCODERS[name]()


def embed_mirrored(encoder: Encoder, chips: Tensor) -> Tensor:
    """Mean of the embeddings of chips and of their mirror images.

    A face and its mirror image are one person, and the errors of the two embeddings are partly
    independent: their mean separates people better at twice the cost.

    Args:
        encoder: any `Encoder`.
        chips: (B, 3, S, S), in [0, 1].

    Returns:
        (B, dim), unchanged in scale; an encoder that normalises its embeddings gets them
        normalised again by its own `distance`.
    """
    return 0.5 * (encoder.embed(chips) + encoder.embed(chips.flip(-1)))


def check_chips(chips: Tensor, size: int) -> None:
    """Refuse what is no batch of square colour chips with finite values.

    Raises:
        EncoderInputError: wrong shape or type, NaN or infinity, or values on 0..255.
    """
    if not isinstance(chips, Tensor) or chips.ndim != 4 or chips.shape[1:] != (3, size, size):
        found = tuple(chips.shape) if isinstance(chips, Tensor) else type(chips).__name__
        raise EncoderInputError(
            f"chips are {found}, expected a tensor (B, 3, {size}, {size}); "
            "cut them with visage.photos.align and this encoder's crop."
        )
    if not chips.is_floating_point():
        raise EncoderInputError(
            f"chips are {chips.dtype}, expected floating point in [0, 1]; "
            "divide 8-bit values by 255."
        )
    if chips.numel() == 0:
        return
    low, high = torch.aminmax(chips.detach())
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        raise EncoderInputError(
            "chips contain NaN or infinity, expected values in [0, 1]; "
            "look for a division by zero or a diverged optimisation upstream."
        )
    if max(-float(low), float(high)) > RANGE_LIMIT:
        raise EncoderInputError(
            f"chips range from {float(low):.3g} to {float(high):.3g}, expected [0, 1]; "
            "divide 8-bit values by 255."
        )


def collect_features(
    stages: Iterator[tuple[str, Tensor]], names: Iterable[str], known: tuple[str, ...]
) -> dict[str, Tensor]:
    """Run a network's stages until every wanted feature is there.

    Args:
        stages: (name, value) one after the other, each computed when it is asked for.
        names: of the wanted features, in any order.
        known: all names that ``stages`` can give.

    Returns:
        The wanted features in network order.

    Raises:
        EncoderInputError: a name is not among ``known``, or a single string was given.
    """
    wanted = {names} if isinstance(names, str) else set(names)
    if isinstance(names, str) or not wanted <= set(known):
        raise EncoderInputError(
            f"features are asked for by {names!r}, expected a list of some of {', '.join(known)}."
        )
    found = {}
    while len(found) < len(wanted):
        name, value = next(stages)
        if name in wanted:
            found[name] = value
    return found
