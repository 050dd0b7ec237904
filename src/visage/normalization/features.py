"""Identity features: what a recogniser knows of a face once it has stopped asking where.

Section 3.1 of Cole et al. (2017): not the embedding itself but the lowest layer that does not vary
over the picture, because it holds more. For FaceNet that is ``avgpool`` (1024 numbers there, 1792
in the network that can be had), for VGG-Face ``fc7`` (4096). dlib's network has ``pooled`` (256),
the mean over the last maps; the Light CNN, smaller still, only its embedding (256). The fully
connected layer from there to f numbers is trained, and belongs to the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from visage.normalization.errors import NormalizationError
from visage.recognition.encoder import Encoder, load_encoder

_TOGETHER = 64


class FeaturesError(NormalizationError):
    """Features that a recogniser does not have, or of another recogniser."""


@dataclass(frozen=True)
class Layer:
    """The layer of one recogniser that is decoded."""

    name: str  # as the recogniser's `features` calls it
    dim: int  # numbers
    mirrored: bool = True  # average those of the face and its mirror image: half of the noise less


LAYERS: dict[str, Layer] = {
    "dlib_resnet": Layer("pooled", 256),
    "light_cnn": Layer("embedding", 256),
    "facenet_vggface2": Layer("pooled", 1792),
    "facenet_casia_webface": Layer("pooled", 1792),
    "vgg_face": Layer("fc7", 4096, mirrored=False),  # 15 GFLOP a look
}
"""By the encoder's name."""


class IdentityFeatures(nn.Module):
    """A recogniser, seen as what feeds a decoder.

    Args:
        encoder: whose name is one of `LAYERS`.

    Raises:
        FeaturesError: it is not.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        if encoder.name not in LAYERS:
            raise FeaturesError(
                f"no layer is known for the encoder {encoder.name!r}; there are {', '.join(LAYERS)}"
            )
        self.encoder, self.layer = encoder, LAYERS[encoder.name]

    @property
    def dim(self) -> int:
        """How many numbers describe a face."""
        return self.layer.dim

    def forward(self, chips: Tensor) -> Tensor:
        """Features of chips.

        Args:
            chips: (B, 3, S, S) in [0, 1], cut with the encoder's crop.

        Returns:
            (B, dim), the mean over the chip and its mirror image where the layer says so.

        Raises:
            visage.recognition.encoder.EncoderInputError: the chips cannot be used.
        """
        found = self._side(chips)
        return 0.5 * (found + self._side(chips.flip(-1))) if self.layer.mirrored else found

    def _side(self, chips: Tensor) -> Tensor:
        return self.encoder.features(chips, [self.layer.name])[self.layer.name]

    @torch.no_grad()
    def of(self, chips: Tensor) -> Tensor:
        """Features (N, dim) of many chips (N, 3, S, S), in [0, 1] or uint8, some at a time."""
        found = []
        for some in chips.split(_TOGETHER):
            found.append(self(some.float() / 255 if some.dtype == torch.uint8 else some))
        return torch.cat(found) if found else chips.new_zeros(0, self.dim, dtype=torch.float32)

    def embedding(self, features: Tensor) -> Tensor:
        """The embedding (B, d) that belongs to features (B, dim), without the picture.

        dlib's is a linear map of them, so that the embedding of an average face is the average
        of embeddings; the Light CNN's and VGG-Face's are the features themselves.

        >>> features = load_features("dlib_resnet")
        >>> chips = torch.rand(1, 3, 150, 150)
        >>> both = features.encoder.embed(chips) + features.encoder.embed(chips.flip(-1))
        >>> torch.allclose(features.embedding(features(chips)), both / 2, atol=1e-5)
        True
        """
        if self.encoder.name == "dlib_resnet":
            return self.encoder.fc(features)
        if self.encoder.name.startswith("facenet"):
            network = self.encoder.network
            return nn.functional.normalize(network.last_bn(network.last_linear(features)))
        return features


def load_features(name: str = "dlib_resnet") -> IdentityFeatures:
    """Load a recogniser's features by its name.

    ``vgg_face`` has no weights that could be shipped or fetched: give a file of your own to
    `visage.normalization.vgg_face.VGGFace.from_file` and the result to `IdentityFeatures`.

    Raises:
        FeaturesError: there is no such recogniser, or it needs a file.
    """
    if name not in LAYERS:
        raise FeaturesError(f"there are no features {name!r}; choose one of {', '.join(LAYERS)}.")
    if name == "vgg_face":
        raise FeaturesError(
            "VGG-Face's weights are not shipped; load your own file with VGGFace.from_file(path)."
        )
    return IdentityFeatures(load_encoder(name))
