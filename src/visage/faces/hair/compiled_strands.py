"""The compiled loops that draw strands; `visage.faces.hair.strands` checks their input.

`visage.faces.hair.strands_torch` has the same in plain torch for other devices. One core a call,
as in `visage.faces.compiled`.
"""

import numpy as np
from numba import njit

from visage.faces.hair.polylines import TIP

BURIED = 1.5
"""mm that a strand may lie behind the surface of the head and still be seen: roots do."""

RAMP = 1.5
"""mm over which what lies deeper disappears, so that no step shows."""

THINNEST = 0.35
"""Pixels, half the width that finer lines are drawn with, fainter in turn."""

END = 0.5
"""Pixels over which a segment ends along its line, where the next one begins."""

OPAQUE = 1 / 128
"""What is behind hair that lets less through than this is not drawn."""

BINS = 1 << 14
"""Depths that the order of segments tells apart: about 0.03 mm on a head."""

TILE = 4
"""Pixels on a side of the tiles that are left out once all their pixels are closed."""

CLOSED = -1e9
"""mm, depth of the head that is written where no later segment can be seen."""

LONGEST = 10.0
"""mm of depth that segments span at most, nearly: what is nearest is not always drawn first."""

STRIDE = 1.8
"""Pixels; points that are closer on average are left out, so that small pictures cost less."""

CAST_STEPS = 4
"""Samples a segment in the shadow map; texels are about as large as segments are long."""


@njit(cache=True, nogil=True, error_model="numpy")
def segments(points, starts, first, last, strand, part):
    """List the segments to draw, skipping points that are closer than `STRIDE` pixels on average.

    Args:
        points: (N, 3) float32, pixels and depth.
        starts: (S + 1,) int64.
        first: (N,) int64, overwritten with each segment's first point.
        last: (N,) int64, overwritten with its last.
        strand: (N,) int64, overwritten with its strand.
        part: (N, 2) float32, overwritten with where on the strand it starts and ends, in [0, 1].

    Returns:
        How many segments there are.
    """
    found = 0
    for s in range(len(starts) - 1):
        begin, end = starts[s], starts[s + 1] - 1
        length = np.float32(0)
        for j in range(begin, end):
            x, y = points[j + 1, 0] - points[j, 0], points[j + 1, 1] - points[j, 1]
            length += np.sqrt(x * x + y * y)
        if not np.isfinite(length):
            # Some point is not in front of the camera: the finite segments are drawn as they are.
            stride = 1
        else:
            stride = int(min(max(STRIDE * (end - begin) / max(length, 1e-3), 1.0), 64.0))
        j = begin
        while j < end:
            k = min(j + stride, end)
            if np.isfinite(points[j].sum() + points[k].sum()):
                first[found], last[found], strand[found] = j, k, s
                part[found, 0] = (j - begin) / (end - begin)
                part[found, 1] = (k - begin) / (end - begin)
                found += 1
            j = k
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def order(key, low, high, ranks):
    """Sort segments by depth with one counting pass; equal bins keep their order.

    Args:
        key: (M,) float32, depth.
        low: smallest key.
        high: largest key.
        ranks: (M,) int64, overwritten with indices, nearest first.
    """
    counts = np.zeros(BINS + 1, np.int64)
    bins = np.empty(len(key), np.int32)
    scale = np.float32(BINS - 1) / max(high - low, np.float32(1e-6))
    for i in range(len(key)):
        bins[i] = int((key[i] - low) * scale)
        counts[bins[i] + 1] += 1
    for b in range(BINS):
        counts[b + 1] += counts[b]
    for i in range(len(key)):
        ranks[counts[bins[i]]] = i
        counts[bins[i]] += 1


