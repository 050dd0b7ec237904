"""Warps: what they must do to landmarks, boundary and pixels, and against naive loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.normalization.errors import CoincidentPointsError, NormalizationError
from visage.normalization.spline import polyharmonic_spline
from visage.normalization.warp import SplineWarp, boundary_points, dense_flow, sample, warp

orders = pytest.mark.parametrize("order", [1, 2])


def smooth(batch, height, width, dtype=torch.float32):
    """Pictures (B, 3, H, W) of slow waves, which bilinear reading hardly changes."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    phase = torch.arange(3.0 * batch).view(batch, 3, 1, 1)
    return (0.5 + 0.4 * torch.sin(0.1 * x + phase) * torch.cos(0.08 * y - phase)).to(dtype)


def landmarks(batch, size, seed=0, count=9, dtype=torch.float32):
    """Target points on a shaken grid inside, and source points beside them."""
    generator = torch.Generator().manual_seed(seed)
    side = math.isqrt(count)
    cells = torch.stack(torch.meshgrid(*2 * [torch.arange(side)], indexing="xy"), -1).flatten(0, 1)
    shaken = cells + 0.5 * torch.rand(batch, count, 2, generator=generator) + 0.25
    target = shaken * size / side
    source = target + 0.03 * size * torch.randn(batch, count, 2, generator=generator)
    return source.to(dtype), target.to(dtype)


def read(image, x, y):
    """Bilinear, the border repeated, number by number."""
    height, width = image.shape[-2:]
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    left, top = min(int(x), width - 2), min(int(y), height - 2)
    u, v = x - left, y - top
    upper = (1 - u) * image[:, top, left] + u * image[:, top, left + 1]
    lower = (1 - u) * image[:, top + 1, left] + u * image[:, top + 1, left + 1]
    return (1 - v) * upper + v * lower


@orders
def test_naive_loop(order):
    height, width = 12, 17
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)).double()
    source, target = landmarks(2, 11, dtype=torch.float64)
    found = warp(image, source, target, order=order)
    edge = boundary_points(height, width).double()
    for b in range(2):
        points = torch.cat([target[b], edge])
        moved = torch.cat([source[b], edge]) - points
        for y in range(height):
            for x in range(width):
                here = torch.tensor([[[x, y]]], dtype=torch.float64)
                dx, dy = polyharmonic_spline(points[None], moved[None], here, order)[0, 0].tolist()
                expected = read(image[b], x + dx, y + dy)
                torch.testing.assert_close(found[b, :, y, x], expected, atol=1e-9, rtol=0)


@orders
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_landmarks_move_and_the_boundary_stays(order, seed):
    source, target = landmarks(2, 64, seed)
    target = target.round()  # so that a landmark is a pixel
    flow = dense_flow(source, target, 64, 64, order=order)
    for b in range(2):
        x, y = target[b].long().T
        there = target[b] + flow[b, :, y, x].T
        torch.testing.assert_close(there, source[b], atol=1e-4, rtol=0)
        x, y = boundary_points(64, 64).round().long().T
        exact = (boundary_points(64, 64) == torch.stack([x, y], 1)).all(1)
        assert exact.sum() >= 4
        assert flow[b, :, y[exact], x[exact]].abs().max() < 1e-4


@orders
def test_no_displacement_is_no_change(order):
    image, (_, target) = torch.rand(2, 3, 40, 50), landmarks(2, 40)
    torch.testing.assert_close(warp(image, target, target, order=order), image, atol=1e-5, rtol=0)


@orders
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_affine_maps_are_exact_without_boundary_points(order, seed):
    _, target = landmarks(1, 64, seed)
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.eye(2) + 0.3 * torch.randn(2, 2, generator=generator)
    shift = 10 * torch.randn(2, generator=generator)
    flow = dense_flow(target @ matrix + shift, target, 64, 64, order=order, each_side=0)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    places = torch.stack([x, y], -1)
    expected = (places @ matrix + shift - places).permute(2, 0, 1)
    torch.testing.assert_close(flow[0], expected, atol=1e-3, rtol=0)


