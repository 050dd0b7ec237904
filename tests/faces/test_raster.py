"""Interpolation: known values, derivatives, and the compiled loops against plain torch."""

import pytest
import torch
from torch.autograd import gradcheck

from visage.faces import raster
from visage.faces.raster import RasterError, barycentric, interpolate, visible_triangles

# Three triangles, the second steep and in front of the first, the third outside of the picture.
POINTS = torch.tensor(
    [
        [[0.3, -0.2, 9], [8.1, 0.4, 8], [0.7, 7.9, 5], [2.2, 1.1, 3], [6.3, 2.4, 9], [3.1, 6.2, 4]],
        [[0.1, -0.7, 5], [9.2, 0.1, 7], [1.3, 8.8, 9], [1.2, 2.1, 4], [7.3, 1.4, 4], [2.1, 5.2, 6]],
    ],
    dtype=torch.float64,
)
TRIANGLES = torch.tensor([[0, 1, 2], [5, 4, 3], [3, 3, 4]])
IDS = visible_triangles(POINTS, TRIANGLES, 6, 7)

PERSPECTIVE = pytest.mark.parametrize("perspective", [False, True], ids=["weak", "perspective"])
WEIGH = pytest.mark.parametrize(
    "weigh",
    [
        lambda points, perspective: barycentric(points, TRIANGLES, IDS, perspective=perspective),
        lambda points, perspective: raster._barycentric_torch(points, TRIANGLES, IDS, perspective),
    ],
    ids=["compiled", "torch"],
)
MIX = pytest.mark.parametrize(
    "mix",
    [
        lambda values, weights: interpolate(values, TRIANGLES, IDS, weights),
        lambda values, weights: raster._interpolate_torch(
            values if values.ndim == 3 else values[None], TRIANGLES, IDS, weights
        ),
    ],
    ids=["compiled", "torch"],
)


def test_the_picture_shows_both_triangles_and_background():
    assert IDS.unique().tolist() == [-1, 0, 1]


@WEIGH
@PERSPECTIVE
def test_weights(weigh, perspective):
    """They sum to one, and are those of a linear system solved for each pixel."""
    weights = weigh(POINTS, perspective)
    inside = IDS >= 0
    assert torch.allclose(weights.sum(-1), inside.double())
    assert (weights[~inside] == 0).all()
    assert (weights >= 0).all()
    for image, y, x in inside.nonzero().tolist():
        corners = POINTS[image, TRIANGLES[IDS[image, y, x]]]
        if perspective:  # the corners in space, and the pixel's ray through space
            corners = corners * torch.cat([corners[:, 2:].expand(3, 2), torch.ones(3, 1)], 1)
            along = torch.linalg.solve(corners.T, torch.tensor([x, y, 1.0]).double())
            expected = along / along.sum()
        else:
            system = torch.stack([corners[:, 0], corners[:, 1], torch.ones(3)])
            expected = torch.linalg.solve(system, torch.tensor([x, y, 1.0]).double())
        assert torch.allclose(weights[image, y, x], expected)


@WEIGH
@PERSPECTIVE
def test_gradient_of_weights(weigh, perspective):
    points = POINTS.clone().requires_grad_()
    assert gradcheck(lambda points: weigh(points, perspective), points)


@MIX
def test_known_values(mix):
    """What is linear in the picture is reproduced: each pixel's own coordinates."""
    weights = barycentric(POINTS, TRIANGLES, IDS)
    picture = mix(POINTS[..., :2], weights)
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    expected = torch.stack([x, y]).double() * (IDS >= 0)[:, None]
    assert torch.allclose(picture, expected)
    assert picture.is_contiguous()


@MIX
@pytest.mark.parametrize("shape", [(2, 6, 3), (1, 6, 2), (6, 2), (6, 0)])
def test_gradient_of_interpolation(mix, shape):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 6, 7, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert mix(values, weights).shape == (2, shape[-1], 6, 7)
    assert gradcheck(mix, (values, weights))


def test_perspective_weights_lie_on_the_surface():
    """Positions in space, interpolated, project back to the centres of the pixels."""
    space = torch.cat([POINTS[..., :2] * POINTS[..., 2:], POINTS[..., 2:]], -1)
    ids = visible_triangles(POINTS, TRIANGLES, 6, 7, perspective=True)
    weights = barycentric(POINTS, TRIANGLES, ids, perspective=True)
    x, y, z = interpolate(space, TRIANGLES, ids, weights).unbind(1)
    image, row, column = (ids >= 0).nonzero(as_tuple=True)
    assert torch.allclose((x / z)[image, row, column], column.double())
    assert torch.allclose((y / z)[image, row, column], row.double())
    depth = raster.z_buffer(POINTS, TRIANGLES, 6, 7, perspective=True)[1]
    assert torch.allclose(depth[image, row, column].double(), z[image, row, column], rtol=1e-6)


