import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.faces.camera import WeakPerspective
from visage.geometry.errors import RepresentationError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.representation import CENTRE, SIZE, WIDTH, FaceNumbers, pose_numbers


def test_zero_is_the_mean_face_at_rest_in_the_middle_seen_from_the_front():
    zero, mesh = FaceNumbers.zeros(1), FaceMesh.load()
    assert torch.equal(zero.vertices(mesh)[0], mesh.mean)
    camera = zero.camera()
    assert torch.equal(camera.rotation()[0], torch.eye(3))
    middle = camera.project(torch.tensor([[CENTRE]]))[0, 0, :2]
    assert middle.tolist() == pytest.approx([(SIZE - 1) / 2] * 2, abs=1e-3)
    assert float(camera.scale) == pytest.approx(SIZE / WIDTH)


def test_the_centre_stays_where_it_is_when_the_head_turns():
    pose = torch.tensor([[0.0, 0.0, 0.0, 1.0, -2.0, 0.5], [1.0, 1.5, -1.0, 1.0, -2.0, 0.5]])
    numbers = FaceNumbers(torch.zeros(2, 80), torch.zeros(2, 52), pose)
    seen = numbers.camera().project(torch.tensor(CENTRE).expand(2, 1, 3))[:, 0, :2]
    assert torch.allclose(seen[0], seen[1], atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-2.5, 2.5), min_size=6, max_size=6), st.sampled_from([50, 200, 400]))
def test_pose_numbers_invert_the_camera(values, size):
    pose = torch.tensor([values])
    numbers = FaceNumbers(torch.zeros(1, 80), torch.zeros(1, 52), pose)
    assert torch.allclose(pose_numbers(numbers.camera(size)), pose, atol=2e-4)


def test_a_picture_of_another_size_shows_the_same():
    numbers = FaceNumbers.of(0.5 * torch.randn(2, 138, generator=torch.Generator().manual_seed(0)))
    vertices = numbers.vertices(FaceMesh.load())
    small, large = (numbers.camera(size).project(vertices)[..., :2] for size in (100, 200))
    assert torch.allclose((2 * small + 0.5) - large, torch.zeros(1), atol=1e-3)


def test_numbers_go_apart_and_come_together():
    numbers = torch.arange(2 * 138.0).reshape(2, 138)
    faces = FaceNumbers.of(numbers)
    assert torch.equal(faces.numbers, numbers)
    assert torch.equal(faces[1:].shape, numbers[1:, :132])
    assert faces.to(torch.float64).pose.dtype == torch.float64


def test_the_camera_has_derivatives():
    pose = torch.randn(1, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    points = torch.randn(1, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    rest = torch.zeros(1, 80, dtype=torch.float64), torch.zeros(1, 52, dtype=torch.float64)

    def seen(pose):
        return FaceNumbers(*rest, pose).camera().project(30 * points)

    assert torch.autograd.gradcheck(seen, pose.requires_grad_())


def test_numbers_of_another_shape_are_refused():
    with pytest.raises(RepresentationError, match=r"\(B, 138\)"):
        FaceNumbers.of(torch.zeros(1, 137))
    with pytest.raises(RepresentationError, match="pose"):
        FaceNumbers(torch.zeros(1, 80), torch.zeros(1, 52), torch.zeros(2, 6))


def test_a_camera_of_a_smaller_scale_has_a_smaller_growth():
    zero = torch.zeros(1, 3)
    camera = WeakPerspective(zero, zero[:, :2], 200, 200, scale=torch.tensor([0.5]))
    assert float(pose_numbers(camera)[0, 5]) < 0
