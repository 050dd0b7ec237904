"""Which triangle a pixel sees: a z-buffer, compiled on the CPU and in plain torch elsewhere.

A pixel belongs to a triangle when its centre lies inside, or on a top or left edge: two triangles
that share an edge never leave a gap and never both claim a pixel. Of the triangles that cover a
pixel the nearest wins, and of equally near ones (in float32) the first in the list. Both sides of
a triangle are drawn.

Both implementations run the same float64 operations in the same order, without fused
multiply-adds, so that they draw the same picture, pixel for pixel. An edge function is written
relative to the pixel, E(a, b) = (a - p) × (b - p), because then E(b, a) = -E(a, b) holds exactly in
floating point, which makes the rule for edges watertight.
"""

import torch
from torch import Tensor

from visage.faces import compiled
from visage.faces.compiled import MIN_DOUBLE_AREA

BACKGROUND = -1
"""Id of a pixel that sees no triangle."""

# (triangle, pixel) pairs that the torch path holds at a time: about half a gigabyte.
_CANDIDATES = 1 << 21
_NOTHING = torch.iinfo(torch.int64).max


def visible_triangles(
    points: Tensor, triangles: Tensor, height: int, width: int, *, perspective: bool = False
) -> Tensor:
    """Find the nearest triangle at the centre of each pixel.

    Not differentiable: which triangle is seen does not change under small motions, except at
    outlines. Derivatives enter with `visage.faces.raster.barycentric`.

    A triangle that has a corner which is not finite, or (in perspective) not in front of the
    camera, is not drawn, nor is one without area.

    Args:
        points: (B, V, 3), pixels x and y (the centre of the top-left pixel is (0, 0)) and depth in
            mm, larger is farther; float32 or float64. As cameras project them.
        triangles: (F, 3) integers, corners in `points`.
        height: of the picture, pixels.
        width: of the picture, pixels.
        perspective: depth is the distance along the axis of a perspective camera. On a planar
            triangle it is then not depth that is linear in the picture, but one over depth.

    Returns:
        (B, height, width) int32, index of a triangle, or `BACKGROUND` (-1).

    Raises:
        RasterError: a shape, a type or an index does not fit.

    >>> points = torch.tensor([[[0.0, 0.0, 1.0], [3.0, 0.0, 1.0], [0.0, 3.0, 1.0]]])
    >>> visible_triangles(points, torch.tensor([[0, 1, 2]]), 4, 4)[0]
    tensor([[ 0,  0,  0, -1],
            [ 0,  0, -1, -1],
            [ 0, -1, -1, -1],
            [-1, -1, -1, -1]], dtype=torch.int32)
    """
    return z_buffer(points, triangles, height, width, perspective=perspective)[0]


def z_buffer(
    points: Tensor, triangles: Tensor, height: int, width: int, *, perspective: bool = False
) -> tuple[Tensor, Tensor]:
    """As `visible_triangles`, with the depth at which each pixel was found.

    Returns:
        ids: (B, height, width) int32.
        depth: (B, height, width) float32, mm; infinite at the background.

    Raises:
        RasterError: a shape, a type or an index does not fit.
    """
    check_mesh(points, triangles)
    ids, key = _draw(_with_key(points.detach(), perspective), triangles, height, width)
    # The absolute value, because the key of what is infinitely far is a zero of either sign.
    return ids, torch.where(ids < 0, torch.inf, (1 / key).abs()) if perspective else key