def bumpy_sheet(size, batch=2, cells=24):
    """A sheet of 2 * cells² triangles that fills the picture, in float32."""
    generator = torch.Generator().manual_seed(7)
    n = cells + 1
    grid = torch.cartesian_prod(torch.linspace(0, size, n), torch.linspace(0, size, n))
    points = torch.cat([grid, torch.full((n * n, 1), 600.0)], 1).repeat(batch, 1, 1)
    points += torch.randn(points.shape, generator=generator) * size / cells / 6
    corner = torch.arange(n * n).view(n, n)[:-1, :-1].flatten()
    halves = [[corner, corner + 1, corner + n], [corner + 1, corner + n + 1, corner + n]]
    return points, torch.cat([torch.stack(half, 1) for half in halves])


@PERSPECTIVE
def test_both_paths_agree_to_a_millionth(perspective):
    """Forwards and backwards, in float32, as the module's documentation states."""
    points, triangles = bumpy_sheet(40)
    ids = visible_triangles(points, triangles, 40, 40, perspective=perspective)
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(*points.shape[:2], 5, generator=generator)
    gradient = torch.randn(2, 5, 40, 40, generator=generator)

    def run(weigh, mix):
        leaves = [points.clone().requires_grad_(), values.clone().requires_grad_()]
        picture = mix(leaves[1], triangles, ids, weigh(leaves[0], triangles, ids))
        return picture, *torch.autograd.grad((picture * gradient).sum(), leaves)

    compiled = run(lambda *a: barycentric(*a, perspective=perspective), interpolate)
    plain = run(lambda *a: raster._barycentric_torch(*a, perspective), raster._interpolate_torch)
    for a, b in zip(compiled, plain, strict=True):
        assert (a - b).abs().max() <= 1e-6 * b.abs().max()


def test_float32_is_as_exact_as_its_input():
    points, triangles = bumpy_sheet(40)
    ids = visible_triangles(points, triangles, 40, 40)
    single = barycentric(points, triangles, ids)
    double = barycentric(points.double(), triangles, ids)
    assert single.dtype == torch.float32
    assert (single - double).abs().max() < 1e-7


@WEIGH
def test_triangles_that_lost_their_area_weigh_nothing(weigh):
    """Ids may be kept while the points move."""
    points = (POINTS * 0 + 3).requires_grad_()
    weights = weigh(points, False)
    assert (weights == 0).all()
    (gradient,) = torch.autograd.grad((weights * torch.rand_like(weights)).sum(), points)
    assert (gradient == 0).all()


def test_all_background_and_empty():
    ids = torch.full((2, 6, 7), -1, dtype=torch.int32)
    points = POINTS.clone().requires_grad_()
    weights = barycentric(points, TRIANGLES, ids)
    picture = interpolate(points, TRIANGLES, ids, weights)
    picture.sum().backward()
    assert (picture == 0).all()
    assert (points.grad == 0).all()
    empty = barycentric(POINTS[:0], TRIANGLES, ids[:0])
    assert interpolate(POINTS[:0], TRIANGLES, ids[:0], empty).shape == (0, 3, 6, 7)


def test_background_gets_nothing_and_gives_nothing():
    """NaN behind the mask does not spoil the derivatives before it."""
    weights = barycentric(POINTS, TRIANGLES, IDS).requires_grad_()
    values = POINTS.clone().requires_grad_()
    picture = interpolate(values, TRIANGLES, IDS, weights)
    upstream = torch.ones_like(picture).masked_fill((IDS < 0)[:, None], torch.nan)
    to_values, to_weights = torch.autograd.grad(picture, (values, weights), upstream)
    assert to_values.isfinite().all()
    assert (to_weights[IDS < 0] == 0).all()


WEIGHTS = barycentric(POINTS, TRIANGLES, IDS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: barycentric(POINTS, TRIANGLES, IDS[:1]), "expected integers .* with B = 2"),
        (lambda: barycentric(POINTS, TRIANGLES, IDS.float()), "expected integers"),
        (lambda: barycentric(POINTS, TRIANGLES[:1], IDS), "ids go up to 1, but there are 1"),
        (lambda: barycentric(POINTS[:, :4], TRIANGLES, IDS), "another mesh"),
        (lambda: barycentric(POINTS, TRIANGLES, IDS.to("meta")), "ids are on meta"),
        (lambda: interpolate(POINTS[0, 0], TRIANGLES, IDS, WEIGHTS), r"values are \(3,\)"),
        (lambda: interpolate(POINTS.long(), TRIANGLES, IDS, WEIGHTS), "convert them to float32"),
        (lambda: interpolate(POINTS.repeat(2, 1, 1), TRIANGLES, IDS, WEIGHTS), "with B = 2"),
        (lambda: interpolate(POINTS, TRIANGLES, IDS, WEIGHTS[:, 1:]), "weights are"),
        (lambda: interpolate(POINTS[:, :4], TRIANGLES, IDS, WEIGHTS), "another mesh"),
        (lambda: interpolate(POINTS, TRIANGLES[:1], IDS, WEIGHTS), "ids go up to 1"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(RasterError, match=message):
        call()
