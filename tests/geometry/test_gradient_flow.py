"""What the layer's gradients are measured with: energy, differences, descent, and the way back."""

import pytest
import torch

from visage.geometry.detail import coarse_like
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.gradient_flow import (
    GROUPS,
    agreement,
    depth_apart,
    depth_energy,
    descend,
    energy_differences,
    energy_gradient,
    vertex_gradient,
)
from visage.geometry.rendering_layer import DepthMap, render_depth
from visage.geometry.representation import NUMBERS, FaceNumbers

SIZE = 40


@pytest.fixture(scope="module")
def mesh():
    return FaceMesh.load()


@pytest.fixture(scope="module")
def faces(mesh):
    """A true surface, and a guess of its numbers."""
    generator = torch.Generator().manual_seed(0)
    truth = FaceNumbers.of(0.3 * torch.randn(2, 138, generator=generator))
    return render_depth(mesh, truth, SIZE), coarse_like(truth, generator)


def surface(rows):
    depth = torch.tensor(rows)[None, None]
    mask = depth.isfinite().float()
    height, width = depth.shape[2:]
    ids = torch.zeros(1, height, width, dtype=torch.int32)
    return DepthMap(depth, mask, ids, torch.zeros(1, height, width, 3))


def test_energy_is_half_the_mean_square_on_shared_pixels():
    inf = torch.inf
    truth = surface([[0.0, 1.0], [2.0, inf]])
    assert depth_energy(surface([[3.0, 1.0], [inf, 5.0]]), truth).item() == 9 / 4
    # A pixel that is lost counts as it was around.
    around = surface([[0.0, 2.0], [4.0, 0.0]])
    lost = surface([[0.0, inf], [4.0, inf]])
    assert depth_energy(lost, truth, around).item() == pytest.approx((0 + 1 + 4) / 6)
    nothing = surface([[inf, inf], [inf, inf]])
    assert depth_energy(nothing, truth).item() == 0


def test_groups_are_the_whole_representation():
    covered = sorted(i for part in GROUPS.values() for i in range(NUMBERS)[part])
    assert covered == list(range(NUMBERS))


def test_derivatives_through_the_barycentrics_are_truer(mesh, faces):
    truth, guess = faces
    one = DepthMap(truth.depth[:1], truth.mask[:1], truth.ids[:1], truth.weights[:1])
    differences = energy_differences(mesh, guess[:1], one)
    assert differences.shape == (1, NUMBERS)
    cosines = {}
    for through in (False, True):
        gradient = energy_gradient(mesh, guess[:1], one, through_barycentrics=through)
        found = agreement(gradient, differences)
        cosines[through] = found.cosine
        assert (found.length["shift"] > 0) == through
    assert cosines[True]["shift"] > 0.5
    assert cosines[False]["shift"] == 0
    assert cosines[True]["identity"] > cosines[False]["identity"]


def test_agreement_of_known_gradients():
    gradient = torch.zeros(1, NUMBERS)
    gradient[0, 132] = 3.0
    differences = torch.zeros(1, NUMBERS)
    differences[0, 132:134] = torch.tensor([3.0, 4.0])
    found = agreement(gradient, differences)
    assert found.cosine["turn"].item() == pytest.approx(0.6)
    assert found.length["turn"].item() == pytest.approx(0.6)
    assert found.cosine["growth"].item() == 0


def test_descent_through_the_barycentrics_approaches_the_truth(mesh, faces):
    truth, guess = faces
    before = depth_apart(mesh, guess, truth)
    after = depth_apart(mesh, descend(mesh, guess, truth, 15, through_barycentrics=True), truth)
    assert (after < 0.7 * before).all()


def test_the_way_back_is_the_layer_s_own_derivative(mesh, faces):
    _, guess = faces
    upstream = torch.randn(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    arrived = vertex_gradient(mesh, guess, upstream, through_barycentrics=True)
    back = guess.camera(SIZE).rotation().mT @ arrived.mT  # head frame, (B, 3, N)
    through_modes = torch.einsum("bcn,knc->bk", back, mesh.modes)
    values = guess.numbers.clone().requires_grad_()
    drawn = render_depth(mesh, FaceNumbers.of(values), SIZE, through_barycentrics=True)
    depth = drawn.depth.masked_fill(drawn.mask == 0, 0)
    direct = torch.autograd.grad((depth * upstream).sum(), values)[0][:, :132]
    assert torch.allclose(through_modes, direct, rtol=1e-2, atol=1e-2 * float(direct.abs().max()))
    fixed = vertex_gradient(mesh, guess, upstream)
    assert fixed[:, :, :2].abs().max() < 1e-4 * fixed[:, :, 2].abs().max()
    assert (fixed.abs().sum(2) == 0).float().mean() > 0.3  # hidden, or between pixels
