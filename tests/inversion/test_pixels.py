import pytest
import torch

from visage.inversion.colour import colour_statistics
from visage.inversion.errors import InversionError
from visage.inversion.pixels import FourierPixels, PlainPixels, logit
from visage.inversion.spectrum import band_energy


@pytest.fixture
def fourier(pictures):
    return FourierPixels(colour_statistics([pictures], logit))


@pytest.mark.parametrize("size", [16, 15])
def test_fourier_numbers_stand_for_the_image(fourier, pictures, size):
    images = pictures[..., :size, :size].clamp(0.02, 0.98)
    numbers = fourier.encode(images)
    assert numbers.shape == (10, 3, size, size // 2 + 1, 2)
    assert torch.allclose(fourier.decode(numbers), images, atol=1e-6)


def test_any_numbers_are_an_image(fourier):
    numbers = 100 * torch.randn(2, 3, 16, 9, 2, generator=torch.Generator().manual_seed(0))
    images = fourier.decode(numbers)
    assert images.min() >= 0
    assert images.max() <= 1


@pytest.mark.parametrize("size", [64, 63])
def test_noise_has_the_colours_of_the_pictures(fourier, size):
    full = FourierPixels(fourier.colours, decay=1.0, spread=1.0)
    drawn = [full.noise(size, torch.Generator().manual_seed(seed)) for seed in range(60)]
    found = colour_statistics([full.decode(torch.cat(drawn))], logit)
    assert torch.allclose(found.covariance, fourier.colours.covariance, rtol=0.1, atol=0.1)


def test_a_descent_on_coefficients_moves_coarse_shapes_first(fourier):
    # A gradient of white noise on the pixels, taken through both parametrisations.
    target = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ratios = []
    for pixels in (PlainPixels(), fourier):
        numbers = pixels.encode(torch.full((1, 3, 64, 64), 0.5)).requires_grad_()
        loss = (pixels.decode(numbers) - target).square().sum()
        (gradient,) = torch.autograd.grad(loss, numbers)
        with torch.no_grad():
            moved = pixels.decode(numbers - 1e-3 * gradient) - pixels.decode(numbers)
        energy = band_energy(moved, 3)[0]
        ratios.append((energy[2] / energy[0]).item())
    assert ratios[1] > 10 * ratios[0]


def test_plain_pixels_are_clamped_if_asked():
    numbers = torch.tensor([-0.5, 0.5, 1.5])
    assert PlainPixels().limit(numbers).tolist() == [0, 0.5, 1]
    assert PlainPixels(clamp=False).limit(numbers) is numbers


def test_noise_depends_on_the_generator_only(fourier):
    for pixels in (PlainPixels(), fourier):
        once, again, other = (
            pixels.noise(8, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
        )
        assert torch.equal(once, again)
        assert not torch.equal(once, other)


def test_logits_of_black_and_white_are_finite():
    assert logit(torch.tensor([0.0, 1.0])).isfinite().all()


def test_bad_input(fourier):
    with pytest.raises(InversionError, match="decay"):
        FourierPixels(fourier.colours, decay=-1)
