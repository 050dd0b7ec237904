import itertools

import hypothesis.strategies as st
import pytest
import skimage
import torch
from hypothesis import given, settings

from visage.photos.alignment import DLIB_CHIP, align
from visage.photos.corruption import (
    SURROUNDINGS,
    Corruption,
    corrupt,
    expose,
    gaussian_blur,
    occlude,
    surroundings,
)
from visage.photos.landmarks import find_face
from visage.photos.reading import open_photo


def random_images(*shape, dtype=torch.float32):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_no_corruption_cuts_out_the_middle():
    source = random_images(2, 3, 300, 300)
    torch.testing.assert_close(
        corrupt(source, Corruption()), source[..., 75:225, 75:225], atol=1e-4, rtol=0
    )


def test_surroundings_hold_the_chip_in_their_middle():
    photo = open_photo(skimage.data.astronaut())
    chip = align(photo, find_face(photo).landmarks, DLIB_CHIP)
    wide = surroundings(photo)
    assert wide.shape == (1, 3, SURROUNDINGS.size, SURROUNDINGS.size)
    torch.testing.assert_close(corrupt(wide, Corruption()), chip, atol=2e-3, rtol=0)


def test_blur_against_a_loop():
    image = random_images(1, 1, 7, 9, dtype=torch.float64)
    sigma, radius = 0.8, 4
    weights = [
        torch.exp(torch.tensor(-(k**2) / (2 * sigma**2), dtype=torch.float64))
        for k in range(-radius, radius + 1)
    ]
    expected = torch.zeros_like(image)
    total = sum(weights) ** 2
    for y in range(7):
        for x in range(9):
            for i, wi in enumerate(weights):
                for j, wj in enumerate(weights):
                    yy = min(6, max(0, y + i - radius))
                    xx = min(8, max(0, x + j - radius))
                    expected[0, 0, y, x] += wi * wj / total * image[0, 0, yy, xx]
    torch.testing.assert_close(gaussian_blur(image, sigma), expected)


@given(sigma=st.floats(0.1, 5), level=st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_blur_keeps_a_constant_picture(sigma, level):
    image = torch.full((1, 3, 20, 20), level, dtype=torch.float64)
    torch.testing.assert_close(gaussian_blur(image, sigma), image)


@given(a=st.floats(-3, 0), b=st.floats(-3, 0))
@settings(max_examples=20, deadline=None)
def test_exposures_add_up_where_nothing_clips(a, b):
    image = torch.linspace(0, 1, 64, dtype=torch.float64).view(1, 1, 8, 8)
    torch.testing.assert_close(expose(expose(image, a), b), expose(image, a + b), atol=1e-6, rtol=0)


def test_exposure_known_values():
    # One stop down from white is half the light: 0.5 in linear light is 0.7354 in sRGB.
    white = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    assert expose(white, -1.0).item() == pytest.approx(0.735357, abs=1e-6)
    assert expose(white, 3.0).item() == pytest.approx(1.0, abs=1e-12)


def test_rotation_turns_clockwise_on_the_screen():
    source = torch.zeros(1, 3, 300, 300)
    source[..., 100:110, 145:155] = 1  # above the centre
    chip = corrupt(source, Corruption(rotation=torch.pi / 2))[0, 0]
    y, x = (chip > 0.5).nonzero(as_tuple=True)
    assert x.float().mean() > 110  # now at the right
    assert abs(y.float().mean() - 74.5) < 2


def test_shift_moves_right_and_down():
    source = random_images(1, 3, 300, 300)
    plain, moved = corrupt(source, Corruption()), corrupt(source, Corruption(shift_x=4, shift_y=7))
    torch.testing.assert_close(moved[..., 7:, 4:], plain[..., :-7, :-4], atol=1e-4, rtol=0)


@pytest.mark.parametrize("occluder", ["sunglasses", "mask", "patch"])
def test_occluders_grow(occluder):
    white = torch.ones(1, 3, 150, 150)
    areas = [
        (occlude(white, occluder, cover) < 0.99).float().mean().item()
        for cover in (0, 0.2, 0.5, 0.8, 1)
    ]
    assert areas[0] == 0
    assert all(small < large for small, large in itertools.pairwise(areas))
    assert areas[-1] < 0.75


def test_sunglasses_cover_the_eyes_and_not_the_mouth():
    dark = occlude(torch.ones(1, 3, 150, 150), "sunglasses", 0.7)
    for x in (47, 100):
        assert dark[0, 0, 47, x] < 0.1
    assert dark[0, 0, 105, 74] == 1


def test_grain_follows_its_generator():
    source = torch.full((1, 3, 300, 300), 0.5)
    first, again = (
        corrupt(source, Corruption(noise=0.1), generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    )
    assert torch.equal(first, again)
    assert first.std().item() == pytest.approx(0.1, rel=0.02)


def test_gradients_reach_the_photograph():
    source = random_images(1, 3, 160, 160, dtype=torch.float64).requires_grad_()
    chosen = torch.randperm(3 * 150 * 150, generator=torch.Generator().manual_seed(1))[:12]
    corruption = Corruption(blur=0.6, exposure=-0.5, rotation=0.1, cover=0.3)

    def some(pixels):
        return corrupt(pixels, corruption).flatten()[chosen]

    direction = random_images(1, 3, 160, 160, dtype=torch.float64) - 0.5
    (analytic,) = torch.autograd.grad(some(source).sum(), source)
    step = 1e-6
    with torch.no_grad():
        numeric = (some(source + step * direction) - some(source - step * direction)).sum() / (
            2 * step
        )
    assert (analytic * direction).sum().item() == pytest.approx(numeric.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"blur": -1.0}, "blur"),
        ({"noise": -0.1}, "noise"),
        ({"zoom": 0.0}, "zoom"),
        ({"cover": 1.5}, "cover"),
        ({"occluder": "hat"}, "occluder"),
    ],
)
def test_meaningless_values_are_refused(values, word):
    with pytest.raises(ValueError, match=word):
        Corruption(**values)


def test_bad_input():
    with pytest.raises(ValueError, match="source must be"):
        corrupt(torch.rand(3, 300, 300), Corruption())
    with pytest.raises(ValueError, match="generator"):
        corrupt(torch.rand(1, 3, 300, 300), Corruption(noise=0.1))
