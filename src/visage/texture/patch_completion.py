"""Holes filled by patches from around them: PatchMatch's picture completion.

Barnes et al. (2009, sec. 4) fill holes as Wexler, Shechtman and Irani (2007) do, from coarse to
fine: each patch that touches the hole finds a patch of the known part that looks like it, and
each texel of the hole becomes the mean of what its patches found; again and again. Both steps
lower the same energy, E = Σ wₙ ‖targetₙ − sourceₙ‖² over the patches n, so it cannot rise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch import Tensor
from torch.nn.functional import avg_pool2d

from visage.texture.errors import PatchMatchError
from visage.texture.patch_match import PatchPair


@dataclass(frozen=True)
class CompletionConfig:
    """How a hole is filled."""

    radius: int = 3  # 7 x 7 texels, as in Barnes et al.
    sweeps: int = 4  # of PatchMatch before each vote; Barnes et al. take 4 or 5
    rounds: int = 6  # of matching and voting at each size; more change hardly anything
    coarsest: int = 32  # texels of the smallest picture's longer side, at least
    fade: float = 1.3  # patches count less by it for each texel from the known (Wexler et al.)


@dataclass(frozen=True, eq=False)
class Completion:
    """A filled picture and how it came about."""

    picture: Tensor  # (1, C, H, W)
    energies: tuple[tuple[float, ...], ...]  # of each size, coarse to fine, after each matching
    matches: Tensor  # (H, W, 2) int64, whence the patch round a texel came, -1 where none was asked


@dataclass(frozen=True, eq=False)
class _Level:
    """A picture at one size: (C, H, W), which texels stay, and which of them lend patches."""

    picture: Tensor
    known: Tensor  # (H, W) bool
    lending: Tensor  # (H, W) bool

    @property
    def hole(self) -> np.ndarray:
        """(H, W) bool."""
        return ~self.known.numpy()

    def halved(self) -> _Level:
        """Half the size: means of known texels; where less than half is known, hole."""
        known = self.known.float()[None]
        share = avg_pool2d(known, 2, ceil_mode=True)
        picture = avg_pool2d(self.picture * known, 2, ceil_mode=True) / share.clamp(min=1e-6)
        lending = avg_pool2d(self.lending.float()[None], 2, ceil_mode=True)[0] >= 0.5
        return _Level(picture, share[0] >= 0.5, lending)


def complete(
    picture: Tensor,
    known: Tensor,
    lending: Tensor | None = None,
    config: CompletionConfig | None = None,
    seed: int = 0,
) -> Completion:
    """Fill what is not known of a picture with patches of what is.

    Args:
        picture: (1, C, H, W); what it says where it is not known does not matter.
        known: (1, 1, H, W), nonzero where the picture is known.
        lending: (1, 1, H, W), nonzero where what is known may be copied; all of it by default.
        config: how.
        seed: of PatchMatch.

    Returns:
        The picture, equal to the given one where that is known.

    Raises:
        PatchMatchError: shapes do not fit, or what lends holds no whole patch.
    """
    config = config or CompletionConfig()
    level = _checked(picture, known, lending)
    generator = np.random.default_rng(seed)
    levels = [level]
    while min(levels[-1].known.shape) >= 2 * config.coarsest:
        levels.append(levels[-1].halved())
    target, field, order, energies = None, None, None, []
    for level in reversed(levels):
        try:
            pair = _pair(level, config)
        except PatchMatchError:
            if level is levels[0]:
                raise
            continue  # The known part is too narrow at this size: begin with a larger one.
        if level.known.all():
            continue
        target = _nearest(level)
        start = pair.random_field(generator)
        pair = pair.with_target(target)
        if field is not None:
            start = _enlarged(field, order, pair, start)
            pair = pair.with_target(pair.vote(start, _weights(level, pair, config.fade),
                                              level.hole))  # fmt: skip
        field, order, target, energy = _settle(pair, start, level, config, generator)
        energies.append(energy)
    if field is None:
        return Completion(picture.clone(), (), torch.full((*picture.shape[-2:], 2), -1))
    filled = torch.from_numpy(target).permute(2, 0, 1)[None].to(picture)
    matches = torch.full((*picture.shape[-2:], 2), -1)
    matches[torch.from_numpy(order >= 0)] = torch.from_numpy(field)
    whole = torch.where(levels[0].known.to(picture.device), picture, filled)
    return Completion(whole, tuple(energies), matches)


def _settle(
    pair: PatchPair,
    field: np.ndarray,
    level: _Level,
    config: CompletionConfig,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, ...]]:
    """Match and vote by turns: field, order, target, and energies after each matching."""
    weights, hole, energies = _weights(level, pair, config.fade), level.hole, []
    for _ in range(config.rounds):
        costs = pair.costs(field)
        pair.improve(field, costs, config.sweeps, generator)
        energies.append(float((weights.astype(np.float64) * costs).sum()))
        pair = pair.with_target(pair.vote(field, weights, hole))
    return field, pair.order, pair.target, tuple(energies)


def _pair(level: _Level, config: CompletionConfig) -> PatchPair:
    """Patches that touch the hole, and whole ones of what lends."""
    square = np.ones((2 * config.radius + 1,) * 2, bool)
    touching = torch.from_numpy(binary_dilation(level.hole, square))
    return PatchPair.of(
        level.picture, level.picture, config.radius, wanted=touching, usable=level.lending
    )


def _weights(level: _Level, pair: PatchPair, fade: float) -> np.ndarray:
    """Wexler et al.'s confidence: what lies deep in the hole is led by what lies at its rim."""
    depth = distance_transform_edt(level.hole)
    places = depth[pair.centres[:, 0], pair.centres[:, 1]]
    # Beyond some depth all count alike, so that no sum is lost to rounding.
    return (fade ** -np.minimum(places, 64.0)).astype(np.float32)


