"""Appendix B: eq. 11 against the stationary point that Newton's method finds."""

import pytest
import torch

from visage.inversion.errors import InversionError
from visage.inversion.strong_smoothing import smooth_deviation
from visage.inversion.total_variation import total_variation

SIZE = 5


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_loss(p):
    """Squared distance of a two-layer network's output from a target; (1, 2, 5, 5) to ()."""
    hidden = torch.tanh(torch.conv2d(p, drawn(4, 2, 3, 3, seed=1) / 2))
    embedding = hidden.flatten() @ drawn(36, 6, seed=2) / 4
    return (embedding - drawn(6, seed=3) / 4).square().sum() + 0.05 * p.square().sum()


def stationary(loss, start, steps=80):
    """Damped Newton on the gradient."""
    p = start.clone()
    for _ in range(steps):
        gradient = torch.autograd.functional.jacobian(loss, p).flatten()
        hessian = torch.autograd.functional.hessian(loss, p).reshape(p.numel(), p.numel())
        step = torch.linalg.solve(hessian, gradient).view_as(p)
        size = 1.0
        while size > 1e-6 and loss(p - size * step) > loss(p):
            size /= 2
        p = p - size * step
        if step.abs().max() < 1e-13:
            break
    return p


@pytest.fixture(scope="module")
def flat():
    """p̄ of eq. 10: the flat image whose mean gradient vanishes in each channel."""
    levels = stationary(
        lambda c: network_loss(c.view(1, 2, 1, 1).expand(1, 2, SIZE, SIZE)),
        torch.zeros(2, dtype=torch.float64),
    )
    return levels.view(1, 2, 1, 1).expand(1, 2, SIZE, SIZE).contiguous()


def gradient_at(p):
    return torch.autograd.functional.jacobian(network_loss, p)


def test_the_flat_image_has_no_mean_gradient(flat):
    gradient = gradient_at(flat)
    assert gradient.mean((2, 3)).abs().max() < 1e-10
    assert gradient.abs().max() > 1e-3


def test_the_stationary_image_is_that_of_equation_11(flat):
    errors = []
    for weight in (1e1, 1e2, 1e3):
        found = stationary(lambda p, w=weight: network_loss(p) + w * total_variation(p).sum(), flat)
        deviation = found - found.mean((2, 3), keepdim=True)
        expected = smooth_deviation(gradient_at(flat), weight)
        errors.append(((deviation - expected).norm() / deviation.norm()).item())
    assert errors[-1] < 1e-2
    # The next order is smaller by 1/w.
    assert errors[1] < 0.15 * errors[0]
    assert errors[2] < 0.15 * errors[1]


@pytest.mark.parametrize("alpha", [1.5, 3.0, 4.0])
def test_other_exponents_balance_the_leading_order(flat, alpha):
    # At δp the TV's gradient cancels the network's at p̄, which is what eqs. 6 to 9 ask for.
    weight, gradient = 1e3, gradient_at(flat)
    deviation = smooth_deviation(gradient, weight, alpha).requires_grad_()
    (pull,) = torch.autograd.grad(weight * total_variation(deviation, alpha).sum(), deviation)
    assert torch.allclose(pull, -gradient, rtol=1e-6, atol=1e-9)


def test_it_falls_with_the_weight_as_the_exponent_says(flat):
    gradient = gradient_at(flat)
    for alpha in (1.5, 2.0, 3.0):
        ratio = smooth_deviation(gradient, 10, alpha) / smooth_deviation(gradient, 1, alpha)
        assert torch.allclose(ratio, torch.tensor(10 ** (-1 / (alpha - 1))).double())


def test_oblong_images_and_each_image_alone():
    gradient = drawn(3, 2, 4, 7)
    together = smooth_deviation(gradient, 2.0, 3.0)
    alone = torch.cat([smooth_deviation(one, 2.0, 3.0) for one in gradient.split(1)])
    assert torch.allclose(together, alone)
    laplacian = sum(together.roll(s, d) for s in (1, -1) for d in (-1, -2)) - 4 * together
    centred = gradient - gradient.mean((2, 3), keepdim=True)
    for mine, wanted in zip(laplacian, centred, strict=True):
        # Each channel's mean goes; the rest is proportional to the gradient (eq. 6).
        assert torch.cosine_similarity(mine.flatten(), wanted.flatten(), 0) > 1 - 1e-9


def test_bad_input():
    with pytest.raises(InversionError, match="weight"):
        smooth_deviation(drawn(1, 1, 4, 4), 0.0)
    with pytest.raises(InversionError, match="alpha = 1"):
        smooth_deviation(drawn(1, 1, 4, 4), 1.0, 1.0)