@orders
@settings(max_examples=10, deadline=None)
@given(dx=st.integers(-9, 9), dy=st.integers(-9, 9))
def test_a_shifted_problem_has_the_shifted_flow(order, dx, dy):
    """Without the boundary, which would stay."""
    source, target = landmarks(1, 64)
    shift = torch.tensor([float(dx), float(dy)])
    one = dense_flow(source, target, 64, 64, order=order, each_side=0)
    other = dense_flow(source + shift, target + shift, 64, 64, order=order, each_side=0)
    inside = slice(10, 54)
    moved = other.roll((-dy, -dx), (2, 3))
    torch.testing.assert_close(moved[..., inside, inside], one[..., inside, inside],
                               atol=1e-3, rtol=0)  # fmt: skip


@orders
def test_there_and_back(order):
    image, (source, target) = smooth(1, 96, 96), landmarks(1, 96)
    back = warp(warp(image, source, target, order=order), target, source, order=order)
    inner = slice(16, 80)
    assert (back - image)[..., inner, inner].abs().mean() < 0.01
    assert (warp(image, source, target, order=order) - image).abs().mean() > 0.02


@orders
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_prepared_and_shared_targets_give_the_same(order, dtype):
    image, (source, target) = smooth(3, 48, 56, dtype), landmarks(3, 48, dtype=dtype)
    each = warp(image, source, target[:1].expand(3, -1, -1), order=order)
    atol = 1e-9 if dtype == torch.float64 else 1e-4
    shared = warp(image, source, target[:1], order=order)
    torch.testing.assert_close(shared, each, atol=atol, rtol=0)
    prepared = SplineWarp(target[0], (48, 56), order)
    torch.testing.assert_close(prepared(image, source), each, atol=atol, rtol=0)
    one = prepared(image, source[:1])
    torch.testing.assert_close(one[2:], prepared(image[2:], source[:1]))


@pytest.mark.parametrize("order", [1, 2])
def test_float32_agrees_with_float64(order):
    """Compiled loops against torch: pixels and derivatives."""
    source, target = landmarks(2, 48, count=64, seed=3)
    image = smooth(2, 48, 48)
    found = []
    for dtype in (torch.float32, torch.float64):
        leaves = [t.to(dtype).clone().requires_grad_() for t in (image, source, target)]
        result = warp(*leaves, order=order)
        found.append([result, *torch.autograd.grad(result.square().sum(), leaves)])
    for single, double in zip(*found, strict=True):
        assert (single - double).abs().max() < 2e-3 * double.abs().max()


@orders
@pytest.mark.parametrize("items", [1, 2], ids=["shared", "each"])
def test_gradients(order, items):
    """In float64; places between pixels, where bilinear reading has a derivative."""
    image = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    source, target = landmarks(2, 6, count=4, dtype=torch.float64)
    leaves = [t.clone().requires_grad_() for t in (image, source, target[:items])]
    assert torch.autograd.gradcheck(lambda i, s, t: warp(i, s, t, order=order), leaves)


@orders
def test_gradients_of_the_prepared_warp(order):
    source, target = landmarks(2, 6, count=4, dtype=torch.float64)
    prepared = SplineWarp(target[0], 6, order)
    image = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    leaves = image.requires_grad_(), source.requires_grad_()
    assert torch.autograd.gradcheck(prepared, leaves)


@orders
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_on_pixels_are_finite(order, dtype):
    """A landmark at the centre of a pixel is at distance zero from a query."""
    source, target = landmarks(1, 32, dtype=dtype)
    leaves = [smooth(1, 32, 32, dtype), source, target.round()]
    for leaf in leaves:
        leaf.requires_grad_()
    warp(*leaves, order=order).square().mean().backward()
    assert all(leaf.grad.isfinite().all() and leaf.grad.any() for leaf in leaves)


