"""Normals and Laplacian of depth maps: planes, spheres, loops, edges, and what is refused."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visage.geometry.errors import DepthError
from visage.geometry.surface_normals import (
    depth_laplacian,
    difference,
    normals_of_depth,
    surrounded,
)


def plane(p, q, size=7, scale=1.0):
    """Depth p mm a mm to the right and q mm a mm up."""
    v, u = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return ((p * u.double() - q * v.double()) / scale).view(1, 1, size, size)


def sphere(radius, size=61, scale=1.0):
    """Depth of a sphere in the middle, and its mask, and its true normals."""
    v, u = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    x, y = ((u - (size - 1) / 2) / scale).double(), (((size - 1) / 2 - v) / scale).double()
    squared = radius**2 - x**2 - y**2
    mask = squared > 0
    z = squared.clamp(min=0).sqrt()
    depth = torch.where(mask, -z, torch.inf)
    normals = torch.stack([x, y, z]) / radius * mask
    return depth[None, None], mask[None, None].double(), normals[None]


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.2, 4))
def test_planes_have_one_normal_and_do_not_bend(p, q, scale):
    depth = plane(p, q, scale=scale)
    ones = torch.ones_like(depth)
    found = normals_of_depth(depth, ones, torch.tensor([scale]).double())
    wanted = torch.tensor([p, q, 1.0]).double() / math.sqrt(p * p + q * q + 1)
    assert torch.allclose(found, wanted.view(1, 3, 1, 1).expand_as(found), atol=1e-9)
    assert depth_laplacian(depth, ones).abs().max() < 1e-9


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_spheres_have_radial_normals(scale):
    depth, mask, wanted = sphere(28.0 / scale, scale=scale)
    found = normals_of_depth(depth, mask, torch.tensor([scale]).double())
    facing = (wanted[:, 2:] > 0.6) & (mask > 0)
    angle = (found * wanted).sum(1, keepdim=True).clamp(-1, 1).acos()
    assert torch.rad2deg(angle[facing]).max() < 0.3
    lengths = found.norm(dim=1, keepdim=True)
    assert torch.allclose(lengths, mask)
    bend = depth_laplacian(depth, mask)[0, 0, 30, 30]
    assert math.isclose(bend, 2 / (28.0 / scale) / scale**2, rel_tol=1e-3)


def test_normals_and_laplacian_are_loops():
    generator = torch.Generator().manual_seed(0)
    depth = torch.randn(1, 1, 6, 5, generator=generator, dtype=torch.float64)
    inside = torch.rand(1, 1, 6, 5, generator=generator) > 0.25
    scale = torch.tensor([1.7]).double()
    found = normals_of_depth(depth.masked_fill(~inside, torch.inf), inside.double(), scale)
    bend = depth_laplacian(depth.masked_fill(~inside, torch.nan), inside.double())

    def at(y, x):
        there = 0 <= y < 6 and 0 <= x < 5 and bool(inside[0, 0, y, x])
        return float(depth[0, 0, y, x]) if there else None

    def slope(before, here, after):
        steps = [b - a for a, b in ((before, here), (here, after)) if None not in (a, b)]
        return sum(steps) / len(steps) if steps else 0.0

    for y in range(6):
        for x in range(5):
            here = at(y, x)
            if here is None:
                assert found[0, :, y, x].abs().max() == 0
                assert bend[0, 0, y, x] == 0
                continue
            around = [at(y, x - 1), at(y, x + 1), at(y - 1, x), at(y + 1, x)]
            right = 1.7 * slope(around[0], here, around[1])
            down = 1.7 * slope(around[2], here, around[3])
            wanted = torch.tensor([right, -down, 1.0]).double()
            assert torch.allclose(found[0, :, y, x], wanted / wanted.norm())
            whole = sum(around) - 4 * here if None not in around else 0.0
            assert math.isclose(bend[0, 0, y, x], whole, abs_tol=1e-12)
            assert bool(surrounded(inside)[0, 0, y, x]) == (None not in around)


def test_a_constant_and_what_is_outside_change_nothing():
    depth, mask, _ = sphere(20.0, size=41)
    scale = torch.ones(1).double()
    found = normals_of_depth(depth, mask, scale)
    other = torch.where(mask > 0, depth + 123.0, -7.0)
    assert torch.allclose(normals_of_depth(other, mask, scale), found)
    assert torch.allclose(depth_laplacian(other, mask), depth_laplacian(depth, mask))
    assert torch.equal(normals_of_depth(depth, mask > 0, scale), found)


def test_scale_is_each_face_s_own():
    depth = torch.cat([plane(0.5, 0.25, scale=s) for s in (1.0, 3.0)])
    found = normals_of_depth(depth, torch.ones_like(depth), torch.tensor([1.0, 3.0]).double())
    assert torch.allclose(found[0], found[1])


def test_gradcheck():
    generator = torch.Generator().manual_seed(1)
    depth = torch.randn(2, 1, 4, 5, generator=generator, dtype=torch.float64).requires_grad_()
    mask = (torch.rand(2, 1, 4, 5, generator=generator) > 0.2).double()
    scale = torch.tensor([0.8, 1.3]).double().requires_grad_()
    check = torch.autograd.gradcheck
    assert check(lambda d, s: normals_of_depth(d, mask, s), (depth, scale))
    assert check(lambda d: depth_laplacian(d, mask), (depth,))


def test_gradients_do_not_come_from_infinity():
    depth, mask, _ = sphere(10.0, size=25)
    depth.requires_grad_()
    normals = normals_of_depth(depth, mask, torch.ones(1).double())
    (normals.sum() + depth_laplacian(depth, mask).abs().sum()).backward()
    assert depth.grad.isfinite().all()
    assert depth.grad[mask == 0].abs().max() == 0


def test_tiny_and_empty_pictures_are_answered():
    one = torch.ones(1, 1, 1, 1)
    assert normals_of_depth(one, one, torch.ones(1)).flatten().tolist() == [0, 0, 1]
    assert depth_laplacian(one, one).item() == 0
    none = torch.full((1, 1, 4, 4), torch.inf)
    assert normals_of_depth(none, torch.zeros_like(none), torch.ones(1)).abs().max() == 0
    assert difference(one, one > 0, 3).item() == 0


def test_bad_input_is_refused():
    depth, mask, scale = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4), torch.ones(2)
    with pytest.raises(DepthError, match=r"\(B, 1, H, W\)"):
        normals_of_depth(depth[:, 0], mask[:, 0], scale)
    with pytest.raises(DepthError, match="mask"):
        depth_laplacian(depth, mask[:1])
    with pytest.raises(DepthError, match="pixels a millimetre"):
        normals_of_depth(depth, mask, scale[:1])
    with pytest.raises(DepthError, match="positive"):
        normals_of_depth(depth, mask, 0 * scale)
    with pytest.raises(DepthError, match="not finite"):
        normals_of_depth(depth + torch.inf, mask, scale)
