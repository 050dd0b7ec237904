"""I(α_al): a linear model of whole faces' albedo, which holds its low frequencies alone.

Saito et al. (2017, section 3) take the albedo of the Basel Face Model; this one is learned from
training people of the synthetic world (`visage.texture.low_frequency_learning`). It starts the
synthesis, completes what a photograph does not show, and is the baseline of Blanz and Vetter (1999)
that the paper compares with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.checkpoints import load_checkpoint
from visage.texture.errors import TextureError
from visage.texture.window import resized

NAME = "face_albedo"
"""Of the checkpoint."""

SIZE = 64
"""Texels of the windows that are modelled: 2.2 mm each."""


@dataclass(frozen=True, eq=False)
class LowFrequencyAlbedo:
    """K components of sRGB-encoded albedo over windows of `SIZE` texels.

    Raises:
        TextureError: the shapes do not fit.
    """

    mean: Tensor  # (3, 64, 64), sRGB-encoded
    basis: Tensor  # (K, 3, 64, 64), its change for one standard deviation
    left: Tensor  # (1, 64, 64), standard deviation that the components leave

    def __post_init__(self):
        grid = (SIZE, SIZE)
        shapes = (self.mean.shape, self.basis.shape[1:], self.left.shape)
        if shapes != ((3, *grid), (3, *grid), (1, *grid)):
            raise TextureError(
                f"mean, basis and residual are {tuple(self.mean.shape)}, "
                f"{tuple(self.basis.shape)} and {tuple(self.left.shape)}; expected (3, 64, 64), "
                "(K, 3, 64, 64) and (1, 64, 64)"
            )

    @classmethod
    def load(cls) -> LowFrequencyAlbedo:
        """The one that is shipped.

        Raises:
            visage.checkpoints.CheckpointError: its file is missing or damaged.
        """
        return _loaded()

    def texture(self, coefficients: Tensor, size: int = 512) -> Tensor:
        """Ī + A_al α_al (Saito et al. 2017, section 3), enlarged.

        Args:
            coefficients: (B, K), α_al in standard deviations; K or fewer, from the first.
            size: S.

        Returns:
            (B, 3, S, S), sRGB-encoded, in [0, 1]. Differentiable.

        Raises:
            TextureError: there are more coefficients than components.
        """
        if coefficients.ndim != 2 or coefficients.shape[1] > len(self.basis):
            raise TextureError(
                f"coefficients are {tuple(coefficients.shape)}; expected (B, K) with K of at most "
                f"{len(self.basis)}"
            )
        chosen = self.basis[: coefficients.shape[1]]
        moved = (coefficients @ chosen.flatten(1)).unflatten(1, self.mean.shape)
        return resized((self.mean + moved).clamp(0, 1), size)

    def fit(self, texture: Tensor, visible: Tensor | None = None, *, prior: float = 1.0) -> Tensor:
        """The most probable coefficients of textures that are seen in part.

        Each texel of 64 counts by how much of it is visible and by what the components leave
        of it; coefficients are normally distributed.

        Args:
            texture: (B, 3, S, S), sRGB-encoded; anything where it is not visible.
            visible: (B, 1, S, S) in [0, 1]; all of it if None.
            prior: how much the normal distribution counts; more gives more average faces.

        Returns:
            (B, K), in standard deviations.

        Raises:
            TextureError: the shapes do not fit, or nothing at all is visible.
        """
        visible = torch.ones_like(texture[:, :1]) if visible is None else visible.to(texture)
        if visible.shape != texture[:, :1].shape or texture.shape[1] != 3:
            raise TextureError(
                f"texture is {tuple(texture.shape)} and visible {tuple(visible.shape)}; expected "
                "(B, 3, S, S) and (B, 1, S, S)"
            )
        if not (visible.flatten(1).amax(1) > 0).all():
            raise TextureError("nothing of a texture is visible; check its mask")
        share = resized(visible, SIZE)
        seen = torch.where(visible > 0, texture, 0.0)
        mean = resized(seen * visible, SIZE) / share.clamp(min=1e-6)
        weight = (share / self.left.square()).expand(-1, 3, -1, -1).flatten(1)
        basis = self.basis.flatten(1)
        away = torch.where(share > 0, mean - self.mean, 0.0).flatten(1)
        return torch.stack(
            [_probable(basis, w, a, prior) for w, a in zip(weight, away, strict=True)]
        )


def _probable(basis: Tensor, weight: Tensor, away: Tensor, prior: float) -> Tensor:
    weighted = (basis * weight).double()
    matrix = weighted @ basis.double().T
    matrix = matrix + prior * torch.eye(len(basis), dtype=matrix.dtype, device=matrix.device)
    return torch.linalg.solve(matrix, weighted @ away.double()).to(basis)


def learn_low_frequencies(textures: Tensor, components: int) -> LowFrequencyAlbedo:
    """Principal components of textures.

    Args:
        textures: (N, 3, 64, 64), sRGB-encoded, of N people.
        components: K, below N.

    Returns:
        LowFrequencyAlbedo; components fall in variance, each one's largest value is positive.

    Raises:
        TextureError: the shapes do not fit, or there are too few people.
    """
    if textures.shape[1:] != (3, SIZE, SIZE) or not 1 <= components < len(textures):
        raise TextureError(
            f"{components} components of textures {tuple(textures.shape)}; expected (N, 3, 64, "
            "64) of more people than components"
        )
    values = textures.double().flatten(1)
    mean = values.mean(0)
    centred = values - mean
    # Fewer people than texels: the Gram matrix of people has the same eigenvalues.
    spectrum, vectors = torch.linalg.eigh(centred @ centred.T / (len(values) - 1))
    vectors = vectors.flip(1)[:, :components]
    basis = vectors.T @ centred / (len(values) - 1) ** 0.5
    basis = basis * basis.gather(1, basis.abs().argmax(1, keepdim=True)).sign()
    scores = centred @ (basis / spectrum.flip(0)[:components, None].clamp(min=1e-12)).T
    left = (centred - scores @ basis).unflatten(1, (3, SIZE, SIZE))
    std = left.square().mean((0, 1)).sqrt()[None].clamp(min=_LEAST)
    shape = (3, SIZE, SIZE)
    return LowFrequencyAlbedo(
        mean.view(shape).float(), basis.unflatten(1, shape).float(), std.float()
    )


_LEAST = 0.01  # sRGB; a photograph's texels are never surer


@lru_cache(maxsize=1)
def _loaded() -> LowFrequencyAlbedo:
    kept = load_checkpoint(NAME)[0]
    return LowFrequencyAlbedo(kept["mean"], kept["basis"], kept["left"])
