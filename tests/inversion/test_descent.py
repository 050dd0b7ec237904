from itertools import pairwise

import pytest
import torch

from visage.inversion.descent import descend, first_moments, shaped_gradient, step_size
from visage.inversion.errors import InversionError


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("optimiser", "momentum"), [("adam", 0.0), ("sgd", 0.0), ("sgd", 0.9)])
def test_steps_are_those_of_torch(optimiser, momentum):
    parameter = torch.nn.Parameter(drawn(2, 3))
    theirs = (
        torch.optim.Adam([parameter], lr=0.1)
        if optimiser == "adam"
        else torch.optim.SGD([parameter], lr=0.1, momentum=momentum)
    )
    numbers = parameter.detach().clone()
    moments = first_moments(numbers, optimiser)
    for step in range(6):
        parameter.grad = (parameter.detach() - 1) ** 3
        theirs.step()
        gradient = (numbers - 1) ** 3
        numbers, moments = descend(numbers, gradient, moments, step, 0.1, optimiser, momentum)
    assert torch.allclose(numbers, parameter, atol=1e-12)


def test_forms_of_a_gradient():
    g = drawn(2, 3, 8, 8)
    assert shaped_gradient(g, "plain") is g
    rms = shaped_gradient(g * 1e-6, "rms").square().mean((1, 2, 3)).sqrt()
    assert torch.allclose(rms, torch.ones(2).double())
    assert shaped_gradient(g, "laplacian", 2).shape == g.shape
    with pytest.raises(InversionError, match="laplacian"):
        shaped_gradient(g, "fourier")


def test_step_sizes_fall():
    sizes = [step_size(step, 10, 2.0, 0.5) for step in range(10)]
    assert sizes[0] == 2
    assert sizes[-1] == pytest.approx(1.0)
    assert all(a > b for a, b in pairwise(sizes))
    assert step_size(0, 1, 2.0, 0.5) == 2
