"""Part III's networks for the page, as ONNX.

Batches of faces are (B, 1, 64, 64) in [0, 1], named `faces`; codes are (B, 256), weights (B, 5).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visage.explore.five_losses_explorer import FiveLosses
from visage.explore.onnx_export import export_batches
from visage.nfgan.algorithm import Auxiliaries
from visage.nfgan.family import LossFamily
from visage.nfgan.frame import SIZE, to_chips
from visage.nfgan.losses import TERMS
from visage.nfgan.networks import Nfgan
from visage.nfgan.perceptual import DlibPerceptual

_FACES = torch.full((2, 1, SIZE, SIZE), 0.5)


def export_family(family: LossFamily, path: Path) -> None:
    """Write a family: `faces` and `weights` to `generated`."""
    examples = [_FACES, torch.ones(2, len(TERMS))]
    export_batches(_Unchecked(family), examples, path, ["faces", "weights"], ["generated"])


def export_five_losses(judge: FiveLosses, path: Path) -> None:
    """Write what judges: `faces` (inputs), `generated` and `targets` to `terms` (B, 5)."""
    networks = Auxiliaries(PlainPerceptual(judge.perceptual), judge.identity)
    plain = FiveLosses(judge.discriminator, networks)
    names = ["faces", "generated", "targets"]
    export_batches(plain, [_FACES, _FACES.clone(), _FACES.clone()], path, names, ["terms"])


def export_nfgan_encoder(network: Nfgan, path: Path) -> None:
    """Write the encoder: `faces` to `codes`."""
    export_batches(network.encoder, [_FACES], path, ["faces"], ["codes"])


def export_nfgan_decoder(network: Nfgan, path: Path) -> None:
    """Write the decoder: `codes` to `faces`."""
    codes = torch.zeros(2, network.config.latent)
    export_batches(network.decoder, [codes], path, ["codes"], ["faces"])


def export_discriminator(network: Nfgan, path: Path) -> None:
    """Write the discriminator: `faces` to `logits` (B, 1, 4, 4)."""
    export_batches(network.discriminator, [_FACES], path, ["faces"], ["logits"])


class PlainPerceptual(nn.Module):
    """`DlibPerceptual` with the enlargement as two products of matrices, which ONNX can say.

    Enlarging bilinearly is linear in rows and in columns; each matrix is read off `to_chips`.
    """

    def __init__(self, network: DlibPerceptual):
        super().__init__()
        self.stem, self.blocks = network.stem, network.blocks
        steps = torch.eye(SIZE)  # picture i is 1 in column i, or in row i
        columns = to_chips(steps[:, None, None, :].expand(-1, 1, SIZE, -1))
        rows = to_chips(steps[:, None, :, None].expand(-1, 1, -1, SIZE))
        self.register_buffer("columns", columns[:, 0, 0, :].contiguous())  # (64, 150)
        self.register_buffer("rows", rows[:, 0, :, 0].T.contiguous())  # (150, 64)

    def forward(self, faces: Tensor) -> Tensor:
        """Faces (B, 1, 64, 64) to maps (B, 32, 35, 35)."""
        chips = self.rows @ faces @ self.columns
        return self.blocks(F.max_pool2d(F.relu(self.stem(chips)), 3, stride=2))


class _Unchecked(nn.Module):
    """A family without its look at the weights' signs, which no graph can hold."""

    def __init__(self, family: LossFamily):
        super().__init__()
        self.encoder, self.decoder = family.encoder, family.decoder

    def forward(self, faces: Tensor, weights: Tensor) -> Tensor:
        return self.decoder(self.encoder(faces, weights), weights)
