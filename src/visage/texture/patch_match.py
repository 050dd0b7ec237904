"""PatchMatch (Barnes, Shechtman, Finkelstein and Goldman 2009): nearly nearest patches, fast.

A field gives each patch of a target the place of a patch of the source that looks like it. It
starts at random; what is good spreads to neighbours, and each patch keeps trying its luck around
what it has. `visage.texture.patch_completion` fills holes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from visage.texture import compiled_patch_match
from visage.texture.errors import PatchMatchError


@dataclass(frozen=True, eq=False)
class PatchPair:
    """A target, a source, and which of their patches take part.

    Arrays lie on the CPU, channels last, as the compiled loops take them.
    """

    target: np.ndarray  # (H, W, C) float32
    source: np.ndarray  # (V, U, C) float32
    counted: np.ndarray  # (H, W) bool, texels of the target that matter
    centres: np.ndarray  # (N, 2) int64, rows and columns of the target's patches
    order: np.ndarray  # (H, W) int64, which of the N a texel is, -1 where none
    allowed: np.ndarray  # (V, U) bool, centres of the source's patches
    radius: int

    @classmethod
    def of(
        cls,
        target: Tensor,
        source: Tensor,
        radius: int = 3,
        *,
        wanted: Tensor | None = None,
        counted: Tensor | None = None,
        usable: Tensor | None = None,
    ) -> PatchPair:
        """Prepare a search.

        Args:
            target: (C, H, W).
            source: (C, V, U).
            radius: of a patch, texels; its side is 2 radius + 1. Barnes et al. take 7 x 7.
            wanted: (H, W) bool, centres of patches to be matched; all by default. Patches may
                stick out of the target: what sticks out does not count.
            counted: (H, W) bool, texels of the target that matter; all by default.
            usable: (V, U) bool, texels that a patch of the source may contain; all by default.

        Raises:
            PatchMatchError: shapes do not fit, or no patch of the source lies in usable texels.
        """
        _check(target, source, radius)
        wanted = _mask("wanted", wanted, target)
        counted = _mask("counted", counted, target)
        allowed = _eroded(_mask("usable", usable, source), radius)
        if not allowed.any():
            side = 2 * radius + 1
            raise PatchMatchError(
                f"no patch of {side} x {side} texels lies in the usable part of the source"
            )
        order = np.where(wanted, np.cumsum(wanted).reshape(wanted.shape) - 1, -1)
        planes = (_channels_last(target), _channels_last(source))
        return cls(*planes, counted, np.argwhere(wanted), order, allowed, radius)

    def with_target(self, target: np.ndarray) -> PatchPair:
        """The same patches of another target (H, W, C)."""
        return replace(self, target=target)

    def random_field(self, generator: np.random.Generator) -> np.ndarray:
        """(N, 2) int64, any allowed centre of the source for each patch."""
        places = np.argwhere(self.allowed)
        return places[generator.integers(len(places), size=len(self.centres))]

    def costs(self, field: np.ndarray) -> np.ndarray:
        """(N,) float32, sums of squared differences of patches from those that a field names."""
        costs = np.empty(len(field), np.float32)
        compiled_patch_match.measure_field(
            self.target, self.source, self.counted, self.centres, self.radius, field, costs
        )
        return costs

    def improve(
        self, field: np.ndarray, costs: np.ndarray, sweeps: int, generator: np.random.Generator
    ) -> None:
        """Propagate and search at random, in place; no cost rises.

        Args:
            field: (N, 2) int64, overwritten.
            costs: (N,) of the field, overwritten.
            sweeps: over all patches, forwards and backwards by turns.
            generator: of the random search.
        """
        seed = np.uint64(generator.integers(1, 2**32))
        compiled_patch_match.improve_field(
            self.target, self.source, self.counted, self.allowed, self.centres, self.order,
            self.radius, sweeps, seed, field, costs,
        )  # fmt: skip

    def vote(self, field: np.ndarray, weights: np.ndarray, hearing: np.ndarray) -> np.ndarray:
        """A target (H, W, C) whose texels are the weighted means of what their patches say.

        This is the least of the weighted sum of costs over the hearing texels (Wexler et al.
        2007, eq. 4 with squared distances).

        Args:
            field: (N, 2) int64.
            weights: (N,) float32, of the patches, positive.
            hearing: (H, W) bool, texels that change.
        """
        sums = np.zeros(self.target.shape)
        total = np.zeros(hearing.shape)
        compiled_patch_match.vote(
            self.source, hearing, self.centres, field, weights, self.radius, sums, total
        )
        heard = total > 0
        target = self.target.copy()
        target[heard] = sums[heard] / total[heard][:, None]
        return target


def nearest_neighbour_field(
    target: Tensor, source: Tensor, *, radius: int = 3, sweeps: int = 5, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """For each patch of the target, the place of a patch of the source that looks like it.

    Args:
        target: (C, H, W).
        source: (C, V, U).
        radius: of a patch, texels.
        sweeps: Barnes et al. stop after 4 or 5.
        seed: of the random numbers.

    Returns:
        (H, W, 2) int64 rows and columns of the matches' centres, and (H, W) mean squared
        differences of the patches.

    Raises:
        PatchMatchError: the pictures do not fit each other, or are smaller than a patch.

    >>> picture = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0))
    >>> nearest_neighbour_field(picture, picture)[1][3:-3, 3:-3].max() < 0.3
    tensor(True)
    """
    pair = PatchPair.of(target, source, radius)
    generator = np.random.default_rng(seed)
    field = pair.random_field(generator)
    costs = pair.costs(field)
    pair.improve(field, costs, sweeps, generator)
    places = torch.from_numpy(field).unflatten(0, target.shape[1:])
    ones = torch.ones(1, *target.shape[1:])
    texels = torch.nn.functional.avg_pool2d(
        ones, 2 * radius + 1, 1, radius, count_include_pad=True
    )[0] * ((2 * radius + 1) ** 2 * len(target))  # fmt: skip
    means = torch.from_numpy(costs).unflatten(0, target.shape[1:]) / texels
    return places.to(target.device), means.to(target.device)


def _channels_last(picture: Tensor) -> np.ndarray:
    return np.ascontiguousarray(picture.detach().cpu().float().permute(1, 2, 0).numpy())


def _mask(name: str, mask: Tensor | None, picture: Tensor) -> np.ndarray:
    if mask is None:
        return np.ones(picture.shape[1:], bool)
    if mask.shape != picture.shape[1:]:
        raise PatchMatchError(
            f"{name} has shape {tuple(mask.shape)}, its picture {tuple(picture.shape)}"
        )
    return np.ascontiguousarray(mask.cpu().bool().numpy())


def _eroded(usable: np.ndarray, radius: int) -> np.ndarray:
    """Centres all of whose patch is usable; patches do not stick out of the source."""
    worst = torch.nn.functional.max_pool2d(
        torch.nn.functional.pad(torch.from_numpy(~usable)[None, None].float(), [radius] * 4,
                                value=1.0), 2 * radius + 1, 1,
    )  # fmt: skip
    return worst[0, 0].numpy() == 0


def _check(target: Tensor, source: Tensor, radius: int) -> None:
    if radius < 0:
        raise PatchMatchError(f"a radius of {radius} texels; give 0 or more")
    if target.ndim != 3 or source.ndim != 3 or len(target) != len(source) or not target.numel():
        raise PatchMatchError(
            f"a target of shape {tuple(target.shape)} and a source of {tuple(source.shape)}; "
            "give (C, H, W) and (C, V, U)"
        )
