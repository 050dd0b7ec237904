"""What FineNet learns from, step by step: kept faces with fresh coarse errors, crops and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from visage.faces.population import seed_of
from visage.geometry.detail import COARSE_ERRORS, CoarseErrors, coarse_like
from visage.geometry.detail_loss import comparable
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.kept_detail import KeptDetail
from visage.geometry.rendering_layer import render_depth, skin_mask
from visage.geometry.representation import FaceNumbers
from visage.geometry.texture_space import TextureSpace


@dataclass(frozen=True)
class FineData:
    """How items are made."""

    crop: int = 128  # pixels, most of a face: what lies around it teaches nothing
    errors: CoarseErrors = COARSE_ERRORS  # of the imitated CoarseNet
    gamma: float = 0.15  # spread of the logarithm of an exponent on the picture
    blur: float = 1.1  # pixels, largest standard deviation: enlarged photographs are soft
    noise: float = 0.02  # largest standard deviation
    # Of the way from the truth to CoarseNet's answer. Nearer to the truth a network learns to leave
    # things as they are: of CoarseNet's errors it then corrects hardly any.
    estimated: tuple[float, float] = (0.6, 1.05)
    covered: float = 0.4  # how much a pixel of brow, beard or glasses counts, beside 1 for skin


class FineStream:
    """Items of kept faces, for `visage.training`.

    Args:
        seed: item i depends on (seed, i) only.
        kept: faces to draw from.
        data: how.
        estimates: (N, 138), CoarseNet's answers for them; imitated ones (`coarse_like`) if None.
        textures: whether items hold what the unsupervised criterion needs.
    """

    def __init__(
        self,
        seed: int,
        kept: KeptDetail,
        data: FineData | None = None,
        *,
        estimates: Tensor | None = None,
        textures: bool = True,
    ):
        self.seed, self.kept, self.data = seed, kept, data or FineData()
        self.estimates = estimates
        self.mesh = FaceMesh.load(1)
        self.space = TextureSpace.load(self.mesh) if textures else None

    @torch.no_grad()
    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Items by name, each (B, 1, crop, crop) but for `scale` (B,) and `modes` (B, 10, ...).

        faces: as a camera gives them; clean: without noise and blur. coarse and mask: what
        CoarseNet would draw. truth: true depth. weight: how much a pixel counts where truth is
        compared. With textures also skin, mean and modes, of the coarse face.
        """
        randoms = [np.random.default_rng([self.seed, index]) for index in indices]
        rows = [int(random.integers(len(self.kept))) for random in randoms]
        some = self.kept.rows(rows)
        numbers = torch.cat(
            [self._coarse(some.numbers[i : i + 1], row, indices[i]) for i, row in enumerate(rows)]
        )
        numbers = FaceNumbers.of(numbers)
        size = some.faces.shape[-1]
        drawn = render_depth(self.mesh, numbers, size)
        scale = numbers.camera(size).scale
        both = comparable(drawn.depth, some.depth, drawn.mask * some.mask, scale)
        weight = both * (self.data.covered + (1 - self.data.covered) * some.seen)
        pictures = {
            "clean": some.faces,
            "coarse": drawn.depth,
            "mask": drawn.mask,
            "truth": some.depth,
            "weight": weight,
        }
        if self.space is not None:
            mean, modes = self.space.drawn(drawn.ids, drawn.weights)
            skin = skin_mask(self.mesh, drawn.ids).to(mean)
            pictures |= {"skin": skin, "mean": mean, "modes": modes}
        crops = [self._cropped(i, random, pictures) for i, random in enumerate(randoms)]
        found = {name: torch.stack([crop[name] for crop in crops]) for name in crops[0]}
        faces = [
            self._photographed(face, random)
            for face, random in zip(found["clean"], randoms, strict=True)
        ]
        return found | {"faces": torch.stack(faces), "scale": scale}

    def _coarse(self, truth: Tensor, row: int, index: int) -> Tensor:
        """The numbers (1, 138) from which item `index` starts."""
        generator = torch.Generator().manual_seed(seed_of(self.seed, index, 23))
        if self.estimates is None:
            return coarse_like(FaceNumbers.of(truth), generator, self.data.errors).numbers
        low, high = self.data.estimated
        share = low + (high - low) * torch.rand(1, generator=generator)
        return truth + share * (self.estimates[row] - truth)

    def _cropped(self, item: int, random: np.random.Generator, pictures: dict[str, Tensor]) -> dict:
        """One item's pictures, around some pixel of the face, and mirrored half of the time."""
        size, crop = pictures["mask"].shape[-1], min(self.data.crop, pictures["mask"].shape[-1])
        y, x = (pictures["mask"][item, 0] > 0).nonzero(as_tuple=True)
        chosen = int(random.integers(max(1, len(y))))
        centre = (int(y[chosen]), int(x[chosen])) if len(y) else (size // 2, size // 2)
        top, left = (min(max(0, at - crop // 2), size - crop) for at in centre)
        mirrored = random.random() < 0.5
        found = {}
        for name, picture in pictures.items():
            part = picture[item, :, top : top + crop, left : left + crop]
            found[name] = part.flip(-1) if mirrored else part
        return found

    def _photographed(self, face: Tensor, random: np.random.Generator) -> Tensor:
        data = self.data
        face = face.clamp(min=1e-4) ** float(np.exp(data.gamma * random.standard_normal()))
        spread = data.blur * random.uniform(-0.5, 1)  # a third stays sharp
        grain = random.uniform(0, data.noise)
        noise = grain * random.standard_normal(face.shape, dtype=np.float32)
        return (softened(face, spread) + torch.from_numpy(noise)).clamp(0, 1)


def softened(face: Tensor, spread: float) -> Tensor:
    """A picture (C, H, W) blurred by a Gaussian of `spread` pixels; as it is up to 0.2."""
    if spread <= 0.2:
        return face
    at = torch.arange(-4.0, 5.0)
    kernel = (-0.5 * (at / spread) ** 2).exp()
    kernel = (kernel / kernel.sum()).to(face)
    padded = F.pad(face[:, None], (4, 4, 4, 4), mode="replicate")
    across = F.conv2d(padded, kernel.view(1, 1, 1, -1))
    return F.conv2d(across, kernel.view(1, 1, -1, 1))[:, 0]
