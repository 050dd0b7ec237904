"""The compiled loop that grows strands over a head; see `visage.faces.hair.growth`."""

import numpy as np
from numba import njit

NEAR = 14.0
"""mm over which the comb's hold fades as a strand leaves the head."""

REFERENCE = 5.0
"""mm of growth that `stiffness` is given for."""


@njit(cache=True, nogil=True, error_model="numpy")
def height_above(distance, low, cell, p):
    """Trilinear height over the skin at p (3,), mm, with its gradient (4 numbers in all)."""
    x, y, z = (p[0] - low[0]) / cell, (p[1] - low[1]) / cell, (p[2] - low[2]) / cell
    nx, ny, nz = distance.shape
    x, y, z = (
        min(max(x, 0.0), nx - 1.001),
        min(max(y, 0.0), ny - 1.001),
        min(max(z, 0.0), nz - 1.001),
    )
    i, j, k = int(x), int(y), int(z)
    u, v, w = x - i, y - j, z - k
    d = distance[i : i + 2, j : j + 2, k : k + 2]
    a00, a01 = (
        d[0, 0, 0] + w * (d[0, 0, 1] - d[0, 0, 0]),
        d[0, 1, 0] + w * (d[0, 1, 1] - d[0, 1, 0]),
    )
    a10, a11 = (
        d[1, 0, 0] + w * (d[1, 0, 1] - d[1, 0, 0]),
        d[1, 1, 0] + w * (d[1, 1, 1] - d[1, 1, 0]),
    )
    b0, b1 = a00 + v * (a01 - a00), a10 + v * (a11 - a10)
    c0 = d[0, 0, 0] + v * (d[0, 1, 0] - d[0, 0, 0])
    c1 = d[1, 0, 0] + v * (d[1, 1, 0] - d[1, 0, 0])
    e0 = d[0, 0, 1] + v * (d[0, 1, 1] - d[0, 0, 1])
    e1 = d[1, 0, 1] + v * (d[1, 1, 1] - d[1, 0, 1])
    gx = b1 - b0
    gy = (a01 - a00) + u * ((a11 - a10) - (a01 - a00))
    gz = (e0 - c0) + u * ((e1 - c1) - (e0 - c0))
    n = np.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9
    return b0 + u * (b1 - b0), gx / n, gy / n, gz / n


@njit(cache=True, nogil=True, error_model="numpy")
def grow(
    roots, normals, length, layer, comb, pull, guard, crown, settings, distance, low, cell, points
):  # fmt: skip
    """Grow strands step by step.

    Args:
        roots: (S, 3) mm.
        normals: (S, 3).
        length: (S,) mm.
        layer: (S,) mm, height at which each slides over the skin.
        comb: (S, 3), direction and strength of the comb.
        pull: (S,), strength of the comb away from the crown, or (negative) towards it.
        guard: (S,), how firmly each is kept out of the face.
        crown: (3,) mm.
        settings: lift, lifted, stiffness, gravity, hold.
        distance: (X, Y, Z) height over the skin.
        low: (3,) mm, the grid's first corner.
        cell: mm.
        points: (S, K, 3), overwritten.
    """
    lift, lifted, stiffness, gravity, hold = settings
    count, each = points.shape[:2]
    wish, g = np.empty(3), np.empty(3)
    for s in range(count):
        p = roots[s].copy()
        points[s, 0] = p
        d = lift * normals[s]
        step = length[s] / (each - 1)
        keep = stiffness ** (step / REFERENCE)
        for k in range(1, each):
            grown = (k - 0.5) * step
            high, g[0], g[1], g[2] = height_above(distance, low, cell, p)
            near = np.exp(-max(high - layer[s], 0.0) / NEAR)
            away = p - crown
            away /= np.sqrt((away**2).sum()) + 1.0
            wish[:] = pull[s] * away + comb[s]
            # Hair is not combed into the face: before it, it is drawn to its side.
            face = (
                guard[s]
                * min(max((p[2] - 48) / 25, 0.0), 1.0)
                * min(max((85 - p[1]) / 25, 0.0), 1.0)
            )
            wish[0] += 1.6 * face * (1.0 if p[0] > 0 else -1.0)
            wish[2] -= 0.8 * face
            # Combs move along the skin, and press what stands off back to its layer.
            along = (wish * g).sum()
            pressed = hold * min(max((high - layer[s]) / 6, 0.0), 1.0)
            # What stands off the forehead is pressed back from farther away.
            tall = min(max((p[1] - 20) / 30, 0.0), 1.0)
            pressed *= near + tall * (np.exp(-max(high - layer[s], 0.0) / (4 * NEAR)) - near)
            wish[:] = near * (wish - along * g) - pressed * g
            # What is combed holds against gravity close to its root.
            wish[1] -= gravity * (0.3 + 0.7 * min(grown / 70, 1.0)) * (1 - 0.7 * face)
            wish += lift * np.exp(-grown / lifted) * normals[s]
            if k == 1:
                d = d + (1 - lift) * wish / (np.sqrt((wish**2).sum()) + 1e-9)
            else:
                d = keep * d + (1 - keep) * wish
            d = d / (np.sqrt((d**2).sum()) + 1e-9)
            q = p + step * d
            wanted = layer[s] * (1 - np.exp(-grown / max(2.0 * layer[s], 2.0)))
            high, g[0], g[1], g[2] = height_above(distance, low, cell, q)
            if high < wanted:
                q = q + (wanted - high) * g
                d = q - p
                d = d / (np.sqrt((d**2).sum()) + 1e-9)
                q = p + step * d
                high, g[0], g[1], g[2] = height_above(distance, low, cell, q)
                if high < 0.3 * wanted:
                    q = q + (0.3 * wanted - high) * g
            points[s, k] = q
            p = q


@njit(cache=True, nogil=True, error_model="numpy")
def push_out(points, least, distance, low, cell):
    """Move points (S, K, 3) out of the head: point k at least least[k] mm above the skin."""
    g = np.empty(3)
    for s in range(points.shape[0]):
        for k in range(1, points.shape[1]):
            for _ in range(2):
                high, gx, gy, gz = height_above(distance, low, cell, points[s, k])
                if high >= least[k]:
                    break
                g[0], g[1], g[2] = gx, gy, gz
                points[s, k] += (least[k] - high) * g
