"""A linear model of what faces look like in even light: vertex colours c = B z + μ.

The morphable model of Blanz and Vetter (1999) has 199 components of colour, learned from scans
that are not free. Ours are learned, in a second, from people who are drawn from the shipped model
of albedo, each under an even light of its own strength and tint: a decoder's pictures are never
quite equally bright, and what the basis can say need not be put down to skin.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.asset import read_asset
from visage.faces.fitting.albedo_model import AlbedoModel
from visage.faces.fitting.priors import FittingPriors
from visage.faces.reflectance import encode_srgb
from visage.faces.shading import interreflected
from visage.faces.shape import MorphableModel
from visage.faces.subdivision import catmull_clark
from visage.normalization.errors import TextureFitError

__all__ = ["ColourBasis", "evenly_lit", "learn_colours", "sample_colours"]

COMPONENTS = 30  # 99% of the variance of the drawn people
_PEOPLE = 300
_STOPS = 0.35  # standard deviation of the light's strength
_TINT = 0.06  # of the logarithm of its colour


@dataclass(frozen=True, eq=False)
class ColourBasis:
    """K principal components of the colours of V vertices, sRGB-encoded."""

    mean: Tensor  # (V, 3), μ
    basis: Tensor  # (K, V, 3), B, the change for one standard deviation

    def colours(self, coefficients: Tensor) -> Tensor:
        """Eq. 11: B z + μ.

        Args:
            coefficients: (B, K), z, standard deviations.

        Returns:
            (B, V, 3); nothing keeps them in [0, 1].

        Raises:
            TextureFitError: the coefficients are not (B, K).
        """
        if coefficients.ndim != 2 or coefficients.shape[1] != len(self.basis):
            raise TextureFitError(
                f"coefficients are {tuple(coefficients.shape)}; expected (B, {len(self.basis)})"
            )
        moved = coefficients @ self.basis.flatten(1)
        return self.mean + moved.unflatten(1, self.mean.shape)

    def subdivided(self) -> "ColourBasis":
        """The same basis for the model's vertices after one subdivision."""
        asset = read_asset()
        step = catmull_clark(asset["quads"], len(asset["mean"])).matrix.astype("float32")
        flat = torch.cat([self.mean[None], self.basis]).transpose(0, 1).flatten(1)
        fine = torch.from_numpy(step @ flat.numpy()).view(step.shape[0], -1, 3).transpose(0, 1)
        return ColourBasis(fine[0].contiguous(), fine[1:].contiguous())

    @staticmethod
    @lru_cache(maxsize=2)
    def standard(subdivision: int = 0) -> "ColourBasis":
        """The basis of the shipped model of albedo; always the same.

        Args:
            subdivision: of the model whose vertices they are, 0 or 1.

        Raises:
            visage.checkpoints.CheckpointError: the model of albedo is missing or damaged.
        """
        if subdivision:
            return ColourBasis.standard().subdivided()
        model, generator = MorphableModel.load(), torch.Generator().manual_seed(0)
        colours = sample_colours(FittingPriors.load().albedo, model, _PEOPLE, generator)
        return learn_colours(colours, COMPONENTS)


def sample_colours(
    albedo: AlbedoModel, model: MorphableModel, count: int, generator: torch.Generator
) -> Tensor:
    """Draw people's colours in even lights (count, V, 3), sRGB-encoded."""
    drawn = albedo.albedo(torch.randn(count, len(albedo.basis), generator=generator))
    stops = _STOPS * torch.randn(count, 1, 1, generator=generator)
    tint = _TINT * torch.randn(count, 1, 3, generator=generator)
    light = (stops * torch.tensor(2.0).log() + tint - tint.mean(2, keepdim=True)).exp()
    return evenly_lit(drawn.clamp(max=1), model.occlusion, light)


def evenly_lit(albedo: Tensor, occlusion: Tensor, light: Tensor | float = 1.0) -> Tensor:
    """What surfaces look like in even light, with the shade of folds and sockets.

    Args:
        albedo: (B, V, 3), linear.
        occlusion: (V,), share of the surroundings that each vertex sees.
        light: its colour, linear, a number or (B, 1, 3).

    Returns:
        (B, V, 3), sRGB-encoded, at most 1.
    """
    channels = albedo.mT[..., None]  # as a picture one pixel wide
    share = occlusion.expand(len(albedo), 1, -1)[..., None]
    seen = interreflected(share, channels)[..., 0].mT
    return encode_srgb((albedo * seen * light).clamp(max=1))


def learn_colours(colours: Tensor, components: int = COMPONENTS) -> ColourBasis:
    """Principal components of people's colours.

    Args:
        colours: (N, V, 3), of at least two people.
        components: K, at most N - 1.

    Returns:
        ColourBasis, float32; the largest entry of each component is positive.

    Raises:
        TextureFitError: a shape or the number of components does not fit, or a value is NaN.

    >>> people = torch.rand(5, 7, 3, generator=torch.Generator().manual_seed(0))
    >>> learn_colours(people, 2).basis.shape
    torch.Size([2, 7, 3])
    """
    if colours.ndim != 3 or colours.shape[2] != 3 or not 1 <= components < len(colours):
        raise TextureFitError(
            f"{components} components of colours {tuple(colours.shape)}; expected (N, V, 3) and "
            "1 to N - 1 components"
        )
    if not colours.isfinite().all():
        raise TextureFitError("colours hold NaN or infinity; check how they were sampled")
    flat = colours.double().flatten(1)
    centred = flat - flat.mean(0)
    # Fewer people than numbers: the small Gram matrix has the same eigenvalues.
    vectors = torch.linalg.eigh(centred @ centred.T)[1]
    leading = vectors.flip(1)[:, :components]
    basis = leading.T @ centred / (len(flat) - 1) ** 0.5  # rows are σₖ times a unit vector
    peak = basis.gather(1, basis.abs().argmax(1, keepdim=True))
    basis = (basis * peak.sign()).unflatten(1, colours.shape[1:])
    return ColourBasis(flat.mean(0).view(colours.shape[1:]).float(), basis.float())
