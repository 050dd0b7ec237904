"""The compiled loops that draw strands; `visage.faces.strands` checks their input.

`visage.faces.strand_torch` has the same in plain torch for other devices. One core a call, as in
`visage.faces.compiled`.
"""

import numpy as np
from numba import njit

from visage.faces.polylines import TIP

BURIED = 1.5
"""mm that a strand may lie behind the surface of the head and still be seen: roots do."""

RAMP = 1.5
"""mm over which what lies deeper disappears, so that no step shows."""

END = 0.5
"""Pixels over which a segment ends along its line, where the next one begins."""

OPAQUE = 1 / 256
"""What is behind hair that lets less through than this is not drawn."""

BINS = 1 << 14
"""Depths that the order of segments tells apart: about 0.03 mm on a head."""

STRIDE = 1.2
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


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def splat(points, zoom, width, colours, segment, ranks, head, colour, through, depth):
    """Blend segments front to back.

    Args:
        points: (N, 3) float32, pixels and depth.
        zoom: (N,) float32, pixels a mm at each point.
        width: (S,) float32, mm.
        colours: (N, 3) float32, radiance.
        segment: first (M,), last (M,), strand (M,) int64 and part (M, 2) float32.
        ranks: (M,) int64, order of drawing.
        head: (H, W) float32, mm, depth of the head.
        colour: (3, H, W) float32, zeros; overwritten.
        through: (H, W) float32, ones; overwritten with what shines through.
        depth: (H, W) float32, infinite; overwritten.
    """
    height, wide = head.shape
    first, last, strand, part = segment
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    end = np.float32(END)
    for i in ranks:
        a, b = first[i], last[i]
        ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
        dx, dy, dz = points[b, 0] - ax, points[b, 1] - ay, points[b, 2] - az
        length = np.sqrt(dx * dx + dy * dy)
        if length < np.float32(1e-4):
            continue
        ux, uy = dx / length, dy / length
        taper = one - np.float32((1 - TIP) / 2) * (part[i, 0] + part[i, 1])
        thick = half * width[strand[i]] * taper * half * (zoom[a] + zoom[b])
        reach = thick + half
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
        low, high = min(start, stop) - reach, max(start, stop) + reach
        if not (low < limit and high > -1):
            continue
        from_p, to_p = int(np.ceil(max(low, zero))), int(np.floor(min(high, np.float32(limit - 1))))
        for p in range(from_p, to_p + 1):
            middle = other + (p - origin) * slope
            if not (middle + across >= 0 and middle - across <= cross_limit - 1):
                continue
            from_q = int(np.ceil(max(middle - across, zero)))
            to_q = int(np.floor(min(middle + across, np.float32(cross_limit - 1))))
            for q in range(from_q, to_q + 1):
                x, y = (q, p) if steep else (p, q)
                left = through[y, x]
                if left < np.float32(OPAQUE):
                    continue
                px, py = np.float32(x) - ax, np.float32(y) - ay
                along, aside = px * ux + py * uy, px * uy - py * ux
                cover = min(aside + half, thick) - max(aside - half, -thick)
                if cover <= 0:
                    continue
                run = min(along + half * end, length) - max(along - half * end, zero)
                if run <= 0:
                    continue
                t = min(max(along / length, zero), one)
                z = az + t * dz
                seen = (head[y, x] + np.float32(BURIED + RAMP) - z) / np.float32(RAMP)
                seen = min(max(seen, zero), one)
                alpha = min(cover, one) * run / end * seen
                if alpha <= 0:
                    continue
                weight = left * alpha
                for c in range(3):
                    ca = colours[a, c]
                    colour[c, y, x] += weight * (ca + t * (colours[b, c] - ca))
                rest = left - weight
                through[y, x] = rest
                if left >= half and rest < half:
                    depth[y, x] = z


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
