import pytest
import torch

from visage.geometry.coarse_loss import (
    CoarseLoss,
    CoarseWeights,
    balanced,
    geometry_error,
    placed_error,
    pose_error,
)
from visage.geometry.coarse_network import CoarseConfig, CoarseNet
from visage.geometry.errors import GeometryError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.representation import YAW_UNIT, FaceNumbers


def random_numbers(count, seed):
    generator = torch.Generator().manual_seed(seed)
    scale = torch.cat([torch.ones(80), 0.2 * torch.ones(52), torch.ones(6)])
    return FaceNumbers.of(scale * torch.randn(count, 138, generator=generator))


def test_gmse_equals_the_error_over_the_mesh():
    mesh, estimate, truth = FaceMesh.load(), random_numbers(4, 0), random_numbers(4, 1)
    apart = estimate.vertices(mesh) - truth.vertices(mesh)
    naive = apart.square().sum(2).mean(1)
    found = geometry_error(estimate.shape, truth.shape, mesh.gram)
    assert torch.allclose(found, naive, rtol=1e-4)


def test_gmse_has_derivatives():
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(5, 5, dtype=torch.float64, generator=generator)
    estimate = torch.randn(2, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    truth = torch.randn(2, 5, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(
        lambda estimate: geometry_error(estimate, truth, half @ half.T), estimate
    )


def test_gmse_of_other_shapes_is_refused():
    with pytest.raises(GeometryError, match="Gram"):
        geometry_error(torch.zeros(1, 4), torch.zeros(1, 4), torch.eye(5))


def test_pose_error_is_a_mean_square():
    assert pose_error(torch.full((1, 6), 2.0), torch.zeros(1, 6)).tolist() == [4.0]


def test_a_shift_places_every_vertex_off_by_it():
    mesh, truth = FaceMesh.load(), random_numbers(2, 0)
    moved = FaceNumbers.of(truth.numbers.clone())
    moved.pose[:, 3] += 0.5  # 4 mm
    growth = truth.camera().scale / FaceNumbers.zeros(1).camera().scale
    assert torch.allclose(placed_error(mesh, moved, truth), 4 * growth, atol=1e-2)


def test_a_degree_of_yaw_places_vertices_off_by_a_millimetre_or_so():
    mesh, truth = FaceMesh.load(), FaceNumbers.zeros(1)
    turned = FaceNumbers.zeros(1)
    turned.pose[:, 1] = torch.deg2rad(torch.tensor(1.0)) / YAW_UNIT
    assert 0.4 < float(placed_error(mesh, turned, truth)) < 1.5
    assert float(pose_error(turned.pose, truth.pose)) < 1e-3


def test_balanced_weights_let_all_terms_begin_at_one():
    mesh, current, truth = FaceMesh.load(), random_numbers(8, 0), random_numbers(8, 1)
    weights = balanced(mesh, current, truth, placed=0.5)
    geometry = geometry_error(current.shape, truth.shape, mesh.gram).mean()
    assert weights.geometry * float(geometry) == pytest.approx(1, rel=1e-4)
    assert weights.pose * float(pose_error(current.pose, truth.pose).mean()) == pytest.approx(1)
    placed = float(placed_error(mesh, current, truth).mean())
    assert weights.placed * placed == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("own", [0.0, 0.5])
def test_an_untrained_network_has_the_error_of_what_it_is_given(own):
    mesh, current, truth = FaceMesh.load(), random_numbers(4, 0), random_numbers(4, 1)
    network = CoarseNet(CoarseConfig(size=32, stem=4, widths=(4, 4), blocks=(1, 1), narrow=4))
    loss = CoarseLoss(FaceMesh.load, lambda: CoarseWeights(2.0, 3.0, 0.0), own)
    batch = {"faces": torch.rand(4, 1, 32, 32), "current": current.numbers, "truth": truth.numbers}
    value, terms = loss(network, batch, torch.Generator())
    geometry = geometry_error(current.shape, truth.shape, mesh.gram).mean()
    assert float(terms["geometry"].detach()) == pytest.approx(float(geometry), rel=1e-4)
    pose = pose_error(current.pose, truth.pose).mean()
    assert float(value.detach()) == pytest.approx(float(2 * geometry + 3 * pose), rel=1e-4)
    value.backward()
    assert network.head.bias.grad.abs().sum() > 0