def test_landmarks_can_be_found_by_descent():
    """What training through the warp is about: pull landmarks to where they explain a picture."""
    image, (source, target) = smooth(1, 48, 48), landmarks(1, 48)
    wanted = warp(image, source, target)
    guess = target.clone().requires_grad_()
    optimizer = torch.optim.Adam([guess], 0.2)
    losses = []
    for _ in range(60):
        loss = (warp(image, guess, target) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]


def test_boundary_points():
    points = boundary_points(224, 112, each_side=4)
    assert points.shape == (12, 2)
    assert len({tuple(p) for p in points.tolist()}) == 12
    assert points.aminmax(dim=0).max.tolist() == [111, 223]
    on_edge = (points == 0) | (points == torch.tensor([111.0, 223.0]))
    assert on_edge.any(1).all()
    assert boundary_points(9, 9, each_side=0).shape == (0, 2)


def test_reads_the_border_outside():
    flow = torch.full((1, 2, 5, 6), 100.0)
    image = torch.rand(2, 3, 5, 6)
    assert torch.equal(sample(image, flow), image[..., -1:, -1:].expand(2, 3, 5, 6))


def test_state_holds_no_pictures():
    """The cardinal functions are computed again: they do not belong in a checkpoint."""
    prepared = SplineWarp(landmarks(1, 32)[1][0], 32)
    assert not prepared.state_dict()
    assert prepared.cardinal.shape == (9, 32 * 32)
    assert prepared.double().cardinal.dtype == torch.float64


# Bad input.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": torch.rand(3, 16, 16)}, r"expected \(B, C, H, W\)"),
        ({"image": torch.rand(3, 3, 16, 16)}, "for 3 images"),
        ({"image": torch.rand(2, 3, 16, 16).double()}, "float64"),
        ({"image": (255 * torch.rand(2, 3, 16, 16)).byte()}, "uint8"),
        ({"image": torch.rand(2, 3, 1, 16)}, "sides of at least 2"),
        ({"source": torch.rand(2, 9, 3)}, "source points"),
        ({"source": torch.rand(2, 8, 2)}, "as many of one"),
        ({"source": torch.full((2, 9, 2), torch.nan)}, "source points are NaN"),
        ({"target": torch.full((2, 9, 2), torch.nan)}, "target points are NaN"),
        ({"target": torch.rand(9, 2)}, "target points"),
        ({"target": torch.rand(2, 9, 2, device="meta")}, "meta"),
        ({"order": 0}, "order"),
    ],
)
def test_bad_input(change, message):
    source, target = landmarks(2, 16)
    good = {"image": torch.rand(2, 3, 16, 16), "source": source, "target": target, "order": 1}
    with pytest.raises(NormalizationError, match=message):
        warp(**good | change)


def test_coincident_landmarks_are_named():
    source, target = landmarks(2, 16)
    target[1, 5] = target[1, 2]
    with pytest.raises(CoincidentPointsError, match="2 and 5 of item 1"):
        warp(torch.rand(2, 3, 16, 16), source, target)
    target[1, 5] = 0  # the top-left corner, which is a boundary point
    with pytest.raises(CoincidentPointsError, match="5 and 9 of item 1"):
        warp(torch.rand(2, 3, 16, 16), source, target)
    with pytest.raises(CoincidentPointsError):
        SplineWarp(target[1], 16)


def test_bad_input_of_the_prepared_warp():
    source, target = landmarks(2, 16)
    with pytest.raises(NormalizationError, match=r"expected \(n, 2\)"):
        SplineWarp(target, 16)
    prepared = SplineWarp(target[0], 16)
    with pytest.raises(NormalizationError, match=r"expected \(B, C, 16, 16\)"):
        prepared(torch.rand(2, 3, 16, 17), source)
    with pytest.raises(NormalizationError, match="as many of one"):
        prepared(torch.rand(2, 3, 16, 16), source[:, :5])
