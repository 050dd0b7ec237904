"""Windows against loops, and cameras that see the same from inside and outside."""

import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.geometry.errors import WindowError
from visage.geometry.face_window import FaceWindow
from visage.geometry.representation import CENTRE, FaceNumbers, pose_numbers
from visage.photos.landmarks import FaceBox


def _windows() -> FaceWindow:
    return FaceWindow(torch.tensor([[60.3, 45.1], [30.0, 70.5]]), torch.tensor([50.0, 81.5]))


def _camera() -> WeakPerspective:
    generator = torch.Generator().manual_seed(0)
    angles, shift = (0.3 * torch.randn(2, n, generator=generator) for n in (3, 2))
    return WeakPerspective(angles, 40 * shift, 90, 120, scale=torch.tensor([0.3, 0.45]))


def test_cut_shows_what_a_loop_finds():
    """A linear picture is sampled exactly, whatever the antialiasing."""
    y, x = torch.meshgrid(torch.arange(150.0), torch.arange(150.0), indexing="ij")
    images = torch.stack([0.3 * x - 0.2 * y, x + y])[:, None]
    windows = FaceWindow(torch.tensor([[60.3, 65.1], [70.0, 70.5]]), torch.tensor([50.0, 81.5]))
    for size in (20, 40):
        found = windows.cut(images, size)
        for window in range(2):
            for row in range(0, size, 7):
                for column in range(0, size, 7):
                    step = float(windows.side[window]) / size
                    at_x = float(windows.centre[window, 0]) + (column - (size - 1) / 2) * step
                    at_y = float(windows.centre[window, 1]) + (row - (size - 1) / 2) * step
                    wanted = (0.3 * at_x - 0.2 * at_y, at_x + at_y)[window]
                    assert found[window, 0, row, column].item() == pytest.approx(wanted, abs=1e-3)


def test_cut_keeps_the_mean_of_fine_stripes():
    stripes = (torch.arange(400) % 2).float().expand(1, 1, 400, 400)
    found = FaceWindow(torch.tensor([[199.5, 199.5]]), torch.tensor([360.0])).cut(stripes, 45)
    assert float((found - 0.5).abs().max()) < 0.1


def test_one_picture_for_all_windows():
    image = torch.rand(1, 3, 90, 120, generator=torch.Generator().manual_seed(0))
    found = _windows().cut(image, 16)
    assert torch.equal(found, _windows().cut(image.expand(2, -1, -1, -1), 16))


def test_inside_and_outside():
    points = 100 * torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(0))
    there = _windows().inside(points, 64)
    torch.testing.assert_close(_windows().outside(there, 64), points, atol=1e-4, rtol=0)
    middle = _windows().inside(_windows().centre[:, None], 64)
    torch.testing.assert_close(middle, torch.full((2, 1, 2), 31.5))


def test_cameras_agree_with_points():
    points = 60 * torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(1))
    camera, windows = _camera(), _windows()
    within = windows.camera_inside(camera, 64)
    wanted = windows.inside(camera.project(points)[..., :2], 64)
    torch.testing.assert_close(within.project(points)[..., :2], wanted, atol=1e-3, rtol=0)
    back = windows.camera_outside(within, (90, 120))
    torch.testing.assert_close(back.project(points), camera.project(points), atol=1e-3, rtol=0)


def test_round_faces_centres_them():
    windows = FaceWindow.round_faces(_camera())
    pose = pose_numbers(windows.camera_inside(_camera()))
    assert float(pose[:, 3:].abs().max()) < 1e-4  # no shift, no growth


def test_scaled_windows_show_the_same():
    image = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    windows = FaceWindow(torch.tensor([[19.0, 22.0]]), torch.tensor([20.0]))
    large = image.repeat_interleave(3, 2).repeat_interleave(3, 3)
    found = windows.scaled(3).cut(large, 20)
    nearest = windows.inside(torch.tensor([[[10.0, 20.0]]]), 20)
    there = windows.scaled(3).inside(torch.tensor([[[31.0, 61.0]]]), 20)  # 3 x + 1: the middles
    torch.testing.assert_close(nearest, there)
    assert float((found - windows.cut(image, 20)).abs().mean()) < 0.15


def test_recentred():
    """Where the face was found is where the second window is."""
    windows, camera = _windows(), _camera()
    pose = pose_numbers(windows.camera_inside(camera))
    numbers = FaceNumbers(torch.zeros(2, 80), torch.zeros(2, 52), pose)
    again = windows.recentred(numbers)
    exact = FaceWindow.round_faces(camera)
    torch.testing.assert_close(again.centre, exact.centre, atol=1e-3, rtol=0)
    torch.testing.assert_close(again.side, exact.side, atol=1e-3, rtol=1e-5)


def test_a_box_comes_back():
    box = FaceBox(40.0, 60.0, 140.0, 160.0, score=2.0)
    window = FaceWindow.of_box(box)
    within = window.box(200)
    corners = torch.tensor([[[within.left, within.top], [within.right, within.bottom]]])
    found = window.outside(corners, 200)[0].flatten()
    torch.testing.assert_close(found, torch.tensor([40.0, 60.0, 140.0, 160.0]))


def test_the_window_is_higher_than_the_box():
    window = FaceWindow.of_box(FaceBox(0.0, 0.0, 99.0, 99.0, score=1.0))
    assert window.centre[0, 0] == 49.5
    assert window.centre[0, 1] < 49.5
    assert CENTRE[0] == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: FaceWindow(torch.zeros(1, 2), torch.zeros(1)), "no area"),
        (lambda: FaceWindow(torch.zeros(2, 2), torch.ones(1)), "expected"),
        (lambda: FaceWindow(torch.full((1, 2), torch.nan), torch.ones(1)), "nowhere"),
        (lambda: _windows().cut(torch.zeros(3, 1, 9, 9)), "2 windows"),
        (lambda: _windows().cut(torch.zeros(9, 9)), "expected"),
    ],
)
def test_refuses(call, says):
    with pytest.raises(WindowError, match=says):
        call()