def visible_layers(
    points: Tensor,
    triangles: Tensor,
    height: int,
    width: int,
    layers: int,
    *,
    perspective: bool = False,
) -> Tensor:
    """Peel a picture: the nearest triangle at each pixel, the one behind it, and so on.

    For what is seen through, such as lashes, hair or glasses: blend the layers from the last to the
    first. Takes as long as that many pictures. Of triangles at the same depth (in float32) only the
    first is kept.

    Args:
        points: (B, V, 3), as in `visible_triangles`.
        triangles: (F, 3) integers.
        height: of the picture, pixels.
        width: of the picture, pixels.
        layers: how many, K.
        perspective: as in `visible_triangles`.

    Returns:
        (B, K, height, width) int32, nearest first; `BACKGROUND` where there are fewer.

    Raises:
        RasterError: a shape, a type or an index does not fit.

    >>> far = torch.tensor([[[0.0, 0.0, 500.0], [9.0, 0.0, 500.0], [0.0, 9.0, 500.0]]])
    >>> points = torch.cat([far, far - torch.tensor([0.0, 0.0, 20.0])], 1)
    >>> visible_layers(points, torch.tensor([[0, 1, 2], [3, 4, 5]]), 1, 1, layers=3).flatten()
    tensor([ 1,  0, -1], dtype=torch.int32)
    """
    check_mesh(points, triangles)
    points = _with_key(points.detach(), perspective)
    peeled, beyond = [], None
    for _ in range(layers):
        ids, beyond = _draw(points, triangles, height, width, beyond)
        peeled.append(ids)
    if not peeled:
        raise RasterError(f"{layers} layers are asked for; give at least 1")
    return torch.stack(peeled, 1)


class RasterError(ValueError):
    """A mesh, or a picture of triangle ids, that cannot be drawn."""


def check_mesh(points: Tensor, triangles: Tensor) -> None:
    """Refuse what would make the compiled loops read outside their arrays.

    Raises:
        RasterError: a shape, a type or an index does not fit.
    """
    if points.ndim != 3 or points.shape[2] != 3:
        raise RasterError(f"points are {tuple(points.shape)}; expected (B, V, 3): x, y and depth")
    if points.dtype not in (torch.float32, torch.float64):
        raise RasterError(f"points are {points.dtype}; convert them to float32 or float64")
    check_triangles(triangles, points.shape[1], points.device)


def check_triangles(triangles: Tensor, vertices: int, device: torch.device) -> None:
    """Refuse triangles that are not (F, 3) integers below `vertices`, on `device`.

    Raises:
        RasterError: the shape, the type, the device or an index does not fit.
    """
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise RasterError(f"triangles are {tuple(triangles.shape)}; expected (F, 3)")
    if triangles.is_floating_point() or triangles.dtype == torch.bool:
        raise RasterError(f"triangles are {triangles.dtype}; expected integers, such as int64")
    if triangles.device != device:
        raise RasterError(f"triangles are on {triangles.device}, points on {device}; move one")
    if triangles.numel():
        low, high = map(int, triangles.aminmax())
        if low < 0 or high >= vertices:
            raise RasterError(
                f"triangles use vertices {low} to {high}, but there are {vertices}; "
                "they belong to another mesh"
            )


def _with_key(points: Tensor, perspective: bool) -> Tensor:
    """Replace depth by what is linear in the picture and orders alike; float64."""
    points = points.to(torch.float64)
    if not perspective:
        return points
    depth = points[..., 2:]
    return torch.cat([points[..., :2], torch.where(depth > 0, -1 / depth, torch.nan)], -1)


