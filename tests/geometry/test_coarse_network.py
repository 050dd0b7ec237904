import pytest
import torch

from visage.geometry.coarse import reconstruct_coarse
from visage.geometry.coarse_network import CoarseConfig, CoarseNet
from visage.geometry.errors import CoarseNetworkError, GeometryError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.feedback import feedback
from visage.geometry.representation import FaceNumbers

SMALL = CoarseConfig(size=40, stem=4, widths=(4, 8), blocks=(1, 2), narrow=4)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return CoarseNet(SMALL).eval()


def learned(network):
    """Something other than zero in the last layer, so that it answers."""
    torch.nn.init.normal_(network.head.weight, std=0.01)
    torch.nn.init.normal_(network.head.bias, std=0.01)
    return network


def test_untrained_it_answers_what_it_is_given(network):
    given = FaceNumbers.of(torch.randn(2, 138))
    answer = network.step(FaceMesh.load(), torch.rand(2, 1, 40, 40), given)
    assert torch.allclose(answer.numbers, given.numbers)


def test_it_sees_nothing_outside_of_the_last_answers_mask(network):
    network, mesh, current = learned(network), FaceMesh.load(), FaceNumbers.zeros(1)
    face = torch.rand(1, 1, 40, 40)
    mask = feedback(mesh, current, 40).mask
    other = torch.where(mask > 0, face, 1 - face)
    assert torch.equal(
        network.step(mesh, face, current).numbers, network.step(mesh, other, current).numbers
    )
    inside = torch.where(mask > 0, 1 - face, face)
    assert not torch.equal(
        network.step(mesh, face, current).numbers, network.step(mesh, inside, current).numbers
    )


def test_iterations_are_steps_from_zero(network):
    network, mesh = learned(network), FaceMesh.load()
    faces = torch.rand(2, 1, 80, 80)
    fit = reconstruct_coarse(network, mesh, faces, 3)
    assert float(fit.steps[0].numbers.abs().sum()) == 0
    current = FaceNumbers.zeros(2)
    for step in fit.steps[1:]:
        with torch.no_grad():
            current = network.step(mesh, network.reduced(faces), current)
        assert torch.allclose(step.numbers, current.numbers, atol=1e-6)
    assert fit.change.shape == (3, 2)
    assert len(fit) == 2


def test_it_stops_when_it_has_converged(network):
    fit = reconstruct_coarse(network, FaceMesh.load(), torch.rand(1, 1, 40, 40), 5)
    assert len(fit.steps) == 2  # an untrained network moves nothing
    assert float(fit.change) == 0


def test_a_face_does_not_depend_on_the_others_of_its_batch(network):
    network, mesh = learned(network), FaceMesh.load()
    faces = torch.rand(3, 1, 40, 40)
    together = reconstruct_coarse(network, mesh, faces, 2).last.numbers
    alone = reconstruct_coarse(network, mesh, faces[1:2], 2).last.numbers
    assert torch.allclose(together[1:2], alone, atol=1e-5)


def test_reduced_is_the_mean_of_pixels(network):
    faces = torch.arange(80.0 * 80).reshape(1, 1, 80, 80)
    assert float(network.reduced(faces)[0, 0, 0, 0]) == pytest.approx((0 + 1 + 80 + 81) / 4)
    assert network.reduced(faces[..., :40, :40]).shape[-1] == 40


@pytest.mark.parametrize("shape", [(1, 1, 60, 60), (1, 3, 40, 40), (1, 1, 40, 80), (1, 1, 20, 20)])
def test_pictures_of_another_size_are_refused(network, shape):
    with pytest.raises(CoarseNetworkError, match="expected"):
        network.reduced(torch.zeros(shape))


def test_a_feedback_of_another_size_is_refused(network):
    zero = FaceNumbers.zeros(1)
    with pytest.raises(CoarseNetworkError, match="40 pixels"):
        network(torch.zeros(1, 1, 40, 40), feedback(FaceMesh.load(), zero, 41), zero)


def test_settings_that_describe_no_network_are_refused():
    with pytest.raises(CoarseNetworkError, match="widths"):
        CoarseConfig(widths=(8,), blocks=(1, 1))


def test_no_iterations_and_nan_are_refused(network):
    mesh = FaceMesh.load()
    with pytest.raises(GeometryError, match="at least 1"):
        reconstruct_coarse(network, mesh, torch.zeros(1, 1, 40, 40), 0)
    with pytest.raises(GeometryError, match="NaN"):
        reconstruct_coarse(network, mesh, torch.full((1, 1, 40, 40), torch.nan))


def test_the_shipped_shape_reads_the_papers_pictures():
    network = CoarseNet().eval()
    assert network.reduced(torch.zeros(1, 1, 200, 200)).shape[-1] == 100
