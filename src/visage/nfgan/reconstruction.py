"""A decoder that draws the input again from z: a look at what else the code holds.

Section 5.5 traverses from z of a face to z̃ of its normalized face and shows faces that morph from
one to the other. The decoder of table 2 cannot draw such a way: whatever the code, it draws frontal
faces at rest. This one has the same layers, learns nothing but to repeat the encoder's input, and
leaves the encoder as it is. What of pose, light and expression it can draw is what z remembers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from visage.checkpoints import Card
from visage.nfgan.errors import NfganError
from visage.nfgan.losses import pixel_loss
from visage.nfgan.networks import Decoder, Nfgan, NfganConfig
from visage.nfgan.pairs import Pairs, shown
from visage.photos.downloads import cache_folder
from visage.training import Recipe, Trained, TrainingConfig, train

TRAINING = TrainingConfig(
    steps=2000,
    batch_size=32,
    learning_rate=2e-3,
    warmup=50,
    final_learning_rate=0.02,
    weight_decay=0.0,
    gradient_clip=10.0,
    ema=0.99,
    precision="bf16-mixed",
    checkpoint_every=200,
)

_WIDTH = 0.5  # of the decoder's layers: codes are to be read here, not faces to be sold
_TOGETHER = 256


class CodeStream:
    """Codes and the inputs that they are of, at random, for `visage.training`.

    Args:
        seed: item i depends on (seed, i) only.
        inputs: (N, 1, 64, 64) uint8.
        codes: (N, D), z of each.
    """

    def __init__(self, seed: int, inputs: Tensor, codes: Tensor):
        self.seed, self.inputs, self.codes = seed, inputs, codes

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Codes (B, D) and inputs (B, 1, 64, 64) in [0, 1]."""
        generator = torch.Generator()
        rows = torch.cat(
            [
                torch.randint(
                    len(self.codes), (1,), generator=generator.manual_seed(self.seed + 2**20 * i)
                )
                for i in indices
            ]
        )
        return {"codes": self.codes[rows], "inputs": shown(self.inputs[rows])}


@torch.no_grad()
def codes_of(network: Nfgan, inputs: Tensor) -> Tensor:
    """Z (N, D) of faces (N, 1, 64, 64) uint8."""
    return torch.cat([network.encoder(shown(some)) for some in inputs.split(_TOGETHER)])


def reconstructing_decoder(
    network: Nfgan, pairs: Pairs, steps: int | None = None, *, folder: Path | None = None
) -> Decoder:
    """Train a decoder to repeat the inputs of a network; about two minutes, remembered.

    Args:
        network: whose encoder it reads, in evaluation mode; it does not change.
        pairs: whose inputs it learns from.
        steps: of training, `TRAINING`'s if None.
        folder: of the cache, `cache_folder()` if None.
    """
    codes = codes_of(network, pairs.inputs)
    config = TRAINING if steps is None else replace(TRAINING, steps=steps, warmup=1)
    # Another encoder has other codes, and a decoder of its own.
    key = hashlib.sha256(codes[:8].numpy().tobytes() + bytes(f"{len(codes)} {config}", "utf-8"))
    name = f"nfgan_reconstruction_{key.hexdigest()[:12]}"
    recipe = Recipe(
        name=name,
        summary="draws an encoder's inputs again",
        config=config,
        build_model=lambda: Decoder(NfganConfig(_WIDTH, network.config.latent)),
        build_stream=lambda seed: CodeStream(seed, pairs.inputs, codes),
        loss=_repeated,
        card=_unshipped,
    )
    runs = (folder or cache_folder()) / "nfgan" / "runs"
    return train(recipe, folder=runs / name).model


def _repeated(
    decoder: nn.Module, batch: dict[str, Tensor], generator: Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    loss = pixel_loss(decoder(batch["codes"]), batch["inputs"]).mean()
    return loss, {"pixel": loss}


def _unshipped(trained: Trained) -> Card:
    raise NfganError("this decoder belongs to an experiment and is not shipped")
