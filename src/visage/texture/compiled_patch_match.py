"""Compiled loops of PatchMatch: its field of offsets and its votes.

`visage.texture.patch_match` checks the input and says what it means.
Pictures here are float32 (H, W, C), channels last, so that a patch's row is one run of memory.
"""

import numpy as np
from numba import njit

_FAR = np.float32(3e38)


@njit(cache=True, nogil=True, error_model="numpy")
def patch_distance(target, source, counted, y, x, v, u, radius, worst):
    """Sum of squared differences of two patches, or some number above `worst`.

    Only texels of the target's patch that lie in the picture and are `counted` matter.
    """
    height, width, channels = target.shape
    total = np.float32(0)
    for i in range(max(-radius, -y), min(radius, height - 1 - y) + 1):
        for j in range(max(-radius, -x), min(radius, width - 1 - x) + 1):
            if counted[y + i, x + j]:
                for c in range(channels):
                    d = target[y + i, x + j, c] - source[v + i, u + j, c]
                    total += d * d
        if total > worst:
            return total
    return total


@njit(cache=True, nogil=True)
def _next(state):
    """The next state of a 32-bit xorshift generator (Marsaglia 2003); never 0."""
    state ^= (state << np.uint64(13)) & np.uint64(0xFFFFFFFF)
    state ^= state >> np.uint64(17)
    state ^= (state << np.uint64(5)) & np.uint64(0xFFFFFFFF)
    return state


@njit(cache=True, nogil=True, error_model="numpy")
def measure_field(target, source, counted, centres, radius, field, costs):
    """Write the patch distances of the field at centres (N, 2) into costs (N,)."""
    for n in range(len(centres)):
        costs[n] = patch_distance(
            target, source, counted, centres[n, 0], centres[n, 1], field[n, 0], field[n, 1],
            radius, _FAR,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def improve_field(target, source, counted, allowed, centres, order, radius, sweeps, seed, field,
                  costs):  # fmt: skip
    """Propagate and search at random (Barnes et al. 2009, sec. 3.2): costs only fall.

    Args:
        target: (H, W, C).
        source: (V, U, C).
        counted: (H, W) bool, texels of the target that matter.
        allowed: (V, U) bool, centres of the source's patches; each patch lies in the picture.
        centres: (N, 2) int64, of the target's patches, in reading order.
        order: (H, W) int64, which centre a texel is, -1 where none.
        radius: of a patch; its side is 2 radius + 1.
        sweeps: forwards and backwards by turns.
        seed: uint64 in [1, 2³²).
        field: (N, 2) int64, allowed centres of the source; overwritten.
        costs: (N,) of the field; overwritten.
    """
    height, width = allowed.shape
    state = seed
    for sweep in range(sweeps):
        step = 1 if sweep % 2 == 0 else -1
        for turn in range(len(centres)):
            n = turn if step == 1 else len(centres) - 1 - turn
            y, x = centres[n, 0], centres[n, 1]
            best_v, best_u, best = field[n, 0], field[n, 1], costs[n]
            for axis in range(2):
                i, j = (y - step, x) if axis == 0 else (y, x - step)
                if i < 0 or j < 0 or i >= order.shape[0] or j >= order.shape[1] or order[i, j] < 0:
                    continue
                v, u = field[order[i, j], 0] + (y - i), field[order[i, j], 1] + (x - j)
                if v < 0 or u < 0 or v >= height or u >= width or not allowed[v, u]:
                    continue
                cost = patch_distance(target, source, counted, y, x, v, u, radius, best)
                if cost < best:
                    best_v, best_u, best = v, u, cost
            span = max(height, width)
            while span >= 1:
                state = _next(state)
                v = best_v + int(state % np.uint64(2 * span + 1)) - span
                state = _next(state)
                u = best_u + int(state % np.uint64(2 * span + 1)) - span
                span //= 2
                if v < 0 or u < 0 or v >= height or u >= width or not allowed[v, u]:
                    continue
                cost = patch_distance(target, source, counted, y, x, v, u, radius, best)
                if cost < best:
                    best_v, best_u, best = v, u, cost
            field[n, 0], field[n, 1], costs[n] = best_v, best_u, best


@njit(cache=True, nogil=True, error_model="numpy")
def vote(source, counted, centres, field, weights, radius, sums, total):
    """Add what each patch of the field says of each texel under it, weighted.

    Args:
        source: (V, U, C).
        counted: (H, W) bool, texels that hear votes.
        centres: (N, 2) int64.
        field: (N, 2) int64.
        weights: (N,) float32, of the patches.
        radius: of a patch.
        sums: (H, W, C) float64, zeros; overwritten.
        total: (H, W) float64, zeros; overwritten.
    """
    height, width = counted.shape
    for n in range(len(centres)):
        y, x, v, u = centres[n, 0], centres[n, 1], field[n, 0], field[n, 1]
        for i in range(max(-radius, -y), min(radius, height - 1 - y) + 1):
            for j in range(max(-radius, -x), min(radius, width - 1 - x) + 1):
                if counted[y + i, x + j]:
                    for c in range(source.shape[2]):
                        sums[y + i, x + j, c] += weights[n] * source[v + i, u + j, c]
                    total[y + i, x + j] += weights[n]
