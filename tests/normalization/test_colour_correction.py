"""Eq. 13 and the colours it is applied to."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from visage.normalization.colour_correction import (
    correct_colours,
    face_colour,
    from_ycrcb,
    piecewise_shift,
    to_ycrcb,
)
from visage.normalization.errors import ColourCorrectionError

shares = st.floats(0, 1, allow_nan=False, width=32)


def naive(p, m_p, m_n):
    """Eq. 13 for one number, as printed."""
    if p <= m_p:
        return p * m_n / m_p
    return 1 - (1 - p) * (1 - m_n) / (1 - m_p)


def shift(values, mean, target):
    values = torch.tensor(values, dtype=torch.float64)[None, None]
    means = (torch.tensor([[m]], dtype=torch.float64) for m in (mean, target))
    return piecewise_shift(values, *means)[0, 0]


@settings(deadline=None)
@given(shares, st.floats(0.01, 0.99), st.floats(0, 1))
def test_agrees_with_the_equation(p, mean, target):
    assert shift([p], mean, target).item() == pytest.approx(naive(p, mean, target), abs=1e-12)


@settings(deadline=None)
@given(st.floats(0.001, 0.999), shares)
def test_ends_stay_and_the_mean_moves(mean, target):
    found = shift([0.0, mean, 1.0], mean, target)
    torch.testing.assert_close(found, torch.tensor([0.0, target, 1.0], dtype=torch.float64))


@settings(deadline=None)
@given(shares, shares, st.lists(shares, min_size=2, max_size=8))
def test_monotone_and_within_bounds(mean, target, values):
    found = shift(sorted(values), mean, target)
    assert (found.diff() >= -1e-12).all()
    assert (found >= -1e-12).all()
    assert (found <= 1 + 1e-12).all()


@settings(deadline=None)
@given(shares, shares)
def test_nothing_happens_where_the_means_agree(value, mean):
    assert shift([value], mean, mean).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_a_mean_at_an_end_still_goes_to_its_target(mean):
    found = shift([0.0, 0.25, 1.0], mean, 0.4)
    assert found.isfinite().all()
    assert found[0 if mean == 0 else 2].item() == pytest.approx(0.4)
    assert found[2 if mean == 0 else 0].item() == pytest.approx(1.0 if mean == 0 else 0.0)


def test_differentiable_also_beside_degenerate_means():
    values = torch.tensor([[[0.1, 0.7], [0.3, 0.9]]], dtype=torch.float64, requires_grad=True)
    mean = torch.tensor([[0.4, 1.0]], dtype=torch.float64)
    target = torch.tensor([[0.6, 0.2]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda v, t: piecewise_shift(v, mean, t), (values, target))


def test_ycrcb_is_rec_601():
    colours = torch.eye(3)
    y, cr, cb = to_ycrcb(colours).unbind(1)
    torch.testing.assert_close(y, torch.tensor([0.299, 0.587, 0.114]))
    assert cr[0] == pytest.approx(1)  # the reddest there is
    assert cb[2] == pytest.approx(1)
    grey = to_ycrcb(torch.full((1, 3, 2, 2), 0.3))
    torch.testing.assert_close(grey[0, :, 0, 0], torch.tensor([0.3, 0.5, 0.5]))
    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(from_ycrcb(to_ycrcb(images)), images)


@pytest.mark.parametrize("size", [112, 224])
def test_the_box_is_the_middle(size):
    faces = torch.zeros(1, 3, size, size)
    half = round(100 / 224 * size) // 2
    middle = slice(size // 2 - half, size // 2 + half)
    faces[:, :, middle, middle] = torch.tensor([0.8, 0.5, 0.4])[:, None, None]
    expected = to_ycrcb(torch.tensor([[0.8, 0.5, 0.4]]))
    torch.testing.assert_close(face_colour(faces), expected)
    assert face_colour(faces, box=1.0)[0, 0] < expected[0, 0]


def test_a_face_that_was_cast_gets_its_colour_back():
    generator = torch.Generator().manual_seed(1)
    face = 0.3 + 0.3 * torch.rand(1, 3, 40, 40, generator=generator)
    cast = face * torch.tensor([0.9, 0.7, 0.5])[:, None, None]
    mean, target = face_colour(cast), face_colour(face)
    found = correct_colours(cast, mean, target)
    # Not exactly: the two pieces bend, and the mean of bent values is not the bent mean.
    torch.testing.assert_close(face_colour(found), target, atol=0.01, rtol=0)
    assert (found - face).abs().mean() < 0.3 * (cast - face).abs().mean()


def test_items_do_not_mix():
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    mean, target = face_colour(images), face_colour(images.flip(0))
    whole = correct_colours(images, mean, target)
    alone = correct_colours(images[1:2], mean[1:2], target[1:2])
    torch.testing.assert_close(whole[1:2], alone)


def test_refuses():
    image = torch.rand(1, 3, 8, 8)
    with pytest.raises(ColourCorrectionError, match=r"expected \(B, 3, S, S\)"):
        face_colour(image[..., :4])
    with pytest.raises(ColourCorrectionError, match="box"):
        face_colour(image, box=0.0)
    with pytest.raises(ColourCorrectionError, match=r"not in \[0, 1\]"):
        correct_colours(image, torch.full((1, 3), 1.5), torch.full((1, 3), 0.5))
    with pytest.raises(ColourCorrectionError, match="a number for each channel"):
        correct_colours(image, torch.full((2, 3), 0.5), torch.full((1, 3), 0.5))
    with pytest.raises(ColourCorrectionError, match="photographs"):
        correct_colours(image[0], torch.full((1, 3), 0.5), torch.full((1, 3), 0.5))
