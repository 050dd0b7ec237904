"""A linear model of what colour faces are: log albedo = μ + Σ aₖ σₖ φₖ, vertex by vertex.

Learned from sampled people by principal components (as Blanz and Vetter (1999) have their texture
model, but in logarithms: a darker skin multiplies the albedo, so that one component can be the
tone of the skin, and the albedo stays positive).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

DARKEST = 0.004  # linear; the logarithm of less would make a pupil's noise a principal component


class AlbedoModelError(ValueError):
    """Albedos from which no model can be made, or coefficients that do not belong to it."""


@dataclass(frozen=True, eq=False)
class AlbedoModel:
    """K principal components of log albedo over V vertices."""

    mean: Tensor  # (V, 3), log of linear albedo
    basis: Tensor  # (K, V, 3), the change of log albedo for one standard deviation
    residual: Tensor  # (V,), standard deviation of log albedo that the components leave

    def albedo(self, coefficients: Tensor) -> Tensor:
        """Linear albedo (B, V, 3) of coefficients (B, K) in standard deviations.

        Raises:
            AlbedoModelError: the coefficients are not (B, K).
        """
        if coefficients.ndim != 2 or coefficients.shape[1] != len(self.basis):
            raise AlbedoModelError(
                f"coefficients are {tuple(coefficients.shape)}; expected (B, {len(self.basis)})"
            )
        moved = coefficients @ self.basis.flatten(1)
        return (self.mean + moved.unflatten(1, self.mean.shape)).exp()


def learn_albedo(albedos: Tensor, components: int = 40) -> AlbedoModel:
    """Principal components of people's albedo.

    Args:
        albedos: (N, V, 3), linear, of at least two people.
        components: K, at most N - 1.

    Returns:
        AlbedoModel, float32. The sign of a component is such that its largest value is positive.

    Raises:
        AlbedoModelError: a shape or the number of components does not fit, or a value is NaN.

    >>> people = torch.rand(5, 7, 3, generator=torch.Generator().manual_seed(0))
    >>> learn_albedo(people, components=2).basis.shape
    torch.Size([2, 7, 3])
    """
    if albedos.ndim != 3 or albedos.shape[2] != 3 or len(albedos) < 2:
        raise AlbedoModelError(
            f"albedos are {tuple(albedos.shape)}; expected (N, V, 3) with N of at least 2"
        )
    if not 1 <= components < len(albedos):
        raise AlbedoModelError(
            f"{components} components of {len(albedos)} people; give 1 to {len(albedos) - 1}"
        )
    if not albedos.isfinite().all():
        raise AlbedoModelError("albedos hold NaN or infinity; check how they were sampled")
    logs = albedos.double().clamp(min=DARKEST).log().flatten(1)
    mean = logs.mean(0)
    centred = logs - mean
    # Fewer people than vertices: the small Gram matrix has the same eigenvalues.
    values, vectors = torch.linalg.eigh(centred @ centred.T / (len(logs) - 1))
    values, vectors = values.flip(0)[:components], vectors.flip(1)[:, :components]
    basis = vectors.T @ centred / (len(logs) - 1) ** 0.5  # rows: σₖ φₖ
    peak = basis.gather(1, basis.abs().argmax(1, keepdim=True))
    basis = basis * peak.sign()
    scores = centred @ (basis / values.clamp(min=1e-12)[:, None]).T
    residual = (centred - scores @ basis).unflatten(1, albedos.shape[1:])
    return AlbedoModel(
        mean.view(albedos.shape[1:]).float(),
        basis.unflatten(1, albedos.shape[1:]).float(),
        residual.square().mean((0, 2)).sqrt().float(),
    )
