"""Strands in plain torch, for devices that the compiled loops do not run on.

The same picture as `visage.faces.hair.compiled_strands` and `visage.faces.hair.compiled_light`
draw, but for rounding. Where those loop over segments, this lists all (segment, pixel) pairs, sorts
them by pixel and depth, and blends them with one running sum of log(1 - alpha).
"""

import torch
from torch import Tensor

from visage.faces.directions import unit
from visage.faces.hair import compiled_light as optics
from visage.faces.hair.compiled_strands import (
    BINS,
    BURIED,
    CAST_STEPS,
    END,
    OPAQUE,
    RAMP,
    STRIDE,
    THINNEST,
)
from visage.faces.hair.polylines import TIP

_PAIRS = 1 << 21  # (segment, pixel) pairs held at a time


def owners(starts: Tensor) -> Tensor:
    """(N,) the strand that each point belongs to."""
    return torch.repeat_interleave(starts.diff())


def light_up(
    head: Tensor,
    view: Tensor,
    starts: Tensor,
    colour: Tensor,
    openness: Tensor,
    rotation: Tensor,
    eye: bool,
    sky: Tensor,
    key: Tensor,
    shadow: tuple[Tensor, Tensor],
    shine: float,
) -> Tensor:
    """(N, 3) what each point sends to the camera; see `visage.faces.hair.compiled_light`."""
    strand = owners(starts)
    index = torch.arange(len(view), device=view.device)
    after = torch.minimum(index + 1, starts[strand + 1] - 1)
    before = torch.maximum(index - 1, starts[strand])
    tangent = unit(view[after] - view[before])
    outward = head - head.new_tensor(optics.AXIS)
    outward = torch.stack([outward[:, 0], outward[:, 1].clamp(min=0), outward[:, 2]], 1)
    normal = unit(outward @ rotation.T)
    normal = unit(normal - 0.7 * (normal * tangent).sum(1, keepdim=True) * tangent)
    towards = -unit(view) if eye else torch.tensor([0.0, 0.0, 1.0]).to(view).expand_as(view)
    middle = unit(key[0] + towards)

    def product(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(1)

    t_l, n_l = tangent @ key[0], normal @ key[0]
    t_m, n_m, t_n = product(tangent, middle), product(normal, middle), product(tangent, normal)
    jitter = optics.JITTER * ((strand * 7919 % 1009) / 504 - 1)

    def lobe(shift: float, power: int) -> Tensor:
        s = shift + jitter
        squared = (t_m + s * n_m) ** 2 / (1 + 2 * s * t_n + s * s)
        return (1 - squared).clamp(min=0) ** (power // 2)

    wrap = ((n_l + optics.WRAP) / (1 + optics.WRAP)).clamp(0, 1)
    sine = (1 - t_l * t_l).clamp(min=0).sqrt()
    behind = (-(towards @ key[0])).clamp(min=0)
    diffuse = wrap * (optics.DIM + (1 - optics.DIM) * sine) + optics.FORWARD * behind**2 * sine
    first = optics.FIRST * shine * wrap * lobe(optics.SHIFT[0], optics.SHARP)
    second = optics.SECOND * shine * wrap * lobe(optics.SHIFT[1], optics.BLUNT)
    x, y, z = normal.unbind(1)
    basis = torch.stack([x**0, y, z, x, x * y, y * z, z * z, x * z, x * x - y * y], 1)
    ambient = (basis @ sky).clamp(min=0) * openness[:, None]
    own = colour[strand]
    tint = own.sqrt() * own / (own + 0.1)
    scattered = own * diffuse[:, None] + first[:, None] + tint * second[:, None]
    open_key = openness.sqrt() * _lit(view, *shadow)
    return key[1] * open_key[:, None] * scattered + ambient * (own + shine * optics.SHEEN)


def _lit(view: Tensor, frame: Tensor, depth: Tensor) -> Tensor:
    size = len(depth)
    x, y, z = (view @ frame[:, :3].T + frame[:, 3]).unbind(1)
    inside = (x >= 0) & (x < size - 1) & (y >= 0) & (y < size - 1)
    x, y = x.masked_fill(~inside, 0), y.masked_fill(~inside, 0)
    i, j = x.long(), y.long()
    u, v = x - i, y - j

    def passed(row: Tensor, column: Tensor) -> Tensor:
        return torch.exp(-(z - optics.FREE - depth[row, column]).clamp(min=0) / optics.DEPTH)

    upper = torch.lerp(passed(j, i), passed(j, i + 1), u)
    lower = torch.lerp(passed(j + 1, i), passed(j + 1, i + 1), u)
    return torch.where(inside, torch.lerp(upper, lower, v), 1.0)


def segments(points: Tensor, starts: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """First and last points, strands (M,) and parts (M, 2) of the segments to draw."""
    strand = owners(starts)
    steps = (points[1:, :2] - points[:-1, :2]).norm(dim=1)
    within = strand[1:] == strand[:-1]
    length = points.new_zeros(len(starts) - 1)
    length = length.index_add(0, strand[1:][within], steps[within])
    counts = starts.diff() - 1
    stride = (STRIDE * counts / length.clamp(min=1e-3)).clamp(1, 64).long()
    stride = stride.masked_fill(~length.isfinite(), 1)[strand]
    place = torch.arange(len(points), device=points.device) - starts[strand]
    last = starts[strand + 1] - 1
    index = torch.arange(len(points), device=points.device)
    first = ((place % stride == 0) & (index < last)).nonzero()[:, 0]
    end = torch.minimum(first + stride[first], last[first])
    finite = (points[first].sum(1) + points[end].sum(1)).isfinite()
    first, end = first[finite], end[finite]
    owner = strand[first]
    part = torch.stack([first - starts[owner], end - starts[owner]], 1) / counts[owner, None]
    return first, end, owner, part


def order(key: Tensor) -> Tensor:
    """(M,) indices of segments, nearest first; equal bins keep their order."""
    low, high = key.aminmax()
    bins = ((key - low) * ((BINS - 1) / (high - low).clamp(min=1e-6))).int()
    return torch.argsort(bins, stable=True)


def splat(
    points: Tensor,
    zoom: Tensor,
    width: Tensor,
    colours: Tensor,
    segment: tuple[Tensor, Tensor, Tensor, Tensor],
    ranks: Tensor,
    head: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Blend segments; see `visage.faces.hair.compiled_strands.splat`.

    Returns:
        Colour (3, H, W), what shines through (H, W), and depth (H, W).
    """
    height, wide = head.shape
    first, last, strand, part = (each[ranks] for each in segment)
    a, b = points[first], points[last]
    across = b[:, :2] - a[:, :2]
    length = across.norm(dim=1)
    along = across / length.clamp(min=1e-4)[:, None]
    taper = 1 - (1 - TIP) / 2 * part.sum(1)
    thick = 0.25 * width[strand] * taper * (zoom[first] + zoom[last])
    wider, spacing = thick.clamp(min=THINNEST), along.abs().amax(1)
    faint, edge = thick / (wider * spacing), 0.5 * spacing
    begin = torch.where(part[:, 0] == 0, -thick, 0.0)
    finish = torch.where(part[:, 1] == 1, length + thick, length)
    ahead = torch.maximum(-begin, finish - length) + END / 2
    reach = ahead[:, None] * along.abs() + (wider + edge)[:, None] * along.abs().flip(1)
    limit = points.new_tensor([wide - 1, height - 1])
    low = (torch.minimum(a, b)[:, :2] - reach).clamp(min=0).ceil()
    high = torch.minimum(torch.maximum(a, b)[:, :2] + reach, limit).floor()
    drawn = ((low <= high).all(1) & (length >= 1e-4)).nonzero()[:, 0]
    box = (high - low).long() + 1
    ends = box[drawn].prod(1).cumsum(0)
    found, start, done = [], 0, 0
    while start < len(drawn):
        stop = max(start + 1, int(torch.searchsorted(ends, done + _PAIRS, right=True)))
        s = drawn[start:stop]
        index = torch.repeat_interleave(box[s].prod(1))
        place = torch.arange(len(index), device=s.device)
        place = place - (box[s].prod(1).cumsum(0) - box[s].prod(1))[index]
        s = s[index]
        row = place.div(box[s, 0], rounding_mode="floor")
        x, y = low[s, 0].long() + place - row * box[s, 0], low[s, 1].long() + row
        offset = torch.stack([x, y], 1) - a[s, :2]
        run, aside = (
            (offset * along[s]).sum(1),
            offset[:, 0] * along[s, 1] - offset[:, 1] * along[s, 0],
        )
        cover = torch.minimum(aside + edge[s], wider[s]) - torch.maximum(aside - edge[s], -wider[s])
        cover = faint[s] * cover
        ending = torch.minimum(run + END / 2, finish[s]) - torch.maximum(run - END / 2, begin[s])
        t = (run / length[s]).clamp(0, 1)
        z = torch.lerp(a[s, 2], b[s, 2], t)
        seen = ((head[y, x] + BURIED + RAMP - z) / RAMP).clamp(0, 1)
        alpha = cover.clamp(0, 1) * ending.clamp(min=0) / END * seen
        kept = (alpha > 0).nonzero()[:, 0]
        found.append((s[kept], (y * wide + x)[kept], alpha[kept], t[kept], z[kept]))
        start, done = stop, int(ends[stop - 1])
    through, depth = torch.ones_like(head), torch.full_like(head, torch.inf)
    colour = head.new_zeros(3, height * wide)
    if not found:
        return colour.view(3, height, wide), through, depth
    s, pixel, alpha, t, z = map(torch.cat, zip(*found, strict=True))
    by_pixel = torch.argsort(pixel, stable=True)
    s, pixel, alpha, t, z = (each[by_pixel] for each in (s, pixel, alpha, t, z))
    logs = torch.log1p(-alpha.double().clamp(max=1 - 1e-9))
    total = logs.cumsum(0)
    begins = torch.cat([pixel.new_ones(1, dtype=torch.bool), pixel.diff() != 0])
    group = begins.cumsum(0) - 1
    left = torch.exp(total - logs - (total - logs)[begins][group]).float()
    weight = torch.where(left < OPAQUE, 0, left * alpha)
    mixed = torch.lerp(colours[first[s]], colours[last[s]], t[:, None]) * weight[:, None]
    colour.index_add_(1, pixel, mixed.T.contiguous())
    through = (1 - head.new_zeros(height * wide).index_add_(0, pixel, weight)).view_as(head)
    middle = (left >= 0.5) & (left - weight < 0.5)
    depth.view(-1)[pixel[middle]] = z[middle]
    return colour.view(3, height, wide), through.clamp(min=0), depth


def cast(places: Tensor, starts: Tensor, width: Tensor, scale: Tensor, size: int):
    """Cover and nearest depth (T, T) of strands in a shadow map; see `compiled_strands.cast`."""
    cover = places.new_zeros(size * size)
    depth = torch.full_like(cover, torch.inf)
    strand = owners(starts)
    first = (strand[1:] == strand[:-1]).nonzero()[:, 0]
    a, b = places[first], places[first + 1]
    kept = (a.sum(1) + b.sum(1)).isfinite()
    a, b, strand = a[kept], b[kept], strand[first][kept]
    amount = (b - a)[:, :2].norm(dim=1) * width[strand] * scale / CAST_STEPS
    for k in range(CAST_STEPS):
        x, y, z = torch.lerp(a, b, (k + 0.5) / CAST_STEPS).unbind(1)
        x, y = x + 0.5, y + 0.5
        inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
        texel = y[inside].long() * size + x[inside].long()
        cover = cover.index_add(0, texel, amount[inside])
        depth = depth.scatter_reduce(0, texel, z[inside], "amin")
    return cover.view(size, size), depth.view(size, size)
