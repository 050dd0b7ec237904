"""Steps of the unknowns, and where they begin."""

from dataclasses import replace

import pytest
import torch

from tests.texture.drawn_head import drawn_head
from visage.faces.camera import rotation_matrix
from visage.texture.errors import ModelFitError
from visage.texture.fit_surface import shipped_surface
from visage.texture.fit_unknowns import FitUnknowns, start_from_landmarks, start_from_numbers

COUNT = 80 + 52 + 7 + 27 + 30


@pytest.fixture
def unknowns():
    head = drawn_head()
    return start_from_numbers(head.identity, head.expression, head.camera, 30)


def _step(**parts: float) -> torch.Tensor:
    places = {"identity": 3, "action": 85, "pitch": 132, "yaw": 133, "shift": 135, "scale": 137,
              "distance": 138, "light": 139, "albedo": 166}  # fmt: skip
    step = torch.zeros(1, COUNT)
    for name, value in parts.items():
        step[0, places[name]] = value
    return step


def test_no_step_stays(unknowns):
    moved = unknowns.moved(torch.zeros(1, COUNT))
    assert torch.equal(moved.shape, unknowns.shape)
    torch.testing.assert_close(moved.camera.angles, unknowns.camera.angles, rtol=0, atol=1e-6)


def test_each_column_moves_what_it_says(unknowns):
    before, camera = unknowns, unknowns.camera
    after = before.moved(_step(identity=0.5, shift=4.0, light=0.2, albedo=-0.3))
    assert float(after.identity[0, 3] - before.identity[0, 3]) == pytest.approx(0.5)
    assert float(after.camera.translation[0, 0] - camera.translation[0, 0]) == pytest.approx(4)
    assert float(after.light[0, 0, 0] - before.light[0, 0, 0]) == pytest.approx(0.2)
    assert float(after.albedo[0, 0]) == pytest.approx(-0.3)
    turned = before.moved(_step(yaw=0.1)).camera.rotation()
    expected = rotation_matrix(torch.tensor([[0.0, 0.1, 0.0]])) @ camera.rotation()
    torch.testing.assert_close(turned, expected)
    # The distance leaves the head's origin as large as it was.
    receded = before.moved(_step(distance=0.4)).camera
    torch.testing.assert_close(receded.focal / receded.distance, camera.focal / camera.distance)
    assert float(receded.distance / camera.distance) == pytest.approx(torch.e**0.4, rel=1e-4)
    grown = before.moved(_step(scale=0.1)).camera
    assert float(grown.focal / camera.focal) == pytest.approx(torch.e**0.1, rel=1e-4)
    assert torch.equal(grown.distance, camera.distance)


def test_cautious_steps_stay_in_range(unknowns):
    wild = unknowns.cautiously_moved(_step(identity=50.0, action=9.0, pitch=3.0, distance=-9.0))
    assert float((wild.shape - unknowns.shape).abs().max()) <= 1.5
    assert float(wild.expression.max()) == 1
    assert float((wild.camera.angles - unknowns.camera.angles).abs().max()) < 0.25
    for _ in range(9):
        wild = wild.cautiously_moved(_step(distance=-9.0))
    assert float(wild.camera.distance) == pytest.approx(400, rel=1e-3)


def test_joined_and_taken_apart(unknowns):
    other = unknowns.moved(_step(identity=1.0, distance=0.2))
    both = FitUnknowns.joined([unknowns, other])
    assert len(both) == 2
    assert torch.equal(both[1:].shape, other.shape)
    assert torch.equal(both[1:].camera.focal, other.camera.focal)


def test_start_is_where_the_landmarks_are():
    head, surface = drawn_head(), shipped_surface()
    usual = surface.priors.expression.mean
    start = start_from_landmarks(surface.model, head.landmarks, 160, 160, usual, 30)
    corners = surface.model.landmarks[17:]
    found = start.camera.project(start.vertices(surface.model)[:, corners])[..., :2]
    assert (found - head.landmarks[:, 17:]).norm(dim=2).mean() < 4
    assert float(start.camera.distance) == 1450
    with pytest.raises(ModelFitError, match="one spot"):
        start_from_landmarks(surface.model, 0 * head.landmarks + 50, 160, 160, usual, 30)


def test_a_weak_perspective_start_is_put_at_the_usual_distance(unknowns):
    from visage.faces.camera import WeakPerspective

    camera = unknowns.camera
    weak = WeakPerspective(camera.angles, camera.translation, 160, 160,
                           scale=camera.focal / camera.distance)  # fmt: skip
    start = start_from_numbers(unknowns.identity, unknowns.expression, weak, 30)
    assert float(start.camera.distance) == 1450
    again = replace(start.camera, distance=camera.distance, focal=camera.focal)
    torch.testing.assert_close(start.camera.focal / 1450, again.focal / again.distance)
