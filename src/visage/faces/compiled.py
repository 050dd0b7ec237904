"""The compiled loops of the renderer: numba on the CPU, where tensors are NumPy arrays.

Nothing here checks its input: `visage.faces.visibility`, `visage.faces.raster` and
`visage.faces.shadow` do, and they hold the same in plain torch for other devices. Machine code is
kept on disk (`cache=True`; without it each process would pay seconds) and the interpreter lock is
let go of (`nogil=True`), so that threads of a data loader render side by side. Each loop uses one
core: a batch is spread over workers, not over the threads of one call.
"""

import numpy as np
from numba import njit

_TINY = np.finfo(np.float64).tiny
_ROUNDED = 1e-9

MIN_DOUBLE_AREA = 1e-6
"""Triangles of less than half of this area, in square pixels, are not drawn.

The derivative of a barycentric weight grows as one over the area. The chance that such a sliver
covers the centre of a pixel is below one in a million.
"""

REACH = 60.0
"""mm before a surface within which something is sure to be found that shadows it softly."""

BIAS = 1.0
"""mm that something must stand before a surface to begin to shadow it."""

RAMP = 1.5
"""mm over which the shadow comes in, so that neither noise nor steps show."""

MIN_HALF_SHADOW = 1.0
"""Texels: no shadow has a sharper edge, or its texels would show."""

SLACK = 0.1
"""Radians by which an interpolated normal may differ from the triangle's own.

Without it a surface of flat triangles, lit from the side, would shadow itself in stripes.
"""

MIN_COSINE = 0.2
"""The tangent plane of a surface that the light grazes is too steep to compare with."""


@njit(cache=True, nogil=True, error_model="numpy")
def draw(points, triangles, beyond, ids, key):
    """Draw triangles (F, 3) into a z-buffer, the nearest key winning, the first of equal ones.

    Args:
        points: (B, V, 3) float64, pixels x and y, and a key that is linear in the picture.
        triangles: (F, 3) int64.
        beyond: (B, H, W) float32; only greater keys are drawn.
        ids: (B, H, W) int32, filled with -1; overwritten.
        key: (B, H, W) float32, filled with infinity; overwritten.
    """
    count, height, width = ids.shape
    todo = np.empty(len(triangles), np.int64)
    for image in range(count):
        p, before, nearest, owner = points[image], beyond[image], key[image], ids[image]
        # Many triangles of a small picture lie between pixel centres. They are counted out without
        # a branch, which no processor could foresee.
        found = 0
        for face in range(len(triangles)):
            left, right, top, bottom = _box(p, triangles[face], height, width)
            todo[found] = face
            found += (left <= right) & (top <= bottom)
        for face in todo[:found]:
            a, b, c = triangles[face, 0], triangles[face, 1], triangles[face, 2]
            left, right, top, bottom = _box(p, triangles[face], height, width)
            ax, ay, bx, by, cx, cy = p[a, 0], p[a, 1], p[b, 0], p[b, 1], p[c, 0], p[c, 1]
            area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            if not (np.isfinite(area) and abs(area) >= MIN_DOUBLE_AREA):
                continue
            az, bz, cz = p[a, 2], p[b, 2], p[c, 2]
            if not np.isfinite(az + bz + cz):
                continue
            if area < 0:
                bx, by, bz, cx, cy, cz = cx, cy, cz, bx, by, bz
            # A left edge goes up in the picture, a top edge to the right: they hold the pixels
            # that lie on them, with E = 0. The others ask for more.
            ab = 0.0 if (by < ay) | ((by == ay) & (bx > ax)) else _TINY
            bc = 0.0 if (cy < by) | ((cy == by) & (cx > bx)) else _TINY
            ca = 0.0 if (ay < cy) | ((ay == cy) & (ax > cx)) else _TINY
            # No key in the triangle is below this one, however it is rounded.
            least = np.float32(min(az, bz, cz) - _ROUNDED * (abs(az) + abs(bz) + abs(cz)))
            for y in range(np.uint64(top), np.uint64(bottom) + np.uint64(1)):
                ady, bdy, cdy = ay - y, by - y, cy - y
                for x in range(np.uint64(left), np.uint64(right) + np.uint64(1)):
                    if not least < nearest[y, x]:
                        continue
                    adx, bdx, cdx = ax - x, bx - x, cx - x
                    u = bdx * cdy - bdy * cdx
                    v = cdx * ady - cdy * adx
                    w = adx * bdy - ady * bdx
                    if (u >= bc) & (v >= ca) & (w >= ab):
                        z = np.float32((u * az + v * bz + w * cz) / (u + v + w))
                        if before[y, x] < z < nearest[y, x]:
                            nearest[y, x] = z
                            owner[y, x] = face


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _box(p, triangle, height, width):
    """First and last pixels across and down whose centres a triangle's box holds.

    Clamped, so that they can be made integers. Not-a-number, which no comparison holds for, may
    pass unseen; the triangle's area tells.
    """
    a, b, c = np.uint64(triangle[0]), np.uint64(triangle[1]), np.uint64(triangle[2])
    left, right = _ends(p[a, 0], p[b, 0], p[c, 0], width)
    top, bottom = _ends(p[a, 1], p[b, 1], p[c, 1], height)
    return left, right, top, bottom


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _ends(a, b, c, size):
    low, high = a if a < b else b, a if a > b else b
    low, high = low if low < c else c, high if high > c else c
    last = size - 1.0
    return np.ceil(low if low > 0 else 0.0), np.floor(high if high < last else last)


