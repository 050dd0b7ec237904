import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from visage.inversion.errors import InversionError
from visage.inversion.laplacian_pyramid import (
    collapse,
    expand,
    laplacian_pyramid,
    most_levels,
    normalise_gradient,
    reduce,
    unit_rms,
)

TAPS = np.array([1, 4, 6, 4, 1]) / 16


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reflected(i, n):
    return -i if i < 0 else 2 * (n - 1) - i if i >= n else i


@pytest.mark.parametrize("size", [(6, 7), (5, 4), (3, 3)])
def test_reduce_is_what_a_loop_sums(size):
    image = drawn(1, 1, *size)[0, 0].numpy()
    rows, columns = size
    expected = [
        [
            sum(
                TAPS[i] * TAPS[j] * image[reflected(y + i - 2, rows), reflected(x + j - 2, columns)]
                for i in range(5)
                for j in range(5)
            )
            for x in range(0, columns, 2)
        ]
        for y in range(0, rows, 2)
    ]
    assert np.allclose(reduce(torch.from_numpy(image)[None, None])[0, 0], expected)


@pytest.mark.parametrize("length", [6, 7])
def test_expand_is_burt_and_adelsons_sum(length):
    # Along one axis: e(i) = 2 Σ_n w(n) g((i − n)/2) over whole numbers (i − n)/2.
    g = drawn((length + 1) // 2)
    image = g[None, None, None].expand(1, 1, 2, -1)
    expected = []
    for i in range(length):
        places = [reflected(i - n, length) for n in range(-2, 3)]
        expected.append(
            sum(2 * TAPS[k] * g[p // 2].item() for k, p in enumerate(places) if p % 2 == 0)
        )
    assert np.allclose(expand(image, 3, length)[0, 0, 1], expected)


@pytest.mark.parametrize("size", [(150, 150), (37, 64), (16, 5)])
def test_collapsing_restores_the_image(size):
    images = drawn(2, 3, *size)
    levels = most_levels(*size)
    assert torch.allclose(collapse(laplacian_pyramid(images, levels)), images, atol=1e-12)


def test_a_constant_has_no_bands():
    *bands, rest = laplacian_pyramid(torch.full((1, 2, 21, 18), 0.7), 3)
    assert max(band.abs().max().item() for band in bands) < 1e-6
    assert torch.allclose(rest, torch.tensor(0.7))


def test_every_band_of_a_normalised_gradient_had_unit_rms():
    # Bands of a pyramid are not orthogonal, so the parts are looked at before they are summed.
    g = drawn(2, 3, 20, 20)
    expected = collapse([
        level / level.square().mean((1, 2, 3), keepdim=True).sqrt()
        for level in laplacian_pyramid(g, 3)
    ])  # fmt: skip
    assert torch.allclose(normalise_gradient(g, 3), expected)


def test_normalising_treats_each_image_alone_and_ignores_length():
    g = drawn(3, 3, 20, 20)
    together = normalise_gradient(g * torch.tensor([1e-4, 1.0, 1e4]).view(3, 1, 1, 1), 3)
    alone = torch.cat([normalise_gradient(one, 3) for one in g.split(1)])
    assert torch.allclose(together, alone)


def test_normalising_raises_coarse_shapes_against_grain():
    y, x = torch.meshgrid(torch.arange(64).double(), torch.arange(64).double(), indexing="ij")
    grain, coarse = torch.cos(torch.pi * (x + y)), torch.sin(x / 10) * torch.cos(y / 10)
    g = (grain + 0.01 * coarse)[None, None]
    before, after = (
        torch.cosine_similarity(z.flatten(), coarse.flatten(), dim=0)
        for z in (g, normalise_gradient(g, 4))
    )
    assert after > 0.9
    assert before < 0.01


def test_zero_stays_zero():
    zero = torch.zeros(1, 3, 12, 12)
    assert (normalise_gradient(zero, 2) == 0).all()
    assert (unit_rms(zero) == 0).all()


def test_derivatives():
    image = drawn(1, 1, 5, 6).requires_grad_()
    assert gradcheck(lambda x: tuple(laplacian_pyramid(x, 2)), image)


def test_bad_input():
    with pytest.raises(InversionError, match="give 1 to 2"):
        laplacian_pyramid(drawn(1, 1, 8, 8), 4)
    with pytest.raises(InversionError, match="does not expand"):
        expand(drawn(1, 1, 2, 2), 6, 6)
    with pytest.raises(InversionError, match="too few"):
        reduce(drawn(1, 1, 2, 8))