# All numbers are finite here: `segments` leaves out what is not.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nnan", "ninf"})
def splat(points, zoom, width, segment, ranks, buffer, tiles):
    """Find what of the segments is seen: fragments, front to back, with their weights.

    Args:
        points: (N, 3) float32, pixels and depth.
        zoom: (N,) float32, pixels a mm at each point.
        width: (S,) float32, mm.
        segment: first (M,), last (M,), strand (M,) int64 and part (M, 2) float32.
        ranks: (M,) int64, order of drawing.
        buffer: (H, W, 3) float32: what shines through, filled with 1; the strands' depth, infinite;
            the head's depth, finite. Overwritten.
        tiles: (H / TILE, W / TILE) int32, pixels of each tile that are not closed; overwritten.

    Returns:
        owner: (G,) int64, segment of each fragment.
        pixel: (G,) int64, row by row.
        share: (G, 2) float32, place along the segment in [0, 1], and weight.
    """
    owner, pixel, share, made = (
        np.empty(4096, np.int64),
        np.empty(4096, np.int64),
        np.empty((4096, 2), np.float32),
        0,
    )
    height, wide = buffer.shape[:2]
    first, last, strand, part = segment
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    end, deep = np.float32(END), np.float32(BURIED + RAMP)
    for i in ranks:
        a, b, s = first[i], last[i], strand[i]
        ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
        dx, dy, dz = points[b, 0] - ax, points[b, 1] - ay, points[b, 2] - az
        length = np.sqrt(dx * dx + dy * dy)
        if length < np.float32(1e-4):
            continue
        ux, uy = dx / length, dy / length
        taper = one - np.float32((1 - TIP) / 2) * (part[i, 0] + part[i, 1])
        thick = half * width[s] * taper * half * (zoom[a] + zoom[b])
        # A filter as wide as rows (or columns) are apart across the line: then every row adds as
        # much as the line covers there, wherever the line lies between the pixels' centres.
        drawn = max(thick, np.float32(THINNEST))
        spacing = max(abs(ux), abs(uy))
        # The ends of a strand are square, so that one seen end on is a dot, and not nothing.
        begin = -thick if part[i, 0] == 0 else zero
        finish = length + thick if part[i, 1] == 1 else length
        faint, edge = thick / (drawn * spacing), half * spacing
        reach = drawn + edge
        ahead = max(-begin, finish - length) + half * end
        steep = abs(uy) > abs(ux)
        # Walk along the longer side of the segment; across it, as far as the line is thick.
        if steep:
            start, stop, limit, cross_limit = ay, ay + dy, height, wide
            slope, across = dx / dy, reach / abs(uy)
            origin, other = ay, ax
        else:
            start, stop, limit, cross_limit = ax, ax + dx, wide, height
            slope, across = dy / dx, reach / abs(ux)
            origin, other = ax, ay
        margin = ahead * spacing + reach * min(abs(ux), abs(uy))
        low, high = min(start, stop) - margin, max(start, stop) + margin
        if not (low <= limit - 1 and high >= 0):
            continue
        # Most hair is hidden by other hair, or by the head.
        if _all_closed(tiles, ax, ay, dx, dy, reach + ahead, height, wide):
            continue
        nearest, middle_z = min(az, az + dz) - deep, az + half * dz - np.float32(LONGEST) - deep
        from_p, to_p = int(np.ceil(max(low, zero))), int(np.floor(min(high, np.float32(limit - 1))))
        for p in range(from_p, to_p + 1):
            middle = other + (np.float32(p) - origin) * slope
            if not (middle + across >= 0 and middle - across <= cross_limit - 1):
                continue
            from_q = int(np.ceil(max(middle - across, zero)))
            to_q = int(np.floor(min(middle + across, np.float32(cross_limit - 1))))
            for q in range(from_q, to_q + 1):
                x, y = (q, p) if steep else (p, q)
                head = buffer[y, x, 2]
                if head <= nearest:
                    if np.float32(CLOSED) < head <= middle_z:
                        buffer[y, x, 2] = np.float32(CLOSED)
                        tiles[y // TILE, x // TILE] -= 1
                    continue
                left = buffer[y, x, 0]
                px, py = np.float32(x) - ax, np.float32(y) - ay
                along, aside = px * ux + py * uy, px * uy - py * ux
                cover = faint * (min(aside + edge, drawn) - max(aside - edge, -drawn))
                run = min(along + half * end, finish) - max(along - half * end, begin)
                if cover <= 0 or run <= 0:
                    continue
                t = min(max(along / length, zero), one)
                z = az + t * dz
                seen = min(max((head + deep - z) * np.float32(1 / RAMP), zero), one)
                weight = left * min(cover, one) * run * seen / end
                if weight <= 0:
                    continue
                if made == len(owner):
                    owner, pixel = _doubled(owner), _doubled(pixel)
                    share = np.concatenate((share, np.empty_like(share)))
                owner[made], pixel[made] = i, y * wide + x
                share[made, 0], share[made, 1] = t, weight
                made += 1
                buffer[y, x, 0] = left - weight
                if left >= half and left - weight < half:
                    buffer[y, x, 1] = z
                if left - weight < np.float32(OPAQUE):
                    buffer[y, x, 2] = np.float32(CLOSED)
                    tiles[y // TILE, x // TILE] -= 1
    return owner[:made], pixel[:made], share[:made]


@njit(cache=True, nogil=True, error_model="numpy")
def _doubled(array):
    return np.concatenate((array, np.empty_like(array)))


@njit(cache=True, nogil=True, error_model="numpy")
def need(segment, owner, needed):
    """Mark in needed (N,) the points of the segments that fragments belong to."""
    first, last = segment[0], segment[1]
    for i in owner:
        needed[first[i]] = needed[last[i]] = True


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def blend(segment, owner, pixel, share, radiance, colour):
    """Add the fragments' radiance, of points (N, 3), to colour (H · W, 3) float32."""
    first, last = segment[0], segment[1]
    for k in range(len(owner)):
        a, b = first[owner[k]], last[owner[k]]
        t, weight, p = share[k, 0], share[k, 1], pixel[k]
        for c in range(3):
            own = radiance[a, c]
            colour[p, c] += weight * (own + t * (radiance[b, c] - own))


@njit(cache=True, nogil=True, error_model="numpy")
def _all_closed(tiles, ax, ay, dx, dy, reach, height, wide):
    """Whether all tiles that a segment may touch are closed; true when it touches none."""
    zero = np.float32(0)
    left, right = max(min(ax, ax + dx) - reach, zero), max(ax, ax + dx) + reach
    top, bottom = max(min(ay, ay + dy) - reach, zero), max(ay, ay + dy) + reach
    right, bottom = min(right, np.float32(wide - 1)), min(bottom, np.float32(height - 1))
    for row in range(int(top) // TILE, int(bottom) // TILE + 1):
        for column in range(int(left) // TILE, int(right) // TILE + 1):
            if tiles[row, column] > 0:
                return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def cast(places, starts, width, scale, cover, depth):
    """Add to the cover of a shadow map's texels, and keep the smallest depth.

    Args:
        places: (N, 3) float32, texels and mm.
        starts: (S + 1,) int64.
        width: (S,) float32, mm.
        scale: texels a mm.
        cover: (T, T) float32, zeros; share of each texel that strands cover, overlaps counted.
        depth: (T, T) float32, large; overwritten with the nearest strand's.
    """
    size = len(depth)
    for s in range(len(starts) - 1):
        for j in range(starts[s], starts[s + 1] - 1):
            a, b = places[j], places[j + 1]
            length = np.sqrt((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2)
            if not np.isfinite(length + a[2] + b[2]):
                continue
            amount = length * width[s] * scale / CAST_STEPS
            for k in range(CAST_STEPS):
                t = (k + np.float32(0.5)) / CAST_STEPS
                x, y = a[0] + t * (b[0] - a[0]) + 0.5, a[1] + t * (b[1] - a[1]) + 0.5
                if 0 <= x < size and 0 <= y < size:
                    row, column = int(y), int(x)
                    cover[row, column] += amount
                    z = np.float32(a[2] + t * (b[2] - a[2]))
                    depth[row, column] = min(depth[row, column], z)
