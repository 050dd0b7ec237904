"""From a photograph to a normalized face, in one call."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from visage.normalization.decoder import Decoded, Decoder, load_decoder
from visage.normalization.features import IdentityFeatures, load_features
from visage.photos.alignment import align
from visage.photos.landmarks import find_face
from visage.photos.reading import PhotoSource, open_photo


@torch.no_grad()
def normalize(
    photo: PhotoSource | Tensor,
    decoder: Decoder | None = None,
    features: IdentityFeatures | None = None,
    *,
    which: str | int = "largest",
) -> Decoded:
    """The frontal, evenly lit face at rest of whoever is in a photograph.

    Args:
        photo: a path, bytes, an array, or a tensor (1, 3, H, W) in [0, 1].
        decoder: the shipped one of synthetic people if None; `load_decoder("lfw")` has seen more
            of the world.
        features: of the recogniser that the decoder was trained with; dlib's if None.
        which: face, where there are several; see `visage.photos.landmarks.find_face`.

    Returns:
        image, texture (1, 3, S, S) and landmarks (1, 68, 2).

    Raises:
        PhotoError: the file cannot be read, or there is no face.
    """
    image = photo if isinstance(photo, Tensor) else open_photo(photo)
    features = features or _features()
    chip = align(image, find_face(image, which=which).landmarks, features.encoder.crop)
    return (decoder or _decoder())(features(chip.clamp(0, 1)))


@lru_cache(maxsize=1)
def _decoder() -> Decoder:
    return load_decoder()


@lru_cache(maxsize=1)
def _features() -> IdentityFeatures:
    return load_features()
