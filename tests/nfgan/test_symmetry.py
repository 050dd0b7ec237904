"""Equation 3 and its Laplacian twin against loops; which way a face is mirrored."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visage.faces.camera import rotation_matrix
from visage.nfgan.errors import SymmetryError
from visage.nfgan.symmetry import (
    flip_to_left,
    hidden_right,
    laplacian,
    laplacian_symmetry_loss,
    mirror,
    symmetry_error,
    symmetry_loss,
)


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def test_symmetry_loss_is_equation_3():
    image, height, width = draw(1, 1, 5, 6), 5, 6
    total = 0.0
    for n in range(1, width // 2 + 1):  # the paper counts from 1
        for m in range(1, height + 1):
            x, mirrored = n - 1, width - (n - 1) - 1
            total += abs(float(image[0, 0, m - 1, x] - image[0, 0, m - 1, mirrored]))
    assert math.isclose(symmetry_loss(image)[0], total / (height * width / 2), rel_tol=1e-12)


def test_laplacian_is_a_loop():
    image = draw(1, 1, 5, 6)
    found = laplacian(image)
    assert found.shape == (1, 1, 3, 4)
    for y in range(1, 4):
        for x in range(1, 5):
            around = image[0, 0, y - 1, x] + image[0, 0, y + 1, x]
            around = around + image[0, 0, y, x - 1] + image[0, 0, y, x + 1]
            wanted = around - 4 * image[0, 0, y, x]
            assert torch.allclose(found[0, 0, y - 1, x - 1], wanted)
    assert torch.allclose(laplacian_symmetry_loss(image), symmetry_loss(found))


@given(st.integers(0, 2**16), st.floats(-1, 1), st.floats(-0.5, 0.5))
def test_slow_light_does_not_count_on_the_laplacian(seed, slope, height):
    half = draw(2, 1, 4, 4, seed=seed)
    symmetric = torch.cat([half, half.flip(-1)], -1)
    lit = symmetric + height + slope * torch.linspace(-1, 1, 8, dtype=torch.float64)
    assert laplacian_symmetry_loss(lit).max() < 1e-9
    assert torch.allclose(symmetry_loss(lit), torch.full((2,), abs(slope) * 8 / 7).double())


def test_symmetric_images_lose_nothing_and_mirroring_changes_nothing():
    half, image = draw(2, 1, 6, 3), draw(2, 1, 6, 6)
    symmetric = torch.cat([half, half.flip(-1)], -1)
    for loss in (symmetry_loss, laplacian_symmetry_loss):
        assert loss(symmetric).abs().max() < 1e-12
        assert torch.allclose(loss(image), loss(image.flip(-1)))
        assert torch.autograd.gradcheck(loss, draw(1, 1, 4, 4).requires_grad_())


def test_a_space_has_a_name():
    image = draw(1, 1, 4, 4)
    assert torch.equal(symmetry_error(image), symmetry_loss(image))
    assert torch.equal(symmetry_error(image, "laplacian"), laplacian_symmetry_loss(image))
    with pytest.raises(SymmetryError, match="fourier"):
        symmetry_error(image, "fourier")


def test_the_hidden_side_comes_to_the_right():
    # The right ear, at the picture's left, is hidden by a head that looks to the picture's left.
    ears = torch.tensor([[-70.0, 0.0, 0.0], [70.0, 0.0, 0.0]])
    yaw = torch.tensor([-0.6, 0.6, 0.0])
    turned = torch.stack(
        [ears @ rotation_matrix(torch.tensor([0.0, angle, 0.0])).mT for angle in yaw.tolist()]
    )
    left_is_farther = turned[:, 0, 2] < turned[:, 1, 2] - 1e-6
    faces = draw(3, 1, 4, 4)
    found, flipped = flip_to_left(faces, yaw)
    assert flipped.tolist() == left_is_farther.tolist() == [True, False, False]
    assert torch.equal(found[0], faces[0].flip(-1))
    assert torch.equal(found[1:], faces[1:])
    assert torch.equal(mirror(found, flipped), faces)


def test_landmarks_tell_which_side_is_hidden():
    points = torch.zeros(2, 68, 2)
    points[:, 0], points[:, 16] = torch.tensor([0.0, 30.0]), torch.tensor([100.0, 30.0])
    points[:, 30] = torch.tensor([[70.0, 40.0], [35.0, 40.0]])
    assert hidden_right(points).tolist() == [True, False]
    with pytest.raises(SymmetryError, match="68"):
        hidden_right(points[:, :5])


def test_what_has_no_halves_is_refused():
    with pytest.raises(SymmetryError, match="even width"):
        symmetry_loss(draw(1, 1, 4, 5))
    with pytest.raises(SymmetryError, match="3 or more"):
        laplacian(draw(1, 1, 2, 4))
    with pytest.raises(SymmetryError, match="yaw"):
        flip_to_left(draw(2, 1, 4, 4), torch.zeros(3))
