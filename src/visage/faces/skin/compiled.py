"""The compiled loops of the skin's textures. Nothing here checks its input."""

import math

import numpy as np
from numba import njit

MELANIN, HAEMOGLOBIN, COVER, RED, GREEN, BLUE, ROUGHNESS, SPECULAR, HEIGHT = range(9)
"""Columns of the mixed channels: indices of the tone, a paint over it, and the rest of a texture.

COVER is the share of the texel that paint hides, RED to BLUE the paint's colour times that share.
"""

OUTPUTS = 9

REACH = 2.6
"""Standard deviations to which a spot is drawn; at 2.6 it has 3% of its strength."""


@njit(cache=True, nogil=True, error_model="numpy")
def _hash(x, y, z, seed):
    h = (x * 374761393 + y * 668265263 + z * 2147483647 + seed * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1103515245) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 69069 + 362437) & 0xFFFFFFFF
    return h ^ (h >> 15)


@njit(cache=True, nogil=True, error_model="numpy")
def _slope(x, y, z, seed, dx, dy, dz):
    h = _hash(x, y, z, seed) & 15
    u = dx if h < 8 else dy
    v = dy if h < 4 else (dx if h == 12 or h == 14 else dz)
    return (u if h & 1 == 0 else -u) + (v if h & 2 == 0 else -v)


@njit(cache=True, nogil=True, error_model="numpy")
def noise(points, wavelength, seed, result):
    """Gradient noise (Perlin 2002) of points (N, 3) mm, about of variance 1, into (N,)."""
    for n in range(len(points)):
        # An irrational turn of the lattice hides its planes where a surface follows an axis.
        a, b, c = points[n, 0] / wavelength, points[n, 1] / wavelength, points[n, 2] / wavelength
        x = 0.36 * a + 0.48 * b - 0.80 * c
        y = -0.80 * a + 0.60 * b
        z = 0.48 * a + 0.64 * b + 0.60 * c
        fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
        i, j, k = int(fx), int(fy), int(fz)
        x, y, z = x - fx, y - fy, z - fz
        u = x * x * x * (x * (x * 6 - 15) + 10)
        v = y * y * y * (y * (y * 6 - 15) + 10)
        w = z * z * z * (z * (z * 6 - 15) + 10)
        total = 0.0
        for dk in range(2):
            for dj in range(2):
                for di in range(2):
                    share = (u if di else 1 - u) * (v if dj else 1 - v) * (w if dk else 1 - w)
                    total += share * _slope(i + di, j + dj, k + dk, seed, x - di, y - dj, z - dk)
        result[n] = 3.6 * total


@njit(cache=True, nogil=True, error_model="numpy")
def cells(points, spacing, seed, nearest, second):
    """Distances, in mm, to the nearest and second of jittered points, one a cube (Worley 1996)."""
    for n in range(len(points)):
        x, y, z = points[n, 0] / spacing, points[n, 1] / spacing, points[n, 2] / spacing
        i, j, k = math.floor(x), math.floor(y), math.floor(z)
        first, after = 1e9, 1e9
        for dk in range(-1, 2):
            for dj in range(-1, 2):
                for di in range(-1, 2):
                    h = _hash(i + di, j + dj, k + dk, seed)
                    px = i + di + (h & 1023) / 1023.0 - x
                    py = j + dj + ((h >> 10) & 1023) / 1023.0 - y
                    pz = k + dk + ((h >> 20) & 1023) / 1023.0 - z
                    d = px * px + py * py + pz * pz
                    if d < first:
                        first, after = d, first
                    elif d < after:
                        after = d
        nearest[n] = math.sqrt(first) * spacing
        second[n] = math.sqrt(after) * spacing


@njit(cache=True, nogil=True, error_model="numpy")
def near_curve(points, curve, reach, distance, along):
    """Distance (N,) mm from points (N, 3) to a curve (C, 3), and where along it, in [0, 1].

    What is farther than `reach` from the box of the curve is left as it is.
    """
    low, high = np.empty(3), np.empty(3)
    for axis in range(3):
        low[axis] = curve[:, axis].min() - reach
        high[axis] = curve[:, axis].max() + reach
    last = len(curve) - 1
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        if x < low[0] or x > high[0] or y < low[1] or y > high[1] or z < low[2] or z > high[2]:
            continue
        best, where = 1e9, 0.0
        for s in range(last):
            ax, ay, az = curve[s, 0], curve[s, 1], curve[s, 2]
            bx, by, bz = curve[s + 1, 0] - ax, curve[s + 1, 1] - ay, curve[s + 1, 2] - az
            t = ((x - ax) * bx + (y - ay) * by + (z - az) * bz) / (bx * bx + by * by + bz * bz)
            t = min(max(t, 0.0), 1.0)
            ex, ey, ez = x - ax - t * bx, y - ay - t * by, z - az - t * bz
            d = ex * ex + ey * ey + ez * ez
            if d < best:
                best, where = d, (s + t) / last
        distance[n], along[n] = math.sqrt(best), where


