"""Both networks as one, trained through the rendering layer (Richardson et al. 2017, 4.4, fig. 7).

A picture goes through CoarseNet four times, the rendering layer draws the numbers, FineNet refines
the depth, and the criterion of eq. 14 says how well it explains the picture. Its gradient reaches
CoarseNet through the drawn depth. A fidelity term, the mean squared distance to what CoarseNet said
before, keeps it from drifting. No picture needs a label.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor, nn

from visage.faces.reflectance import decode_srgb
from visage.geometry.coarse import ITERATIONS, reconstruct_coarse
from visage.geometry.coarse_network import CoarseNet
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_loss import explain, fine_loss
from visage.geometry.fine_network import FineNet
from visage.geometry.rendering_layer import render_depth, skin_mask
from visage.geometry.texture_space import TextureSpace


class EndToEnd(nn.Module):
    """CoarseNet, the rendering layer and FineNet.

    Args:
        coarse: trained; it is trained on, but for its normalisation's statistics.
        fine: likewise.
        through_barycentrics: see `visage.geometry.rendering_layer`. The paper's fixed coordinates
            point the wrong way for shape and pose so often that a descent along them ends farther
            from a true depth than it began (`visage.geometry.gradient_flow`).
    """

    def __init__(self, coarse: CoarseNet, fine: FineNet, *, through_barycentrics: bool = True):
        super().__init__()
        self.through_barycentrics = through_barycentrics
        self.coarse = copy.deepcopy(coarse).requires_grad_(True)
        self.fine = copy.deepcopy(fine).requires_grad_(True)
        self.before = [copy.deepcopy(coarse).eval().requires_grad_(False)]  # no part of the weights
        self.space = TextureSpace.load(FaceMesh.load(1))

    def train(self, mode: bool = True) -> EndToEnd:
        """A few faces at a time would spoil the running means: they stay as they are."""
        super().train(mode)
        self.coarse.eval()
        self.fine.eval()
        return self

    def forward(self, faces: Tensor) -> dict[str, Tensor]:
        """Faces (B, 1, H, W), grey, in [0, 1], to depth; H and W as CoarseNet takes them.

        Gradients reach CoarseNet's last iteration: the pictures that are fed back have none.

        Returns:
            numbers and original: (B, 138), CoarseNet's, and what it said before it was trained on.
            coarse: (B, 1, H, W) mm, drawn from the numbers. depth: (B, 1, H, W) mm, FineNet's.
            skin: (B, 1, H, W), 1 where the criterion counts. mean and modes: of albedo, (B, 1 and
            10, H, W). scale: (B,) pixels a millimetre.
        """
        mesh = FaceMesh.load()
        earlier = reconstruct_coarse(self.coarse, mesh, faces, ITERATIONS - 1).last
        numbers = self.coarse.step(mesh, self.coarse.reduced(faces), earlier)
        original = reconstruct_coarse(self.before[0], mesh, faces, ITERATIONS).last
        size = faces.shape[-1]
        drawn = render_depth(
            FaceMesh.load(1), numbers, size, through_barycentrics=self.through_barycentrics
        )
        mean, modes = self.space.drawn(drawn.ids, drawn.weights)
        scale = numbers.camera(size).scale
        depth = self.fine(faces, drawn.depth, drawn.mask, scale)
        skin = skin_mask(FaceMesh.load(1), drawn.ids).to(depth)
        return {
            "numbers": numbers.numbers,
            "original": original.numbers,
            "coarse": drawn.depth,
            "depth": depth,
            "skin": skin,
            "mean": mean,
            "modes": modes,
            "scale": scale,
        }


@dataclass(frozen=True)
class EndToEndLoss:
    """The criterion of fig. 7: eq. 14 of FineNet, and CoarseNet's fidelity."""

    fidelity: float = 30.0  # of the mean square of 138 numbers; the paper gives none

    def __call__(
        self, network: nn.Module, batch: dict[str, Tensor], generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and its parts for the log."""
        passed, linear = network(batch["faces"]), decode_srgb(batch["faces"])
        coarse, skin, scale = (passed[name] for name in ("coarse", "skin", "scale"))
        found = explain(linear, coarse, passed["mean"], passed["modes"], skin, scale).detach()
        parts = fine_loss(passed["depth"], coarse, linear, found, skin, scale)
        strayed = (passed["numbers"] - passed["original"]).square().mean()
        fine = parts.total.mean()
        terms = {name: value.mean() for name, value in vars(parts).items()}
        return fine + self.fidelity * strayed, terms | {"fine": fine, "strayed": strayed}


class FaceStream:
    """Pictures of faces without any answer, mirrored half of the time.

    Args:
        seed: item i depends on (seed, i) only.
        faces: makes (N, 1, 200, 200) uint8, once they are needed.
    """

    def __init__(self, seed: int, faces: Callable[[], Tensor]):
        self.seed, self.faces = seed, faces()

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """faces: (B, 1, 200, 200) in [0, 1]."""
        randoms = [np.random.default_rng([self.seed, index]) for index in indices]
        rows = torch.tensor([int(random.integers(len(self.faces))) for random in randoms])
        mirrored = torch.tensor([random.random() < 0.5 for random in randoms])
        faces = self.faces[rows].float() / 255
        return {"faces": torch.where(mirrored.view(-1, 1, 1, 1), faces.flip(-1), faces)}
