"""Both ways to draw against a naive loop, against each other, and on meshes that make no sense."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.faces import visibility
from visage.faces.raster import (
    BACKGROUND,
    RasterError,
    visible_layers,
    visible_triangles,
    z_buffer,
)

TRIANGLE = torch.tensor([[0, 1, 2]])


def in_torch(points, triangles, height, width, *, perspective=False):
    """The path of other devices, on the CPU."""
    points = visibility._with_key(points, perspective)
    nothing = torch.full((len(points), height, width), -torch.inf)
    return visibility._draw_torch(points, triangles, nothing)[0]


BOTH = pytest.mark.parametrize("draw", [visible_triangles, in_torch], ids=["compiled", "torch"])


def soup(seed, triangles=40, size=16, batch=2, dtype=torch.float32):
    """Triangles of all sizes, crossing each other and the frame, 300 to 500 mm away."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(batch, triangles, 1, 3, generator=generator, dtype=dtype) * size
    spread = torch.rand(batch, triangles, 1, 1, generator=generator, dtype=dtype) ** 2 * size
    corner = torch.randn(batch, triangles, 3, 3, generator=generator, dtype=dtype)
    points = (centre + spread * corner).flatten(1, 2)
    points[..., 2] = 400 + 100 * torch.tanh(points[..., 2] / size)
    return points, torch.arange(3 * triangles).view(-1, 3)


def naive(points, triangles, height, width):
    """For each pixel, solve for each triangle's barycentric coordinates."""
    ids = np.full((height, width), BACKGROUND)
    for y in range(height):
        for x in range(width):
            nearest = np.inf
            for index, triangle in enumerate(triangles.tolist()):
                corners = points[triangle].double().numpy()
                system = np.stack([corners[:, 0], corners[:, 1], np.ones(3)])
                weights = np.linalg.solve(system, [x, y, 1])
                if (weights >= 0).all() and weights @ corners[:, 2] < nearest:
                    nearest, ids[y, x] = weights @ corners[:, 2], index
    return torch.from_numpy(ids)


def naive_rays(points, triangles, height, width):
    """For each pixel, cut the ray with each triangle in space; a camera of focal length 1."""
    ids = np.full((height, width), BACKGROUND)
    space = points.double().numpy().copy()
    space[:, :2] *= space[:, 2:]
    for y in range(height):
        for x in range(width):
            nearest = np.inf
            for index, triangle in enumerate(triangles.tolist()):
                a, b, c = space[triangle]
                along, second, third = np.linalg.solve(
                    np.stack([np.array([x, y, 1.0]), a - b, a - c], 1), a
                )
                if min(second, third, 1 - second - third) >= 0 and along < nearest:
                    nearest, ids[y, x] = along, index
    return torch.from_numpy(ids)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_a_naive_loop(draw, dtype):
    points, triangles = soup(0, triangles=20, size=11, dtype=dtype)
    ids = draw(points, triangles, 11, 9)
    expected = torch.stack([naive(one, triangles, 11, 9) for one in points])
    assert ids.unique().numel() > 8
    assert torch.equal(ids.long(), expected)


@BOTH
def test_agrees_with_naive_rays_in_perspective(draw):
    points, triangles = soup(2, triangles=20, size=11)
    points[..., 2] = 100 + (points[..., 2] - 300) * 5  # steep, so that linear depth misleads
    ids = draw(points, triangles, 11, 9, perspective=True)
    expected = torch.stack([naive_rays(one, triangles, 11, 9) for one in points])
    assert torch.equal(ids.long(), expected)
    assert not torch.equal(ids, draw(points, triangles, 11, 9))


@BOTH
def test_top_left_rule(draw):
    """Four unit squares of two triangles each: every pixel centre lies on edges or corners."""
    grid = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0))
    points = torch.cat([grid.flip(1), torch.ones(9, 1)], 1)[None]
    squares = torch.tensor([[0, 1, 3], [1, 4, 3]])
    triangles = torch.cat([squares + shift for shift in (0, 1, 3, 4)])
    expected = [[0, 2, -1], [4, 6, -1], [-1, -1, -1]]
    assert draw(points, triangles, 3, 3)[0].tolist() == expected


coordinate = st.one_of(
    st.integers(-3, 12).map(float),
    st.floats(-20, 30, width=32),
    st.sampled_from([0.5, 1e-20, -1e-40, 1e6, -3e30, 3.4e38, float("nan"), float("inf")]),
)
depths = st.one_of(st.integers(-2, 3).map(float), coordinate)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(coordinate, coordinate, depths), min_size=3, max_size=12),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_both_draw_the_same_picture(corners, random, perspective, dtype):
    points = torch.tensor([corners, corners[::-1]], dtype=dtype)
    triangles = torch.tensor([[random.randrange(len(corners)) for _ in "abc"] for _ in range(9)])
    ids, depth = z_buffer(points, triangles, 9, 10, perspective=perspective)
    key = visibility._with_key(points, perspective)
    nothing = torch.full(ids.shape, -torch.inf)
    torch_ids, torch_key = visibility._draw_torch(key, triangles, nothing)
    assert torch.equal(ids, torch_ids)
    seen = ids >= 0
    assert torch.equal(depth[seen], ((1 / torch_key).abs() if perspective else torch_key)[seen])
    assert (depth[~seen] == torch.inf).all()