@njit(cache=True, nogil=True, error_model="numpy")
def enlarge(coarse, source, index, size, result):
    """Bilinear enlargement by a whole factor, at the texels that are wanted.

    Args:
        coarse: (M, O) texels of the coarse texture that carry something.
        source: (R, R) int32, which of them to read at each coarse texel.
        index: (N,) flat indices of the texels of the fine texture.
        size: of the fine texture.
        result: (N, O) float32, overwritten.
    """
    old, outputs = len(source), coarse.shape[1]
    scale = old / size
    for n in range(len(index)):
        y, x = index[n] // size, index[n] % size
        fy = min(max((y + 0.5) * scale - 0.5, 0.0), old - 1.0)
        fx = min(max((x + 0.5) * scale - 0.5, 0.0), old - 1.0)
        i, j = min(int(fy), old - 2), min(int(fx), old - 2)
        fy, fx = np.float32(fy - i), np.float32(fx - j)
        a, b = coarse[source[i, j]], coarse[source[i, j + 1]]
        c, d = coarse[source[i + 1, j]], coarse[source[i + 1, j + 1]]
        for o in range(outputs):
            top = a[o] + fx * (b[o] - a[o])
            result[n, o] = top + fy * (c[o] + fx * (d[o] - c[o]) - top)


@njit(cache=True, nogil=True, error_model="numpy")
def add_channels(starts, index, values, weights, result):
    """Add sparse channels (C of them) times weights (C, O) to the texels (N, O)."""
    outputs = np.empty(weights.shape[1], np.int64)
    for channel in range(len(starts) - 1):
        used = 0
        for o in range(weights.shape[1]):
            if weights[channel, o] != 0:
                outputs[used] = o
                used += 1
        if used == 0:
            continue
        for n in range(starts[channel], starts[channel + 1]):
            row, value = index[n], values[n]
            for u in range(used):
                o = outputs[u]
                result[row, o] += value * weights[channel, o]


@njit(cache=True, nogil=True, error_model="numpy")
def add_spots(where, spread, amount, sharpness, allowed, compact, size, result):
    """Add round spots of the surface to texels (N, O).

    A spot is a Gaussian in the texture, and wide enough for its texels: one of variance 1/12 more,
    as much weaker, so that the mean of a fine texture is the coarse one.

    Args:
        where: (S, 2) texture coordinates.
        spread: (S, 3) the spot's covariance in texture coordinates: uu, uv, vv.
        amount: (S, O) strength in the middle.
        sharpness: (S,) 1 is Gaussian; 2 has an edge.
        allowed: (N,) bool, texels that take spots.
        compact: (R, R) int32, number of each texel, or -1.
        size: R.
        result: (N, O) float32, added to.
    """
    for s in range(len(where)):
        uu = spread[s, 0] * size * size
        uv = spread[s, 1] * size * size
        vv = spread[s, 2] * size * size
        own = uu * vv - uv * uv
        uu, vv = uu + 1 / 12, vv + 1 / 12
        area = uu * vv - uv * uv
        gain = math.sqrt(max(own, 0.0) / area)
        x, y = where[s, 0] * size - 0.5, where[s, 1] * size - 0.5
        rx, ry = REACH * math.sqrt(uu), REACH * math.sqrt(vv)
        for i in range(max(0, math.ceil(y - ry)), min(size - 1, math.floor(y + ry)) + 1):
            for j in range(max(0, math.ceil(x - rx)), min(size - 1, math.floor(x + rx)) + 1):
                row = compact[i, j]
                if row < 0 or not allowed[row]:
                    continue
                dx, dy = j - x, i - y
                q = 0.5 * (vv * dx * dx - 2 * uv * dx * dy + uu * dy * dy) / area
                value = gain * math.exp(-(q ** sharpness[s]))
                for o in range(amount.shape[1]):
                    result[row, o] += value * amount[s, o]


@njit(cache=True, nogil=True, error_model="numpy")
def finish(mixed, table, tint, result):
    """Mixed channels (N, 9) to albedo, roughness, specular and height (N, 6).

    The tone is looked up between the entries of `table` (M, H, 3) and multiplied by `tint` (3,).
    """
    melanins, bloods = table.shape[0] - 1, table.shape[1] - 1
    for n in range(len(mixed)):
        m = min(max(mixed[n, MELANIN], np.float32(0)), np.float32(1)) * melanins
        h = min(max(mixed[n, HAEMOGLOBIN], np.float32(0)), np.float32(1)) * bloods
        i, j = min(int(m), melanins - 1), min(int(h), bloods - 1)
        m, h = m - i, h - j
        cover = max(mixed[n, COVER], np.float32(0))
        paint = np.float32(1) / max(cover, np.float32(1))
        bare = max(np.float32(1) - cover, np.float32(0))
        for c in range(3):
            low = table[i, j, c] + h * (table[i, j + 1, c] - table[i, j, c])
            high = table[i + 1, j, c] + h * (table[i + 1, j + 1, c] - table[i + 1, j, c])
            colour = bare * tint[c] * (low + m * (high - low)) + paint * mixed[n, RED + c]
            result[n, c] = min(max(colour, np.float32(0)), np.float32(1))
        rough = mixed[n, ROUGHNESS]
        result[n, 3] = min(max(rough, np.float32(0.05)), np.float32(1))
        result[n, 4] = min(max(mixed[n, SPECULAR], np.float32(0)), np.float32(1))
        result[n, 5] = mixed[n, HEIGHT]


@njit(cache=True, nogil=True, error_model="numpy")
def spread_out(texels, source, albedo, roughness, specular, height):
    """Copy texels (N, 6) to where they belong, and to the gaps between, plane by plane."""
    for t in range(len(source)):
        row = texels[source[t]]
        albedo[0, t], albedo[1, t], albedo[2, t] = row[0], row[1], row[2]
        roughness[t], specular[t], height[t] = row[3], row[4], row[5]
