"""Compiled loops of quilting: its search and its seams.

`visage.texture.quilting` checks the input and says what it means.
Pictures here are float32 (H, W, C), channels last, so that a patch's row is one run of memory.
"""

import numpy as np
from numba import njit

_FAR = np.float32(3e38)


@njit(cache=True, nogil=True)
def cut(errors, path):
    """Write the cheapest top-to-bottom path through errors (L, W) into path (L,) int64.

    From row to row the path moves by one column at most. Dynamic programming, exact.
    """
    length, width = errors.shape
    total = errors.astype(np.float64)
    for row in range(1, length):
        for column in range(width):
            best = total[row - 1, column]
            for near in (column - 1, column + 1):
                if 0 <= near < width and total[row - 1, near] < best:
                    best = total[row - 1, near]
            total[row, column] += best
    path[length - 1] = np.argmin(total[length - 1])
    for row in range(length - 2, -1, -1):
        below = path[row + 1]
        path[row] = below
        for near in (below - 1, below + 1):
            if 0 <= near < width and total[row, near] < total[row, path[row]]:
                path[row] = near


@njit(cache=True, nogil=True, error_model="numpy")
def quilt(
    library, likeness, order, places, patch, overlap, reach, tolerance, draws, canvas, chosen
):
    """Lay patches of registered textures over the canvas, row by row.

    Args:
        library: (P, S, S, C), textures in the canvas's tone.
        likeness: (P, N), what texture p costs at place n, before it is compared with neighbours.
        order: (P, N) int64, which textures to try first: most others are then given up early.
        places: (N, 2) int64, rows and columns of patches' corners, in reading order.
        patch: side of a patch, texels.
        overlap: texels that a patch shares with the one to the left and the one above.
        reach: texels by which a patch may be taken from elsewhere, each way.
        tolerance: any candidate that costs at most (1 + tolerance) times the least may be taken.
        draws: (N,) in [0, 1), which of them.
        canvas: (S, S, C), overwritten where there are patches.
        chosen: (N, 3) int64, overwritten: the texture, and the displacement (down, right).
    """
    size, people, side = canvas.shape[0], len(library), 2 * reach + 1
    costs = np.empty((people, side, side), np.float32)
    filled = np.zeros((size, size), np.bool_)
    error = np.zeros((patch, patch), np.float32)
    path = np.empty(patch, np.int64)
    new = np.empty((patch, patch), np.bool_)
    for n in range(len(places)):
        y, x = places[n, 0], places[n, 1]
        count = _count(filled, y, x, patch, overlap) * canvas.shape[2]
        costs[:] = _FAR
        best = _FAR
        for p in order[:, n]:
            for i in range(side):
                for j in range(side):
                    v, u = y + i - reach, x + j - reach
                    if v < 0 or u < 0 or v + patch > size or u + patch > size:
                        continue
                    costs[p, i, j] = _cost(
                        library[p], canvas, filled, y, x, v, u, patch, overlap, count,
                        likeness[p, n], best * np.float32(1 + tolerance),
                    )  # fmt: skip
                    best = min(best, costs[p, i, j])
        p, i, j = _draw(costs, tolerance, draws[n])
        v, u = y + i - reach, x + j - reach
        chosen[n, 0], chosen[n, 1], chosen[n, 2] = p, v - y, u - x

        _squared_differences(library[p], canvas, y, x, v, u, error)
        new[:] = True
        if x > 0 and _any_filled(filled[y : y + patch, x : x + overlap]):
            cut(error[:, :overlap], path)
            for row in range(patch):
                new[row, : path[row]] = False
        if y > 0 and _any_filled(filled[y : y + overlap, x : x + patch]):
            cut(error[:overlap].T, path)
            for column in range(patch):
                new[: path[column], column] = False
        for row in range(patch):
            for column in range(patch):
                # A neighbour may be missing, outside of the region: then there is nothing to keep.
                if new[row, column] or not filled[y + row, x + column]:
                    canvas[y + row, x + column] = library[p, v + row, u + column]
                    filled[y + row, x + column] = True


@njit(cache=True, nogil=True, error_model="numpy")
def _cost(texture, canvas, filled, y, x, v, u, patch, overlap, count, start, worst):
    """Start and the mean squared difference from what lies there already; _FAR above `worst`."""
    total, room = np.float32(0), (worst - start) * max(count, 1)
    for row in range(patch):
        width = patch if row < overlap else overlap
        for column in range(width):
            if filled[y + row, x + column]:
                for c in range(canvas.shape[2]):
                    d = texture[v + row, u + column, c] - canvas[y + row, x + column, c]
                    total += d * d
        if total > room:
            return _FAR
    return start + total / np.float32(max(count, 1))


@njit(cache=True, nogil=True)
def _count(filled, y, x, patch, overlap):
    count = 0
    for row in range(patch):
        for column in range(patch if row < overlap else overlap):
            count += filled[y + row, x + column]
    return count


@njit(cache=True, nogil=True)
def _squared_differences(texture, canvas, y, x, v, u, error):
    for row in range(len(error)):
        for column in range(len(error)):
            total = np.float32(0)
            for c in range(canvas.shape[2]):
                d = texture[v + row, u + column, c] - canvas[y + row, x + column, c]
                total += d * d
            error[row, column] = total


@njit(cache=True, nogil=True)
def _any_filled(filled):
    for row in range(filled.shape[0]):
        for column in range(filled.shape[1]):
            if filled[row, column]:
                return True
    return False


@njit(cache=True, nogil=True)
def _draw(costs, tolerance, draw):
    """The indices of one of the candidates that cost hardly more than the cheapest."""
    limit = costs.min() * np.float32(1 + tolerance)
    count = 0
    for p in range(costs.shape[0]):
        for i in range(costs.shape[1]):
            for j in range(costs.shape[2]):
                count += costs[p, i, j] <= limit
    left = int(draw * count)
    for p in range(costs.shape[0]):
        for i in range(costs.shape[1]):
            for j in range(costs.shape[2]):
                if costs[p, i, j] <= limit:
                    if left == 0:
                        return p, i, j
                    left -= 1
    return 0, costs.shape[1] // 2, costs.shape[2] // 2