def _nearest(level: _Level) -> np.ndarray:
    """(H, W, C): each texel that is not known as the nearest known one."""
    rows, columns = distance_transform_edt(level.hole, return_distances=False, return_indices=True)
    return np.ascontiguousarray(level.picture.permute(1, 2, 0).numpy()[rows, columns])


def _enlarged(
    field: np.ndarray, order: np.ndarray, pair: PatchPair, fallback: np.ndarray
) -> np.ndarray:
    """A field at twice the size: neighbours stay neighbours, and what is not allowed is replaced.

    Args:
        field: (M, 2), at half the size.
        order: (h, w), which of the M a texel of half the size is.
        pair: at the full size.
        fallback: (N, 2) allowed centres.
    """
    old = order[pair.centres[:, 0] // 2, pair.centres[:, 1] // 2]
    places = 2 * field[old] + pair.centres % 2
    height, width = pair.allowed.shape
    inside = (old >= 0) & (places[:, 0] < height) & (places[:, 1] < width)
    places = np.where(inside[:, None], places, fallback)
    good = pair.allowed[places[:, 0], places[:, 1]]
    return np.where(good[:, None], places, fallback)


def _checked(picture: Tensor, known: Tensor, lending: Tensor | None) -> _Level:
    if picture.ndim != 4 or len(picture) != 1:
        raise PatchMatchError(f"a picture of shape {tuple(picture.shape)}; give (1, C, H, W)")
    for name, mask in (("known", known), ("lending", lending)):
        if mask is not None and mask.shape != (1, 1, *picture.shape[-2:]):
            raise PatchMatchError(
                f"{name} has shape {tuple(mask.shape)}; "
                f"give (1, 1, {picture.shape[-2]}, {picture.shape[-1]})"
            )
    known = known[0, 0].cpu() > 0
    lending = known if lending is None else known & (lending[0, 0].cpu() > 0)
    # NaNs where nothing is known must not spread.
    plain = torch.where(known, picture[0].detach().cpu().float(), 0.0)
    return _Level(plain, known, lending)
