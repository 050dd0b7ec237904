"""Equation 1's derivatives, written out, against those of autograd, in float64."""

import pytest
import torch

from visage.faces.camera import Perspective
from visage.faces.fitting.priors import FittingPriors
from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.texture.fit_config import FitConfig
from visage.texture.fit_jacobians import (
    linearised_landmarks,
    linearised_photo,
    polynomial_slopes,
    srgb_slope,
)
from visage.texture.fit_pyramid import pyramid
from visage.texture.fit_solver import Solver
from visage.texture.fit_surface import fit_surface
from visage.texture.fit_terms import Energy, polynomials
from visage.texture.fit_unknowns import CAMERA, LIGHT, SHAPE, FitUnknowns

HEIGHT, WIDTH = 110, 120
COLUMNS = {
    "identity": slice(0, 80),
    "expression": slice(80, 132),
    "turn": slice(132, 135),
    "shift": slice(135, 137),
    "scale": slice(137, 138),
    "distance": slice(138, 139),
    "light": slice(139, 166),
    "albedo": slice(166, None),
}


class _Case:
    """A face in a picture whose colours are linear in x and y, so that sampling is exact."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.surface = fit_surface(MorphableModel.load().double(), FittingPriors.load())
        y, x = torch.meshgrid(
            torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij"
        )
        picture = [0.3 + 2e-3 * x + 1e-3 * y, 0.4 - 1e-3 * x + 2e-3 * y, 0.2 + 1e-3 * x + 1e-3 * y]
        self.levels = pyramid(torch.stack(picture), None, 2, 0.7)
        camera = Perspective(
            torch.tensor([[0.1, 0.4, 0.05]]).double(),
            torch.tensor([[3.0, -5.0]]).double(),
            *(HEIGHT, WIDTH),
            focal=torch.tensor([270.0]).double(),
            distance=torch.tensor([900.0]).double(),
        )
        light = 0.3 * normal(1, 9, 3)
        light[:, 0] = 3
        shape = torch.cat([0.5 * normal(1, 80), 0.3 * normal(1, 52).abs().clamp(max=3)], 1)
        components = self.surface.basis.shape[2]
        self.unknowns = FitUnknowns(shape, camera, light, 0.5 * normal(1, components))
        self.vertices = self.unknowns.vertices(self.surface.model)[0]
        landmarks = self.vertices[self.surface.model.landmarks][None]
        landmarks = camera.project(landmarks)[0, :, :2] + normal(68, 2)
        self.energy = Energy(
            self.surface, landmarks, FitConfig(steps=(1, 1), pixels=(12, 12)), unit=80.0
        )
        self.sight = self.energy.sight(self.unknowns, self.levels[1], 12)
        self.turning = self.surface.turning(self.vertices)[1]
        self.zero = torch.zeros(SHAPE + CAMERA + LIGHT + components, dtype=torch.float64)

    def residuals(self, step: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        moved = self.unknowns.moved(step[None])
        vertices = moved.vertices(self.surface.model)[0]
        return (
            self.energy.photo_residual(moved, vertices, self.sight),
            self.energy.landmark_residual(moved, vertices, self.sight),
        )


@pytest.fixture(scope="module")
def case() -> _Case:
    return _Case()


@pytest.fixture(scope="module")
def by_autograd(case):
    return torch.autograd.functional.jacobian(case.residuals, case.zero)


def test_photo_jacobian_is_autograds(case, by_autograd):
    residual, jacobian = linearised_photo(
        case.surface, case.unknowns, case.vertices, case.sight, case.turning
    )
    torch.testing.assert_close(residual, case.residuals(case.zero)[0])
    for name, columns in COLUMNS.items():
        expected = by_autograd[0][..., columns]
        assert expected.abs().max() > 1e-4, name
        torch.testing.assert_close(jacobian[..., columns], expected, rtol=1e-6, atol=1e-9, msg=name)


def test_landmark_jacobian_is_autograds(case, by_autograd):
    residual, jacobian = linearised_landmarks(
        case.surface, case.unknowns, case.vertices, case.sight
    )
    torch.testing.assert_close(residual, case.residuals(case.zero)[1])
    known = by_autograd[1][:, : SHAPE + CAMERA]
    assert known.abs().max() > 1e-3
    torch.testing.assert_close(jacobian, known, rtol=1e-9, atol=1e-12)
    assert not by_autograd[1][:, SHAPE + CAMERA :].any()


def test_normal_equations_point_along_the_energys_slope(case):
    solver = Solver(case.energy, case.levels)
    matrix, right = solver.normal_equations(case.unknowns, case.sight, case.turning)
    step = case.zero.clone().requires_grad_(True)
    case.energy(case.unknowns.moved(step[None]), case.sight).backward()
    torch.testing.assert_close(-2 * right[0], step.grad, rtol=1e-6, atol=1e-9)
    assert torch.linalg.eigvalsh(matrix[0]).min() > 0


def test_turning_normals_are_autograds(case):
    surface, shape = case.surface, case.unknowns.shape[0]

    def normals(numbers: torch.Tensor) -> torch.Tensor:
        vertices = surface.model.vertices(numbers[None, :80], numbers[None, 80:])[0]
        return surface.normals(vertices)[::300]

    expected = torch.autograd.functional.jacobian(normals, shape)
    found, turning = surface.turning(case.vertices)
    torch.testing.assert_close(found[::300], normals(shape))
    torch.testing.assert_close(turning[::300], expected, rtol=1e-8, atol=1e-11)


def test_slopes_of_polynomials_and_of_srgb():
    normals = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(polynomials, normals)
    expected = torch.autograd.functional.jacobian(lambda n: polynomials(n).sum(0), normals)
    torch.testing.assert_close(polynomial_slopes(normals.detach()), expected.permute(1, 2, 0))
    linear = torch.tensor([0.001, 0.02, 0.5, 1.2], dtype=torch.float64, requires_grad=True)
    encode_srgb(linear).sum().backward()
    torch.testing.assert_close(srgb_slope(linear.detach()), linear.grad)