@BOTH
@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_closed_sheet_is_drawn_once(draw, data):
    """A grid with moved inner vertices: each pixel in exactly one triangle, whatever the ties."""
    step = st.sampled_from([-0.75, -0.5, 0.0, 0.25, 0.5]) | st.floats(-0.875, 0.875, width=32)
    n = 4
    grid = torch.cartesian_prod(torch.arange(float(n)), torch.arange(float(n))).flip(1) * 2
    inner = ((grid > 0) & (grid < 2 * n - 2)).all(1)
    moves = torch.tensor(
        [[data.draw(step), data.draw(step)] if i else [0.0, 0.0] for i in inner.tolist()]
    )
    points = torch.cat([grid + moves, torch.ones(n * n, 1)], 1)[None]
    corner = torch.arange(n * n).view(n, n)[:-1, :-1].flatten()
    triangles = torch.cat(
        [
            torch.stack([corner, corner + 1, corner + n], 1),
            torch.stack([corner + 1, corner + n + 1, corner + n], 1),
        ]
    )
    p = points[0, triangles]
    first, second = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    if not (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] > 1e-3).all():
        return  # folded: then a pixel may rightly be covered twice
    size = 2 * n - 2
    alone = [draw(points, triangle[None], size, size) >= 0 for triangle in triangles]
    assert torch.equal(torch.stack(alone).sum(0), torch.ones(1, size, size, dtype=torch.long))


@BOTH
@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(-5, 5), st.integers(-5, 5))
def test_symmetries(draw, seed, right, down):
    points, triangles = soup(seed, triangles=12, dtype=torch.float64)
    points = (points * 1024).round() / 1024  # so that the shift is exact
    ids = draw(points, triangles, 12, 12)
    assert torch.equal(draw(points, triangles.roll(1, 1), 12, 12), ids)
    assert torch.equal(draw(points, triangles.flip(1), 12, 12), ids)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    permuted = draw(points, triangles[order], 12, 12).long()
    assert torch.equal(torch.where(permuted < 0, permuted, order[permuted]).int(), ids)
    shifted = draw(points + points.new_tensor([right, down, 0]), triangles, 24, 24)
    wide = draw(points, triangles, 24, 24)
    overlap = slice(max(down, 0), 24 + min(down, 0)), slice(max(right, 0), 24 + min(right, 0))
    source = slice(max(-down, 0), 24 - max(down, 0)), slice(max(-right, 0), 24 - max(right, 0))
    assert torch.equal(shifted[:, *overlap], wide[:, *source])


@BOTH
def test_the_nearest_wins_and_the_first_of_equals(draw):
    points, _ = soup(0, triangles=1, batch=1)
    points = torch.tensor([[[0.0, 0, 5], [9, 0, 5], [0, 9, 5], [0, 0, 5], [9, 0, 4], [0, 9, 5]]])
    triangles = torch.tensor([[0, 1, 2], [2, 1, 0], [3, 4, 5]])
    ids = draw(points, triangles, 4, 4)
    assert (ids[:, 1:, 1:] == 2).all()
    assert (draw(points, triangles[:2], 4, 4) == 0).all()
    behind = points * points.new_tensor([1, 1, -1])
    assert (draw(behind, triangles, 4, 4)[:, 1:, 1:] == 0).all()


@pytest.mark.parametrize("path", ["compiled", "torch"])
@pytest.mark.parametrize("perspective", [False, True])
def test_layers(monkeypatch, path, perspective):
    """Each pixel's triangles one at a time, sorted by depth."""
    points, triangles = soup(4, triangles=12, size=10)
    if path == "torch":
        monkeypatch.setattr(visibility, "_draw_compiled", visibility._draw_torch)
    layers = visible_layers(points, triangles, 10, 9, 6, perspective=perspective)
    monkeypatch.undo()
    alone = [z_buffer(points, one[None], 10, 9, perspective=perspective)[1] for one in triangles]
    depth, order = torch.stack(alone, 1).sort(dim=1)
    expected = order.masked_fill(depth == torch.inf, BACKGROUND)[:, :6]
    assert torch.equal(layers.long(), expected)
    assert (layers[:, 2] >= 0).any()