def _draw(
    points: Tensor, triangles: Tensor, height: int, width: int, beyond: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Ids and keys (B, H, W) of the smallest keys that are greater than `beyond` (B, H, W)."""
    if height < 1 or width < 1:
        raise RasterError(f"the picture is {height}×{width} pixels; give at least 1×1")
    if beyond is None:
        beyond = torch.full((len(points), height, width), -torch.inf, device=points.device)
    draw = _draw_compiled if points.device.type == "cpu" else _draw_torch
    return draw(points, triangles, beyond)


def _draw_compiled(points: Tensor, triangles: Tensor, beyond: Tensor) -> tuple[Tensor, Tensor]:
    ids = torch.full(beyond.shape, BACKGROUND, dtype=torch.int32)
    key = torch.full(beyond.shape, torch.inf)
    compiled.draw(
        points.contiguous().numpy(),
        triangles.to(torch.int64).contiguous().numpy(),
        beyond.numpy(),
        ids.numpy(),
        key.numpy(),
    )
    return ids, key


def _draw_torch(points: Tensor, triangles: Tensor, beyond: Tensor) -> tuple[Tensor, Tensor]:
    """Order all (triangle, pixel) pairs of the bounding boxes by depth with one scattered minimum.

    Depth and index share an integer, depth in its upper half, so that the result depends on no
    order of execution.
    """
    _, height, width = beyond.shape
    corners = points[:, triangles.long()].flatten(0, 1)  # (B·F, 3, 3)
    a, b, c = corners.unbind(1)
    area = _cross(b - a, c - a)
    limit = points.new_tensor([width - 1, height - 1])
    first = corners[..., :2].amin(1).clamp(min=0).ceil()
    last = torch.minimum(corners[..., :2].amax(1), limit).floor()
    drawn = (first <= last).all(1) & area.isfinite() & (area.abs() >= MIN_DOUBLE_AREA)
    drawn &= corners[..., 2].sum(1).isfinite()

    face = drawn.nonzero()[:, 0]
    turned = (area < 0)[face, None]
    a, b, c = a[face], torch.where(turned, c[face], b[face]), torch.where(turned, b[face], c[face])
    first, box = first[face].long(), (last - first)[face].long() + 1
    ends = box.prod(1).cumsum(0)
    best = torch.full((len(points) * height * width,), _NOTHING, device=points.device)
    start, done = 0, 0
    while start < len(face):
        stop = max(start + 1, int(torch.searchsorted(ends, done + _CANDIDATES, right=True)))
        index, x, y = _pixels(first[start:stop], box[start:stop])
        z, covered = _cover(*(corner[start:stop][index] for corner in (a, b, c)), x, y)
        owner = face[start:stop][index]
        image = owner.div(len(triangles), rounding_mode="floor")
        pixel = (image * height + y) * width + x
        covered &= z > beyond.flatten()[pixel]
        packed = _ordered(z).long() << 32 | owner % len(triangles)
        best.scatter_reduce_(0, pixel[covered], packed[covered], "amin")
        start, done = stop, int(ends[stop - 1])
    best = best.view(len(points), height, width)
    background = best == _NOTHING
    ids = (best & 0xFFFFFFFF).masked_fill(background, BACKGROUND).int()
    return ids, _float(best >> 32).masked_fill(background, torch.inf)


def _pixels(first: Tensor, box: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """List the pixels of boxes (N, 2) at corners (N, 2): index of the box, x and y, each (M,)."""
    counts = box.prod(1)
    index = torch.repeat_interleave(counts)
    place = torch.arange(len(index), device=box.device) - (counts.cumsum(0) - counts)[index]
    width = box[index, 0]
    row = place.div(width, rounding_mode="floor")
    return index, first[index, 0] + place - row * width, first[index, 1] + row


def _cover(a: Tensor, b: Tensor, c: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Depth and coverage (M,) of pixels x, y by the triangles a, b, c, (M, 3) each."""
    pixel = torch.stack([x, y], 1).to(a.dtype)
    da, db, dc = (corner[:, :2] - pixel for corner in (a, b, c))
    u, v, w = _cross(db, dc), _cross(dc, da), _cross(da, db)
    z = ((u * a[:, 2] + v * b[:, 2] + w * c[:, 2]) / (u + v + w)).float()
    covered = z < torch.inf
    for edge, tail, head in ((u, b, c), (v, c, a), (w, a, b)):
        up, level = head[:, 1] < tail[:, 1], head[:, 1] == tail[:, 1]
        covered &= (edge > 0) | ((edge == 0) & (up | (level & (head[:, 0] > tail[:, 0]))))
    return z, covered


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _ordered(z: Tensor) -> Tensor:
    """Integers (int32) in the order of float32 numbers; -0 counts as 0."""
    bits = (z + 0.0).view(torch.int32)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _float(ordered: Tensor) -> Tensor:
    """Invert `_ordered`."""
    bits = ordered.int()
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(torch.float32)
