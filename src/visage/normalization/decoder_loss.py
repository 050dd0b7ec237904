"""What a decoder is trained for: the sum of section 3.3, the identity term late and gently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor, nn

from visage.normalization.decoder import Decoded, DecoderError
from visage.normalization.features import IdentityFeatures
from visage.normalization.losses import (
    chip_similarity,
    chips_of,
    identity_error,
    landmark_error,
    texture_error,
)
from visage.photos.jitter import Jitter


@dataclass(frozen=True)
class LossConfig:
    """Weights, and when and how the recogniser looks."""

    landmarks: float = 1.0  # the paper's, in squared pixels of its crop
    texture: float = 100.0  # the paper's, in [0, 1]
    identity: float = 10.0  # the paper's; 0 leaves it out (figs. 11 and 12)
    identity_from: int = 8_000  # examples before it counts at all: first there must be a face
    identity_full: int = 20_000  # examples from which it counts fully
    seen: int = 8  # faces of a batch that the recogniser sees: it costs as much as the decoder
    jitter: Jitter | None = field(default_factory=Jitter)  # else it draws grain for one place
    half: bool = True  # the recogniser in bfloat16: twice as fast, and no distance differs

    def __post_init__(self) -> None:
        if min(self.landmarks, self.texture, self.identity) < 0:
            raise DecoderError("weights of losses are 0 or more.")
        if not 0 <= self.identity_from <= self.identity_full:
            raise DecoderError("the identity loss begins before it is full.")

    def identity_weight(self, item: int) -> float:
        """The weight after so many examples.

        >>> config = LossConfig(identity=10.0, identity_from=100, identity_full=300)
        >>> [config.identity_weight(item) for item in (0, 100, 200, 300, 999)]
        [0.0, 0.0, 5.0, 10.0, 10.0]
        """
        if item < self.identity_from or self.identity == 0:
            return 0.0
        length = max(1, self.identity_full - self.identity_from)
        return self.identity * min(1.0, (item - self.identity_from) / length)


class DecoderLoss:
    """The loss of a batch of `ExampleStream`, for `visage.training.Recipe`.

    Args:
        features: makes the recogniser, once it is needed.
        config: weights.
    """

    def __init__(self, features: Callable[[], IdentityFeatures], config: LossConfig):
        self.features, self.config = features, config

    def __call__(
        self, decoder: nn.Module, batch: dict[str, Tensor], generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss and its terms."""
        weight = self.config.identity_weight(int(batch["item"].min()))
        found = decoder(batch["features"], self.config.seen if weight else 0)
        size = found.texture.shape[-1]
        # Where nobody knows the normal face, only the recogniser has something to say.
        share = batch["known"].float() / batch["known"].sum().clamp(min=1)
        terms = {
            "landmarks": landmark_error(found.landmarks, batch["landmarks"], size) @ share,
            "texture": texture_error(found.texture, batch["texture"]) @ share,
        }
        loss = self.config.landmarks * terms["landmarks"] + self.config.texture * terms["texture"]
        if weight:
            error, terms["distance"] = self._identity(decoder, found, batch["features"], generator)
            terms["identity"] = error
            loss = loss + weight * error
        return loss, terms

    def _identity(
        self, decoder: nn.Module, found: Decoded, features: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Minus the centred cosine, and the distance, of the faces that were rendered."""
        recogniser = self.features().to(features.device)
        encoder, faces = recogniser.encoder, found.image
        moves = None
        if self.config.jitter is not None:
            seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
            moves = self.config.jitter.draws(list(range(seed, seed + len(faces))), 0)
        similarity = chip_similarity(decoder.mean.float(), encoder.crop)
        chips = chips_of(faces, similarity, encoder.crop.size, moves)
        with torch.autocast(chips.device.type, torch.bfloat16, enabled=self.config.half):
            reached = encoder.embed(chips)
        reached = reached.float()
        with torch.no_grad():
            wanted = recogniser.embedding(decoder.code.expected(features[: len(faces)]))
            centre = recogniser.embedding(decoder.code.centre[None])[0]
            own = recogniser.embedding(features[: len(faces)])
            distance = encoder.distance(reached, own).mean()
        return identity_error(reached, wanted, centre).mean(), distance
