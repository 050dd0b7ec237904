"""From a texture that is partly visible to the feature correlations of the whole face.

Saito et al. (2017, section 4): mask the database as the query is masked, find the blend of people
whose masked correlations come nearest to the query's (eq. 2), and blend their complete ones alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from visage.texture.albedo_layer import with_albedo
from visage.texture.errors import GramError
from visage.texture.gram import Grams
from visage.texture.gram_database import GramDatabase
from visage.texture.inner_products import Comparison
from visage.texture.simplex import SOLVERS, residuals, simplex_sum_of_norms

Method = Literal["convex", "unconstrained", "closest"]
Share = Literal["spread", "size", "plain"]

METHODS: tuple[Method, ...] = ("convex", "unconstrained", "closest")
SHARES: tuple[Share, ...] = ("spread", "size", "plain")


@dataclass(frozen=True)
class AnalysisConfig:
    """How weights are found."""

    method: Method = "convex"  # the paper's; the others are its baselines (figures 5 and 16)
    share: Share = "spread"  # the paper does not say; plain sums leave all to one or two layers
    squared: bool = True  # least squares; False is eq. 2 as printed, convex only
    albedo: float = (
        0.3  # as how many layers the low-frequency albedo counts; the paper has none. One
    )
    # already draws weights away from what true correlations say


@dataclass(frozen=True, eq=False)
class InferredGrams:
    """Correlations of a whole face, and how they were found."""

    weights: Tensor  # (K,) float32, of the database's people
    full: Grams  # (1, C, C) by layer, Σ w_k G(I_k)
    residual: float  # ‖Σ w_k G_k - G_0‖ over that of the mean of all; 0 is an exact blend
    residuals: dict[str, float]  # likewise, by layer


def infer_grams(
    luminance: Tensor,
    visible: Tensor,
    database: GramDatabase,
    config: AnalysisConfig = AnalysisConfig(),
    *,
    low_frequency: Tensor | None = None,
    pixels: float = 1.0,
    progress: bool = True,
) -> InferredGrams:
    """Infer the complete correlations of a partly visible texture.

    Args:
        luminance: (1, 1, S, S), in [0, 1]; anything where it is not visible.
        visible: (1, 1, S, S), 1 where it is.
        database: of complete correlations, of the same backbone and size.
        config: how.
        low_frequency: I(α_al), (1, 3, S, S), sRGB-encoded, that the blend shall have, too (see
            `visage.texture.albedo_layer`); None asks for correlations alone, as the paper does.
        pixels: of the photograph, that a texel is wide; see `GramDatabase.compare`.
        progress: whether to show it.

    Raises:
        GramError: sizes differ, nothing is visible, or there is no such method.
    """
    compared = database.compare(luminance, visible, pixels=pixels, progress=progress)
    if low_frequency is not None and config.albedo:
        compared = with_albedo(compared, database.database, low_frequency, config.albedo)
    return blend(database, compared, config)


def blend(
    database: GramDatabase,
    comparison: Comparison,
    config: AnalysisConfig = AnalysisConfig(),
) -> InferredGrams:
    """As `infer_grams`, from a comparison that is there: several methods share the long part.

    Raises:
        GramError: the comparison is with other textures, or there is no such method.
    """
    if comparison.rights.shape[1] != len(database):
        raise GramError(
            f"compared with {comparison.rights.shape[1]} textures, the database has "
            f"{len(database)}; find weights with `blend_weights` and spread them yourself"
        )
    weights = blend_weights(comparison, config)
    count = len(weights)
    found, mean = (
        residuals(comparison.normals, comparison.rights, comparison.squares, w).clamp_min(0)
        for w in (weights, torch.full_like(weights, 1 / count))
    )
    share = layer_shares(comparison, config.share)
    relative = (found / mean.clamp_min(1e-300)).sqrt().tolist()
    return InferredGrams(
        weights=weights.float(),
        full=database.full(weights),
        residual=float((share @ found / (share @ mean).clamp_min(1e-300)).sqrt()),
        residuals=dict(zip(comparison.layers, relative, strict=True)),
    )


def blend_weights(
    comparison: Comparison,
    config: AnalysisConfig = AnalysisConfig(),
) -> Tensor:
    """Weights (K,) float64 of the compared textures (eq. 2).

    Raises:
        GramError: there is no such method, or it has no form with unsquared norms.
    """
    if config.method not in METHODS:
        raise GramError(f"no method {config.method!r}; choose among {', '.join(METHODS)}")
    share = layer_shares(comparison, config.share)
    normals = share[:, None, None] * comparison.normals
    rights = share[:, None] * comparison.rights
    if config.squared:
        return SOLVERS[config.method](normals.sum(0), rights.sum(0))
    if config.method != "convex":
        raise GramError(f"{config.method} weights are for squared norms; say squared=True")
    return simplex_sum_of_norms(normals, rights, share * comparison.squares)


def layer_shares(comparison: Comparison, share: Share) -> Tensor:
    """What each layer's squared Frobenius norms are multiplied by, (L,) float64.

    ``plain``: 1, the paper's sum as printed. ``size``: 1 / mean ‖G_k‖², so that relative errors
    are added. ``spread``: 1 / mean ‖G_k - Ḡ‖² over the database, so that a layer counts by how
    well it tells people apart, whatever the scale of its features; 1 where all people are alike.
    With the last two, a layer of which the mask leaves little, as of a region that is turned away,
    counts by the square of what it leaves.

    Raises:
        GramError: there is no such share.
    """
    normals = comparison.normals
    square = normals.diagonal(dim1=1, dim2=2).mean(1)
    if share == "plain":
        return torch.ones_like(square)
    seen = torch.ones_like(square) if comparison.seen is None else comparison.seen.square()
    if share == "size":
        return seen / square.clamp_min(1e-300)
    if share != "spread":
        raise GramError(f"no share {share!r}; choose among {', '.join(SHARES)}")
    spread = square - normals.mean((1, 2))
    alike = spread <= 1e-12 * square
    return seen * torch.where(alike, torch.ones_like(spread), 1 / spread.clamp_min(1e-300))
