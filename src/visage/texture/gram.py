"""Feature correlations: normalised Gram matrices, and what is masked out of them.

Saito et al. (2017, section 4): the detail of a skin is what features of a network do together,
wherever they do it. With F (N × M) a layer's N maps of M pixels, G = F Fᵀ / M.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import torch
from torch import Tensor

from visage.texture.backbones import Backbone
from visage.texture.errors import GramError

Grams = dict[str, Tensor]
"""Gram matrices (B, C, C) by layer, in the network's order."""

MASKED = 0.5
"""Luminance of what is not visible, the paper's."""


def gram(features: Tensor) -> Tensor:
    """Normalised Gram matrices, G = F Fᵀ / M (section 4).

    Args:
        features: (B, C, h, w), so that N = C and M = h w.

    Returns:
        (B, C, C), symmetric and positive semi-definite.

    Raises:
        GramError: the features have another shape.

    >>> gram(torch.tensor([[[[1.0, 1.0]], [[0.0, 2.0]]]])).tolist()
    [[[1.0, 1.0], [1.0, 2.0]]]
    """
    if features.ndim != 4 or 0 in features.shape[2:]:
        raise GramError(f"features are {tuple(features.shape)}; expected (B, C, h, w)")
    flat = features.flatten(2)
    return flat @ flat.mT / flat.shape[2]


def mask_out(luminance: Tensor, visible: Tensor) -> Tensor:
    """The paper's M(I): luminance where it is visible, 0.5 elsewhere (section 4).

    Args:
        luminance: (B, 1, H, W), in [0, 1].
        visible: (1 or B, 1, H, W), 1 where visible and 0 elsewhere; between the two, luminance
            fades to 0.5.

    Returns:
        (B, 1, H, W).

    Raises:
        GramError: the two do not fit together.

    >>> mask_out(torch.tensor([[[[0.25, 0.75]]]]), torch.tensor([[[[1.0, 0.0]]]])).tolist()
    [[[[0.25, 0.5]]]]
    """
    if luminance.ndim != 4 or luminance.shape[1] != 1:
        raise GramError(f"luminance is {tuple(luminance.shape)}; expected (B, 1, H, W)")
    if visible.shape[1:] != luminance.shape[1:] or visible.shape[0] not in (1, len(luminance)):
        raise GramError(
            f"visible is {tuple(visible.shape)} and luminance {tuple(luminance.shape)}; they need "
            "the same size"
        )
    visible, grey = visible.to(luminance), torch.full_like(luminance, MASKED)
    # What is not visible may hold anything, even NaN.
    return torch.where(visible > 0, torch.lerp(grey, luminance, visible), grey)


def grams(
    backbone: Backbone,
    luminance: Tensor,
    visible: Tensor | None = None,
    layers: Iterable[str] | None = None,
) -> Grams:
    """Gram matrices of what is visible, G(M(I)).

    Args:
        backbone: whose features.
        luminance: (B, 1, H, W), in [0, 1].
        visible: (1 or B, 1, H, W); everything if None.
        layers: of the backbone; its ``gram_layers`` if None.

    Returns:
        (B, C, C) by layer. M counts all pixels of a layer, as the paper does, so that two masks
        give different matrices: compare such as have the same.

    Raises:
        GramError: luminance and visible do not fit together.
        BackboneError: a layer is unknown, or the luminance too small for it.
    """
    seen = luminance if visible is None else mask_out(luminance, visible)
    names = backbone.gram_layers if layers is None else layers
    return {layer: gram(found) for layer, found in backbone.features(seen, names).items()}


def packed(matrices: Tensor) -> Tensor:
    """Symmetric matrices (B, C, C) as vectors (B, C (C + 1) / 2) with the same inner products.

    The upper triangle, row after row, with √2 times what stands off the diagonal: ⟨G, H⟩_F is then
    a dot product, and the difference's Euclidean norm its Frobenius norm.

    >>> packed(torch.tensor([[[1.0, 2.0], [2.0, 4.0]]])).square().sum()
    tensor(25.)
    """
    rows, columns, scale = _triangle(matrices)
    return matrices[:, rows, columns] * scale


def unpacked(vectors: Tensor) -> Tensor:
    """The symmetric matrices (B, C, C) that `packed` made vectors (B, C (C + 1) / 2) of.

    Raises:
        GramError: no C gives vectors of that length.
    """
    size = round((2 * vectors.shape[1] + 0.25) ** 0.5 - 0.5)
    if size * (size + 1) // 2 != vectors.shape[1]:
        raise GramError(f"{vectors.shape[1]} numbers do not fill a triangle of a matrix")
    matrices = vectors.new_zeros(len(vectors), size, size)
    rows, columns, scale = _triangle(matrices)
    matrices[:, rows, columns] = vectors / scale
    matrices[:, columns, rows] = vectors / scale
    return matrices


def _triangle(matrices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    rows, columns = _indices(matrices.shape[-1], matrices.device)
    scale = torch.where(rows == columns, 1.0, 2.0**0.5).to(matrices)
    return rows, columns, scale


@lru_cache(maxsize=16)
def _indices(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    rows, columns = torch.triu_indices(size, size, device=device)
    return rows, columns


def frobenius(made: Mapping[str, Tensor], true: Mapping[str, Tensor]) -> Grams:
    """‖A - B‖_F by layer, (B,) each, of matrices (B, C, C) or (1, C, C)."""
    return {layer: (made[layer] - true[layer]).flatten(1).norm(dim=1) for layer in true}