DEGENERATE = {
    "zero area": [[1.0, 1, 5], [4, 4, 5], [7, 7, 5]],
    "a point": [[3.0, 3, 5], [3, 3, 5], [3, 3, 5]],
    "a sliver": [[0.0, 3, 5], [7, 3, 5], [3, 3 + 1e-8, 5]],
    "not a number": [[0.0, 0, 5], [9, float("nan"), 5], [0, 9, 5]],
    "depth not a number": [[0.0, 0, 5], [9, 0, float("nan")], [0, 9, 5]],
    "infinite": [[0.0, 0, 5], [float("inf"), 0, 5], [0, 9, 5]],
    "infinitely far": [[0.0, 0, 5], [9, 0, float("inf")], [0, 9, 5]],
    "infinitely near": [[0.0, 0, 5], [9, 0, -float("inf")], [0, 9, 5]],
    "left of the picture": [[-9.0, 0, 5], [-1, 0, 5], [-1, 9, 5]],
    "below the picture": [[0.0, 90, 5], [9, 80, 5], [5, 99, 5]],
}


@BOTH
@pytest.mark.parametrize("corners", DEGENERATE.values(), ids=DEGENERATE.keys())
def test_what_cannot_be_seen_is_background(draw, corners):
    for dtype in (torch.float32, torch.float64):
        points = torch.tensor([corners], dtype=dtype)
        assert (draw(points, TRIANGLE, 8, 8) == BACKGROUND).all()


@BOTH
def test_one_bad_triangle_spoils_no_other(draw):
    good = [[0.0, 0, 5], [9, 0, 5], [0, 9, 5]]
    points = torch.tensor([[*good, *DEGENERATE["not a number"], *DEGENERATE["infinite"]]])
    triangles = torch.arange(9).view(3, 3)
    expected = draw(points, triangles[:1], 8, 8)
    assert torch.equal(draw(points, triangles, 8, 8), expected)
    assert (expected == 0).any()


@BOTH
def test_behind_a_perspective_camera(draw):
    points = torch.tensor([[[0.0, 0, 5], [9, 0, 5], [0, 9, -5]]])
    assert (draw(points, TRIANGLE, 8, 8) >= 0).any()
    assert (draw(points, TRIANGLE, 8, 8, perspective=True) == BACKGROUND).all()
    assert (draw(points * 0 + 3, TRIANGLE, 8, 8, perspective=True) == BACKGROUND).all()


@BOTH
@pytest.mark.parametrize("size", [1e4, 1e9, 1e18])
def test_huge_triangles_fill_the_picture(draw, size):
    points = torch.tensor([[[-size, -size, 5], [size, -size, 5], [0, size, 7]]])
    assert (draw(points, TRIANGLE, 8, 9) == 0).all()


@BOTH
def test_empty(draw):
    points, triangles = soup(0)
    assert draw(points[:0], triangles, 8, 9).shape == (0, 8, 9)
    assert (draw(points, triangles[:0], 8, 9) == BACKGROUND).all()
    assert (draw(points[:, :0], triangles[:0], 8, 9) == BACKGROUND).all()
    assert draw(points, triangles, 1, 1).shape == (2, 1, 1)


def test_torch_path_in_small_pieces(monkeypatch):
    points, triangles = soup(5, triangles=80)
    whole = in_torch(points, triangles, 16, 16)
    monkeypatch.setattr(visibility, "_CANDIDATES", 50)
    assert torch.equal(in_torch(points, triangles, 16, 16), whole)


def test_takes_any_layout_and_integer():
    points, triangles = soup(3)
    ids = visible_triangles(points, triangles, 16, 16)
    strided = points.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    assert torch.equal(visible_triangles(strided, triangles.mT.contiguous().mT.int(), 16, 16), ids)
    assert torch.equal(visible_triangles(points.requires_grad_(), triangles, 16, 16), ids)


def test_threads_side_by_side():
    sets = [soup(seed, triangles=300, size=64) for seed in range(8)]
    expected = [visible_triangles(*one, 64, 64) for one in sets]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: visible_triangles(*one, 64, 64), sets * 4))
    assert all(torch.equal(a, b) for a, b in zip(found, expected * 4, strict=True))


POINTS = torch.zeros(1, 3, 3)


def test_no_layers():
    with pytest.raises(RasterError, match="give at least 1"):
        visible_layers(POINTS, TRIANGLE, 4, 4, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((POINTS[0], TRIANGLE, 4, 4), r"points are \(3, 3\); expected \(B, V, 3\)"),
        ((POINTS[..., :2], TRIANGLE, 4, 4), "points are"),
        ((POINTS.half(), TRIANGLE, 4, 4), "convert them to float32"),
        ((POINTS, TRIANGLE[0], 4, 4), r"triangles are \(3,\)"),
        ((POINTS, TRIANGLE.float(), 4, 4), "expected integers"),
        ((POINTS, TRIANGLE + 1, 4, 4), "vertices 1 to 3, but there are 3"),
        ((POINTS, TRIANGLE - 1, 4, 4), "another mesh"),
        ((POINTS, TRIANGLE.to("meta"), 4, 4), "triangles are on meta"),
        ((POINTS, TRIANGLE, 0, 4), "at least 1×1"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(RasterError, match=message):
        visible_triangles(*arguments)