@njit(cache=True, nogil=True, error_model="numpy")
def _from(corner, x, y):
    return np.float64(corner[0]) - x, np.float64(corner[1]) - y


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(points, triangles, ids, perspective, weights):
    """Write barycentric weights (B, H, W, 3) of covered pixels into zeros."""
    count, height, width = ids.shape
    for image in range(count):
        for y in range(height):
            for x in range(width):
                face = ids[image, y, x]
                if face < 0:
                    continue
                a, b, c = triangles[face, 0], triangles[face, 1], triangles[face, 2]
                p = points[image]
                (ax, ay), (bx, by), (cx, cy) = (
                    _from(p[a], x, y),
                    _from(p[b], x, y),
                    _from(p[c], x, y),
                )
                u, v, w = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx
                if perspective:
                    u, v, w = u / p[a, 2], v / p[b, 2], w / p[c, 2]
                total = u + v + w
                if total != 0:
                    weights[image, y, x, 0] = u / total
                    weights[image, y, x, 1] = v / total
                    weights[image, y, x, 2] = w / total


@njit(cache=True, nogil=True, error_model="numpy")
def weigh_backward(points, triangles, ids, perspective, gradient, result):
    """Add to `result` (B, V, 3) float64 the derivative along `gradient` (B, H, W, 3) of `weigh`."""
    count, height, width = ids.shape
    for image in range(count):
        p, r = points[image], result[image]
        for y in range(height):
            for x in range(width):
                face = ids[image, y, x]
                if face < 0:
                    continue
                a, b, c = triangles[face, 0], triangles[face, 1], triangles[face, 2]
                (ax, ay), (bx, by), (cx, cy) = (
                    _from(p[a], x, y),
                    _from(p[b], x, y),
                    _from(p[c], x, y),
                )
                u, v, w = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx
                az = bz = cz = 1.0
                if perspective:
                    az, bz, cz = np.float64(p[a, 2]), np.float64(p[b, 2]), np.float64(p[c, 2])
                    u, v, w = u / az, v / bz, w / cz
                total = u + v + w
                if total == 0:
                    continue
                g = gradient[image, y, x]
                mean = (g[0] * u + g[1] * v + g[2] * w) / total
                du, dv, dw = (g[0] - mean) / total, (g[1] - mean) / total, (g[2] - mean) / total
                if perspective:
                    du, dv, dw = du / az, dv / bz, dw / cz
                    r[a, 2] -= du * u
                    r[b, 2] -= dv * v
                    r[c, 2] -= dw * w
                r[a, 0] += by * dw - cy * dv
                r[a, 1] += cx * dv - bx * dw
                r[b, 0] += cy * du - ay * dw
                r[b, 1] += ax * dw - cx * du
                r[c, 0] += ay * dv - by * du
                r[c, 1] += bx * du - ax * dv


@njit(cache=True, nogil=True, error_model="numpy")
def mix(values, triangles, ids, weights, picture):
    """Write weighted means of values (B or 1, V, C) at covered pixels into zeros (B, C, H, W)."""
    count, height, width = ids.shape
    shared = len(values) == 1
    for image in range(count):
        v = values[0 if shared else image]
        for y in range(height):
            for x in range(width):
                face = ids[image, y, x]
                if face < 0:
                    continue
                a, b, c = triangles[face, 0], triangles[face, 1], triangles[face, 2]
                w = weights[image, y, x]
                for channel in range(v.shape[1]):
                    picture[image, channel, y, x] = (
                        w[0] * v[a, channel] + w[1] * v[b, channel] + w[2] * v[c, channel]
                    )


@njit(cache=True, nogil=True, error_model="numpy")
def mix_backward(values, triangles, ids, weights, gradient, to_values, to_weights):
    """Add the derivatives along `gradient` (B, C, H, W) of `mix` to zeros of the inputs' shapes."""
    count, height, width = ids.shape
    shared = len(values) == 1
    for image in range(count):
        v, r = values[0 if shared else image], to_values[0 if shared else image]
        for y in range(height):
            for x in range(width):
                face = ids[image, y, x]
                if face < 0:
                    continue
                a, b, c = triangles[face, 0], triangles[face, 1], triangles[face, 2]
                w = weights[image, y, x]
                da = db = dc = w[0] * 0
                for channel in range(v.shape[1]):
                    g = gradient[image, channel, y, x]
                    r[a, channel] += w[0] * g
                    r[b, channel] += w[1] * g
                    r[c, channel] += w[2] * g
                    da += v[a, channel] * g
                    db += v[b, channel] * g
                    dc += v[c, channel] * g
                to_weights[image, y, x] = da, db, dc


