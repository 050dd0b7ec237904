import pytest
import torch
from torch.autograd import gradcheck

from visage.inversion.colour import colour_shift, colour_statistics
from visage.inversion.errors import InversionError
from visage.inversion.laplacian_pyramid import laplacian_pyramid
from visage.inversion.spectrum import (
    band_energy,
    band_mismatch,
    band_ratio,
    colour_band_energy,
    mean_band_energy,
    spectrum_regulariser,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pink(count, size, seed=0):
    """Noise with amplitudes 1/f."""
    f = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)).clamp(min=1 / size)
    return torch.fft.irfft2(torch.fft.rfft2(drawn(count, 3, size, size, seed=seed)) / f)


def test_equation_12_is_what_a_loop_sums():
    images = drawn(2, 3, 16, 16)
    bands = laplacian_pyramid(images, 3)[:-1]
    expected = [
        sum((bands[n - 1][i].norm().item() - 1.5 * 2 ** (-0.7 * n)) ** 2 for n in (1, 2, 3))
        for i in range(2)
    ]
    found = spectrum_regulariser(images, norm=1.5, beta=-0.7, levels=3)
    assert found.tolist() == pytest.approx(expected)


def test_pink_noise_has_beta_minus_one():
    # A power spectrum of 1/f² has the same mean square in every octave: norms halve.
    bands = laplacian_pyramid(pink(16, 128), 4)[:-1]
    norms = torch.stack([band.norm() for band in bands])
    # The finest band holds the corners of the spectrum too, so the ratios begin at the second.
    assert torch.allclose(norms[2:] / norms[1:-1], torch.tensor(0.5).double(), rtol=0.12)


def test_energies_tell_grain_from_shape():
    image = pink(1, 64)
    grain = image + 3 * image.std() * drawn(1, 3, 64, 64, seed=5)
    ratio = band_energy(grain, 4) / band_energy(image, 4)
    assert (ratio[0].diff() < 0).all()
    assert ratio[0, 0] > 20


def test_the_usual_energy_is_a_geometric_mean_over_all_batches():
    images = pink(6, 32) * torch.tensor([1, 2, 3, 4, 5, 6]).view(-1, 1, 1, 1)
    expected = band_energy(images, 3).log().mean(0).exp()
    assert torch.allclose(mean_band_energy(images.split(4), 3), expected)
    assert torch.allclose(band_ratio(2 * images, expected), torch.tensor(4.0).double())


def test_mismatch_counts_factors_and_forgives_slack():
    images = pink(2, 32)
    usual = band_energy(images[:1], 3)[0]
    assert band_mismatch(images[:1], usual).item() == pytest.approx(0, abs=1e-20)
    twice = torch.tensor(2.0).log().item()
    brighter = images[:1] * 2**0.5
    assert band_mismatch(brighter, usual).item() == pytest.approx(3 * twice**2)
    assert band_mismatch(brighter, usual, slack=2.1).item() == 0
    assert band_mismatch(brighter, usual, slack=1.5).item() == pytest.approx(
        3 * (torch.tensor(4 / 3).log() ** 2).item(), rel=1e-5
    )


def test_energies_by_colour():
    images = pink(3, 32)
    found = colour_band_energy(images, 3)
    assert torch.allclose(found.mean(2), band_energy(images, 3))
    grey = colour_band_energy(images[:, :1].expand(-1, 3, -1, -1), 3)
    assert grey[..., 0].min() > 1e6 * grey[..., 1:].max()
    red_blue = images[:, :1] * torch.tensor([1.0, 0.0, -1.0]).view(3, 1, 1)
    energy = colour_band_energy(red_blue, 3)
    assert energy[..., 1].min() > 1e6 * energy[..., [0, 2]].max()


def test_mismatch_by_colour_sees_speckle_that_brightness_hides():
    images = pink(2, 32)
    usual = mean_band_energy([images], 3, by_colour=True)
    assert usual.shape == (3, 3)
    assert torch.allclose(band_ratio(3 * images, usual), torch.tensor(9.0).double())
    # The same energy in every band, moved from brightness to colour.
    turned = images[:, [0, 1, 2]] * torch.tensor([1.0, 1.0, -1.0]).view(3, 1, 1)
    assert torch.allclose(band_energy(turned, 3), band_energy(images, 3))
    assert (band_mismatch(turned, usual) > band_mismatch(images, usual)).all()
    images = drawn(2, 3, 8, 8).requires_grad_()
    assert gradcheck(lambda x: band_mismatch(x, usual[:2], 1.1), images)


def test_derivatives():
    images = drawn(2, 1, 8, 8).requires_grad_()
    assert gradcheck(lambda x: spectrum_regulariser(x, 2.0, levels=2), images)
    usual = torch.tensor([0.1, 0.2]).double()
    assert gradcheck(lambda x: band_mismatch(x, usual, 1.1), images)


def test_a_flat_image_is_at_rest():
    flat = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    (spectrum_regulariser(flat, 1.0, levels=2) + band_mismatch(flat, torch.ones(2))).backward()
    assert flat.grad.isfinite().all()


def test_colours_are_what_numpy_says():
    pictures = drawn(5, 3, 4, 6) + torch.tensor([1.0, 20.0, 300.0]).view(3, 1, 1)
    found = colour_statistics([pictures[:2], pictures[2:]])
    pixels = pictures.transpose(0, 1).flatten(1)
    assert torch.allclose(found.mean.double(), pixels.mean(1), rtol=1e-5)
    assert torch.allclose(found.covariance.double(), pixels.cov(correction=0), rtol=1e-4, atol=1e-5)
    mixing = found.mixing()
    assert torch.allclose(mixing @ mixing.T, found.covariance, atol=1e-5)


def test_a_tint_is_a_mahalanobis_distance():
    pictures = drawn(5, 3, 4, 6) @ torch.diag(torch.arange(1.0, 7.0)).double()
    usual = colour_statistics([pictures])
    images = drawn(2, 3, 4, 6, seed=1)
    apart = images.mean((2, 3)) - usual.mean
    inverse = torch.linalg.inv(usual.covariance.double())
    expected = torch.einsum("bi,ij,bj->b", apart, inverse, apart)
    assert torch.allclose(colour_shift(images, usual), expected, rtol=1e-4)
    assert gradcheck(lambda x: colour_shift(x, usual), images.requires_grad_())


def test_grey_pictures_can_still_be_unmixed():
    grey = drawn(1, 1, 8, 8).expand(-1, 3, -1, -1)
    mixing = colour_statistics([grey]).mixing()
    assert torch.linalg.inv(mixing).isfinite().all()
    assert mixing[:, 0].abs().min() > 100 * mixing[:, 1:].abs().max()


def test_bad_input():
    with pytest.raises(InversionError, match="no picture"):
        mean_band_energy([])
    with pytest.raises(InversionError, match="no picture"):
        colour_statistics([])
    with pytest.raises(InversionError, match="1 channels"):
        colour_statistics([drawn(1, 1, 4, 4)])
    with pytest.raises(InversionError, match="slack"):
        band_mismatch(drawn(1, 3, 8, 8), torch.ones(2), slack=0.5)
    with pytest.raises(InversionError, match="usual energies"):
        band_mismatch(drawn(1, 3, 8, 8), torch.ones(2, 2))
    with pytest.raises(InversionError, match="1 channels"):
        colour_band_energy(drawn(1, 1, 8, 8))
