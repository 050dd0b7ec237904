"""The linear model of whole faces' albedo."""

import pytest
import torch

from visage.texture.errors import TextureError
from visage.texture.low_frequency import (
    SIZE,
    LowFrequencyAlbedo,
    learn_low_frequencies,
)


@pytest.fixture(scope="module")
def shipped():
    return LowFrequencyAlbedo.load()


def drawn(count: int, modes: int, seed: int = 0) -> torch.Tensor:
    """Textures (count, 3, 64, 64) of so many hidden modes."""
    random = torch.Generator().manual_seed(seed)
    basis = 0.05 * torch.randn(modes, 3, SIZE, SIZE, generator=random)
    weights = torch.randn(count, modes, generator=random)
    return 0.5 + (weights @ basis.flatten(1)).unflatten(1, basis.shape[1:]) / modes**0.5


def test_as_many_components_as_modes_explain_everything():
    textures = drawn(12, 3)
    model = learn_low_frequencies(textures, 3)
    again = model.texture(model.fit(textures, prior=1e-6), SIZE)
    assert (again - textures.clamp(0, 1)).abs().max() < 1e-3


def test_components_are_orthogonal_and_fall():
    basis = learn_low_frequencies(drawn(20, 8), 5).basis.flatten(1).double()
    gram = basis @ basis.T
    assert (gram - gram.diag().diag()).abs().max() < 1e-4 * gram.diag().max()
    assert (gram.diag().diff() <= 0).all()


def test_a_fit_is_the_least_of_its_sum_of_squares(shipped):
    texture = shipped.texture(torch.randn(1, 32, generator=torch.Generator().manual_seed(1)), 64)
    visible = torch.zeros(1, 1, 64, 64)
    visible[..., :30, 10:50] = 1
    found = shipped.fit(texture, visible)

    def cost(coefficients):
        made = shipped.mean + (coefficients @ shipped.basis.flatten(1)).view(1, 3, 64, 64)
        away = ((made - texture) / shipped.left).square() * visible
        return away.sum() + coefficients.square().sum()

    coefficients = found.double().requires_grad_()
    (gradient,) = torch.autograd.grad(cost(coefficients.float()), coefficients)
    assert gradient.abs().max() < 1e-3 * cost(torch.zeros(1, 32)).item()


def test_what_is_not_visible_does_not_count(shipped):
    texture = shipped.texture(torch.zeros(1, 32), 128)
    visible = torch.ones(1, 1, 128, 128)
    visible[..., 64:] = 0
    spoilt = torch.where(visible > 0, texture, torch.nan)
    assert torch.allclose(shipped.fit(texture, visible), shipped.fit(spoilt, visible))


def test_the_mean_face_has_no_coefficients(shipped):
    assert shipped.fit(shipped.texture(torch.zeros(1, 32), SIZE)).abs().max() < 0.01


def test_bad_input(shipped):
    with pytest.raises(TextureError, match="nothing"):
        shipped.fit(torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
    with pytest.raises(TextureError, match="expected"):
        shipped.fit(torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 32, 32))
    with pytest.raises(TextureError, match="at most 32"):
        shipped.texture(torch.zeros(1, 33))
    with pytest.raises(TextureError, match="more people"):
        learn_low_frequencies(torch.zeros(3, 3, 64, 64), 3)
    with pytest.raises(TextureError, match="expected"):
        LowFrequencyAlbedo(torch.zeros(3, 8, 8), torch.zeros(2, 3, 8, 8), torch.zeros(1, 8, 8))