@njit(cache=True, nogil=True, error_model="numpy")
def soften(positions, normals, frame, sine, spread, depth, taps, disc, visible):
    """Write the share of the key light that reaches each pixel; see `visage.faces.shadow`.

    Args:
        positions: (B, 3, H, W) float32, mm.
        normals: (B, 3, H, W) float32.
        frame: (B, 3, 4) float32, from positions to texels x, y and depth.
        sine: (B,) float32, of the light's angular radius.
        spread: (B,) float32, radius of the half-shadow in texels, per mm to what casts it.
        depth: (B, S, S) float32, mm.
        taps: (B,) int64, how many points of the disc to use, every second one for the search.
        disc: (B, K, 3) float32, points in the unit disc, and their distances from its middle.
        visible: (B, H, W) float32, zeros; overwritten.
    """
    count, height, width = visible.shape
    for image in range(count):
        f = frame[image]
        scale = np.sqrt(f[0, 0] ** 2 + f[0, 1] ** 2 + f[0, 2] ** 2)
        for row in range(height):
            for column in range(width):
                n = normals[image, :, row, column]
                cosine = -(f[2, 0] * n[0] + f[2, 1] * n[1] + f[2, 2] * n[2])
                if not (cosine > -sine[image] and (n[0] != 0 or n[1] != 0 or n[2] != 0)):
                    continue
                p = positions[image, :, row, column]
                x = f[0, 0] * p[0] + f[0, 1] * p[1] + f[0, 2] * p[2] + f[0, 3]
                y = f[1, 0] * p[0] + f[1, 1] * p[1] + f[1, 2] * p[2] + f[1, 3]
                z = f[2, 0] * p[0] + f[2, 1] * p[1] + f[2, 2] * p[2] + f[2, 3]
                steep = max(cosine, np.float32(MIN_COSINE)) * scale
                tilt_x = (f[0, 0] * n[0] + f[0, 1] * n[1] + f[0, 2] * n[2]) / (steep * scale)
                tilt_y = (f[1, 0] * n[0] + f[1, 1] * n[1] + f[1, 2] * n[2]) / (steep * scale)
                slack = np.float32(SLACK) * scale / (steep * steep)
                place = (x, y, z, tilt_x, tilt_y, slack)
                hidden = _hidden(place, spread[image], depth[image], disc[image, : taps[image]])
                visible[image, row, column] = 1 - hidden


# Averages need no fixed order of summation. NaN and infinity still mean what they mean.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _hidden(place, spread, depth, disc):
    """Compare a place, in texels and mm, with a shadow map (S, S)."""
    x, y, z, tilt_x, tilt_y, slack = place
    last, none = np.float32(len(depth) - 1), np.float32(0)
    if not (0 <= x <= last and 0 <= y <= last and np.isfinite(z)):
        return none
    total = distance = none
    reach = max(np.float32(REACH) * spread, np.float32(2 * MIN_HALF_SHADOW))
    for k in range(0, len(disc), 2):
        u = min(max(x + reach * disc[k, 0], none), last)
        v = min(max(y + reach * disc[k, 1], none), last)
        i, j = int(u + np.float32(0.5)), int(v + np.float32(0.5))
        weight = _hides(
            z + tilt_x * (i - x) + tilt_y * (j - y) - slack * reach * disc[k, 2] - depth[j, i]
        )
        total += weight
        distance += weight * (z - depth[j, i])
    # Fully lit, or deep in the shadow: most pixels are done here.
    if total == 0 or total == (len(disc) + 1) // 2:
        return np.float32(total > 0)
    half = max(spread * distance / total, np.float32(MIN_HALF_SHADOW))
    total = none
    for k in range(len(disc)):
        u = min(max(x + half * disc[k, 0], none), last)
        v = min(max(y + half * disc[k, 1], none), last)
        i, j = min(int(u), len(depth) - 2), min(int(v), len(depth) - 2)
        plane = z + tilt_x * (i - x) + tilt_y * (j - y) - slack * half * disc[k, 2]
        a, b = _hides(plane - depth[j, i]), _hides(plane + tilt_x - depth[j, i + 1])
        upper = a + (u - i) * (b - a)
        a = _hides(plane + tilt_y - depth[j + 1, i])
        b = _hides(plane + tilt_x + tilt_y - depth[j + 1, i + 1])
        lower = a + (u - i) * (b - a)
        total += upper + (v - j) * (lower - upper)
    return np.float32(total / len(disc))


@njit(cache=True, nogil=True, error_model="numpy")
def _hides(gap):
    return min(max((gap - np.float32(BIAS)) * np.float32(1 / RAMP), np.float32(0)), np.float32(1))
