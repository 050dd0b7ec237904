"""Equations 8, 13 and 14 against loops; units, masks, derivatives, and what descent finds."""

import math

import pytest
import torch

from visage.geometry.errors import DepthError, ShadingError
from visage.geometry.fine_loss import (
    FineLossWeights,
    FineUnits,
    explain,
    fidelity_loss,
    fine_loss,
    shading_loss,
    smoothness_loss,
)
from visage.geometry.light_and_albedo import Recovered, shade
from visage.geometry.surface_normals import depth_laplacian, normals_of_depth

LIGHT = torch.tensor([[0.4, 0.3, 0.2, 0.4]]).double()


def draw(size=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    depth, coarse = torch.randn(2, 1, 1, size, size, generator=generator).double()
    albedo, linear = torch.rand(2, 1, 1, size, size, generator=generator).double()
    mask = (torch.rand(1, 1, size, size, generator=generator) > 0.15).double()
    return depth, coarse, albedo, linear, mask, torch.tensor([1.3]).double()


def known(albedo):
    return Recovered(LIGHT, torch.zeros(1, 2).double(), albedo, 0 * albedo)


def bumpy(size=24, height=0.8):
    """A sphere's front with a fold across it: true depth, coarse depth, mask."""
    v, u = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    x, y = (u - size / 2).double(), (v - size / 2).double()
    coarse = -(19.0**2 - x**2 - y**2).sqrt()
    fold = height * torch.exp(-(((x - 4) / 2.0) ** 2))
    one = torch.ones(1, 1, size, size).double()
    return (coarse - fold)[None, None], coarse[None, None], one


def test_terms_are_loops():
    depth, coarse, albedo, linear, mask, scale = draw()
    normals = normals_of_depth(depth, mask, scale)
    bends = depth_laplacian(depth, mask)
    shading, fidelity, smooth = [], [], []
    for y in range(8):
        for x in range(8):
            if not mask[0, 0, y, x]:
                continue
            n = normals[0, :, y, x]
            lit = LIGHT[0, 0] + sum(LIGHT[0, k + 1] * n[k] for k in range(3))
            shading.append(float(albedo[0, 0, y, x] * lit - linear[0, 0, y, x]) ** 2)
            fidelity.append(float(depth[0, 0, y, x] - coarse[0, 0, y, x]) ** 2)
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            if all(0 <= i < 8 and 0 <= j < 8 and mask[0, 0, i, j] for i, j in around):
                smooth.append(abs(float(bends[0, 0, y, x])))

    def mean(values):
        return sum(values) / len(values)

    outside = torch.where(mask > 0, depth, torch.inf)
    found = shading_loss(outside, linear, albedo, LIGHT, mask, scale)
    assert math.isclose(found, mean(shading))
    assert math.isclose(fidelity_loss(outside, coarse, mask), mean(fidelity))
    assert math.isclose(smoothness_loss(outside, mask), mean(smooth))
    loss = fine_loss(outside, coarse, linear, known(albedo), mask, scale,
                     units=FineUnits(white=255.0, millimetre=0.1))  # fmt: skip
    wanted = 255**2 * mean(shading) + 5e-3 * 0.01 * mean(fidelity) + 0.1 * mean(smooth)
    assert math.isclose(loss.total, wanted)
    parts = loss.shading + loss.fidelity + loss.smoothness
    assert torch.equal(loss.total, parts)


def test_the_weights_are_the_paper_s():
    weights = FineLossWeights()
    assert (weights.shading, weights.fidelity, weights.smoothness) == (1.0, 5e-3, 1.0)
    depth, coarse, albedo, linear, mask, scale = draw()
    one = fine_loss(depth, coarse, linear, known(albedo), mask, scale)
    other = fine_loss(depth, coarse, linear, known(albedo), mask, scale,
                      FineLossWeights(2.0, 0.0, 3.0))  # fmt: skip
    assert torch.allclose(other.shading, 2 * one.shading)
    assert other.fidelity == 0
    assert torch.allclose(other.smoothness, 3 * one.smoothness)


def test_the_truth_has_no_shading_error_and_a_constant_costs_fidelity_alone():
    true, coarse, mask = bumpy()
    scale = torch.ones(1).double()
    albedo = 0.4 * mask
    linear = albedo * shade(normals_of_depth(true, mask, scale), LIGHT)
    assert shading_loss(true, linear, albedo, LIGHT, mask, scale) < 1e-20
    assert shading_loss(true + 5, linear, albedo, LIGHT, mask, scale) < 1e-20
    assert shading_loss(coarse, linear, albedo, LIGHT, mask, scale) > 1e-5
    assert fidelity_loss(coarse + 5, coarse, mask) == 25
    assert torch.allclose(smoothness_loss(true + 5, mask), smoothness_loss(true, mask))


def test_explain_finds_the_light_from_the_coarse_depth():
    true, coarse, mask = bumpy()
    scale = torch.ones(1).double()
    mean, modes = 0.4 * mask, torch.zeros(1, 2, *mask.shape[2:]).double()
    linear = mean * shade(normals_of_depth(true, mask, scale), LIGHT)
    found = explain(linear, coarse, mean, modes, mask, scale)
    assert torch.allclose(found.light, LIGHT, atol=0.12)  # ambient and frontal are alike
    assert found.weights.abs().max() == 0


def test_descent_finds_the_fold():
    true, coarse, mask = bumpy()
    scale = torch.ones(1).double()
    linear = 0.4 * mask * shade(normals_of_depth(true, mask, scale), LIGHT)
    depth = coarse
    for step in range(40):  # by the signs, in ever smaller steps
        depth = depth.detach().requires_grad_()
        loss = fine_loss(depth, coarse, linear, known(0.4 * mask), mask, scale)
        slope = torch.autograd.grad(loss.total.sum(), depth)[0]
        depth = depth - 0.04 * (1 - step / 40) * slope.sign()

    def error(found):
        apart = (found - true)[0, 0, 3:-3, 3:-3].detach()
        return float((apart - apart.mean()).square().mean().sqrt())

    assert error(depth) < 0.7 * error(coarse)


def test_gradcheck():
    depth, coarse, albedo, linear, mask, scale = draw(size=4)
    given = tuple(part.requires_grad_() for part in (depth, coarse, albedo, linear))

    def loss(depth, coarse, albedo, linear):
        return fine_loss(depth, coarse, linear, known(albedo), mask, scale).total

    assert torch.autograd.gradcheck(loss, given)


def test_gradients_end_at_the_mask():
    depth, coarse, albedo, linear, mask, scale = draw()
    outside = torch.where(mask > 0, depth, torch.inf).requires_grad_()
    fine_loss(outside, coarse, linear, known(albedo), mask, scale).total.backward()
    assert outside.grad.isfinite().all()
    assert outside.grad[mask == 0].abs().max() == 0
    assert outside.grad[mask > 0].abs().max() > 0


def test_an_empty_mask_costs_nothing():
    depth, coarse, albedo, linear, mask, scale = draw()
    loss = fine_loss(depth, coarse, linear, known(albedo), 0 * mask, scale)
    assert loss.total == 0


def test_bad_input_is_refused():
    depth, coarse, albedo, linear, mask, scale = draw()
    with pytest.raises(ShadingError, match="expected"):
        fidelity_loss(depth, coarse[..., 1:], mask)
    with pytest.raises(ShadingError, match="expected"):
        shading_loss(depth, linear[..., 1:], albedo, LIGHT, mask, scale)
    with pytest.raises(DepthError, match="not finite"):
        shading_loss(depth * math.nan, linear, albedo, LIGHT, mask, scale)
    with pytest.raises(ShadingError, match="smoothness"):
        FineLossWeights(smoothness=-1.0)
    with pytest.raises(ShadingError, match="shading"):
        FineLossWeights(shading=math.nan)
    with pytest.raises(ShadingError, match="positive"):
        FineUnits(white=0.0)
