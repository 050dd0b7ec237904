"""Inner products of masked Gram matrices: all that finding a blend needs to know of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.texture.errors import GramError


@dataclass(frozen=True, eq=False)
class Comparison:
    """Inner products of masked Gram matrices, by layer: all that eq. 2 needs.

    With A the K textures' matrices and b the query's, both packed.
    """

    layers: tuple[str, ...]
    normals: Tensor  # (L, K, K) float64, AᵀA
    rights: Tensor  # (L, K) float64, Aᵀb
    squares: Tensor  # (L,) float64, bᵀb
    seen: Tensor | None = None  # (L,) in [0, 1], how much of a layer the mask leaves; all if None

    def with_layer(self, name: str, rows: Tensor, query: Tensor, seen: float = 1.0) -> Comparison:
        """With one more layer, of numbers that are not correlations.

        Args:
            name: of the layer.
            rows: (K, N), of the textures.
            query: (N,).
            seen: as of the others.

        Raises:
            GramError: there are not K rows of as many numbers.
        """
        count = self.rights.shape[1]
        if rows.shape != (count, *query.shape) or query.ndim != 1:
            raise GramError(
                f"rows are {tuple(rows.shape)} and the query {tuple(query.shape)}; expected "
                f"({count}, N) and (N,)"
            )
        rows, query = rows.to(self.rights), query.to(self.rights)
        before = torch.ones_like(self.squares) if self.seen is None else self.seen
        return Comparison(
            (*self.layers, name),
            torch.cat([self.normals, (rows @ rows.T)[None]]),
            torch.cat([self.rights, (rows @ query)[None]]),
            torch.cat([self.squares, query.square().sum()[None]]),
            torch.cat([before, before.new_tensor([seen])]),
        )

    def of_first(self, count: int) -> Comparison:
        """With the database's first textures only, as figure 4 counts them.

        Raises:
            GramError: there are not as many.
        """
        return self.among(range(count))

    def among(self, indices: Sequence[int]) -> Comparison:
        """With some of the database's textures.

        Raises:
            GramError: there are none, or a texture is unknown.
        """
        chosen = torch.as_tensor(list(indices), dtype=torch.int64)
        count = self.rights.shape[1]
        if not len(chosen) or chosen.min() < 0 or chosen.max() >= count:
            raise GramError(f"textures {list(indices)[:8]} of {count}; choose some of them")
        normals = self.normals[:, chosen][:, :, chosen]
        return Comparison(self.layers, normals, self.rights[:, chosen], self.squares, self.seen)
