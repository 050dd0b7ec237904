"""The shipped networks that an avatar passes through, loaded once a process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from visage.avatar.errors import AvatarError
from visage.inversion.feedforward_reproduce import load_network
from visage.inversion.networks import FaceNetwork
from visage.nfgan.networks import Nfgan, load_nfgan
from visage.normalization.decoder import Decoder, load_decoder
from visage.normalization.features import IdentityFeatures
from visage.recognition.encoder import Encoder, load_encoder

_NAME = "dlib_resnet"


@dataclass(frozen=True, eq=False)
class Networks:
    """Those of the parts that see the face alone; parts IV and V load their own."""

    encoder: Encoder
    inversion: FaceNetwork
    features: IdentityFeatures
    decoder: Decoder
    generator: Nfgan

    @classmethod
    def load(cls, filters: int, decoder: str, encoder: Encoder | None = None) -> Networks:
        """The shipped ones.

        Args:
            filters: of the inversion network.
            decoder: of the normalized face, see `visage.normalization.decoder.load_decoder`.
            encoder: dlib's if None.

        Raises:
            AvatarError: the encoder is another than dlib's.
            visage.checkpoints.CheckpointError: weights are missing or damaged.
        """
        if encoder is not None and encoder.name != _NAME:
            raise AvatarError(
                f"the shipped networks invert and normalize embeddings of {_NAME}, not of "
                f"{encoder.name}; leave the encoder out"
            )
        return cls(encoder or _encoder(), *_shipped(filters, decoder))


@lru_cache(maxsize=1)
def _encoder() -> Encoder:
    return load_encoder(_NAME)


@lru_cache(maxsize=2)
def _shipped(filters: int, decoder: str) -> tuple[FaceNetwork, IdentityFeatures, Decoder, Nfgan]:
    features = IdentityFeatures(_encoder())
    return load_network(filters), features, load_decoder(decoder), load_nfgan()
