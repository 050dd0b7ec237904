"""Gradient-domain compositing against a dense least-squares solution."""

import numpy as np
import pytest
import torch

from visage.normalization.compositing import (
    CompositingError,
    Compositor,
    blending_mask,
    difference_operator,
    keep_backdrop,
)


def dense(face: torch.Tensor, background: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    """Eq. 3 as written, equation by equation, for one channel."""
    height, width = mask.shape
    rows, values = [], []
    f, b, m = (x.double().numpy() for x in (face, background, mask))

    def equation(terms: dict[tuple[int, int], float], value: float) -> None:
        row = np.zeros((height, width))
        for place, weight in terms.items():
            row[place] = weight
        rows.append(row.ravel())
        values.append(value)

    for y in range(height):
        for x in range(width):
            for ny, nx in ((y, x + 1), (y + 1, x)):
                if ny < height and nx < width:
                    share = (m[y, x] + m[ny, nx]) / 2
                    wanted = share * (f[ny, nx] - f[y, x]) + (1 - share) * (b[ny, nx] - b[y, x])
                    equation({(y, x): -1.0, (ny, nx): 1.0}, wanted)
            equation({(y, x): m[y, x]}, m[y, x] * f[y, x])
    return np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0].reshape(height, width)


def test_agrees_with_the_equations():
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(5, 6, generator=generator) * (torch.rand(5, 6, generator=generator) > 0.4)
    face, background = torch.rand(2, 2, 3, 5, 6, generator=generator)
    composed = Compositor(mask)(face, background)
    for i in range(2):
        for channel in range(3):
            expected = dense(face[i, channel], background[i, channel], mask)
            assert np.allclose(composed[i, channel].numpy(), expected, atol=1e-5)


def test_same_picture_stays():
    picture = torch.rand(1, 3, 16, 16)
    mask = torch.zeros(16, 16)
    mask[4:10, 5:12] = 1
    assert torch.equal(Compositor(mask)(picture, picture), picture)


def test_a_lighter_face_lightens_all_and_leaves_no_seam():
    """A constant difference is taken up by the whole background: no edge where the mask ends."""
    background = torch.rand(1, 3, 24, 24)
    mask = torch.zeros(24, 24)
    mask[8:16, 8:16] = 1
    composed = Compositor(mask)(background + 0.2, background)
    assert torch.allclose(composed, background + 0.2, atol=1e-4)


def test_gradients_outside_are_the_backgrounds_and_colours_inside_the_faces():
    generator = torch.Generator().manual_seed(1)
    face, background = torch.rand(2, 1, 1, 40, 40, generator=generator)
    mask = torch.zeros(40, 40)
    mask[12:28, 12:28] = 1
    composed = Compositor(mask, colour_weight=100.0)(face, background)
    assert torch.allclose(composed[..., 13:27, 13:27], face[..., 13:27, 13:27], atol=0.02)
    far = (composed - background)[..., :8, :]
    assert far.diff(dim=-1).abs().mean() < 0.05 * (face - background).diff(dim=-1).abs().mean()


def test_is_linear():
    generator = torch.Generator().manual_seed(2)
    a, b, c = torch.rand(3, 1, 3, 12, 12, generator=generator)
    compose = Compositor(torch.rand(12, 12, generator=generator))
    both = compose(0.3 * a + 0.7 * b, c)
    assert torch.allclose(both, 0.3 * compose(a, c) + 0.7 * compose(b, c), atol=1e-5)


def test_one_background_for_all():
    compose = Compositor(torch.full((8, 8), 0.5))
    faces, background = torch.rand(3, 3, 8, 8), torch.rand(1, 3, 8, 8)
    assert torch.allclose(
        compose(faces, background), compose(faces, background.expand(3, -1, -1, -1))
    )


def test_a_plain_backdrop_stays_and_the_face_does_not():
    background = torch.full((1, 3, 16, 16), 0.7)
    background[..., 3:13, 3:13] = 0.2
    mask = torch.zeros(16, 16)
    mask[6:10, 6:10] = 1
    composed = background + 0.2
    left = keep_backdrop(composed, background, mask, 0.7) - background
    assert torch.equal(left[..., :2, :], torch.zeros(1, 3, 2, 16))
    assert torch.allclose(left[..., 5:11, 5:11], torch.tensor(0.2))
    along = left[0, 0, 8, :5]  # from the picture's side to the middle
    assert (along.diff() >= 0).all()
    assert along[2] < 0.01
    assert 0.02 < along[3] < 0.15


def test_a_face_of_the_backdrops_own_grey_is_no_backdrop():
    grey = torch.full((1, 3, 8, 8), 0.7)
    mask = torch.zeros(8, 8)
    mask[2:6, 2:6] = 1
    kept = keep_backdrop(grey + 0.1, grey, mask, 0.7)
    assert torch.allclose(kept, grey + 0.1 * mask)


def test_differences():
    picture = torch.rand(4, 5)
    found = difference_operator(4, 5) @ picture.numpy().ravel()
    expected = torch.cat([picture.diff(dim=1).flatten(), picture.diff(dim=0).flatten()])
    assert np.allclose(found, expected.numpy(), atol=1e-6)


def test_mask_is_the_hull_and_soft():
    points = torch.tensor([[8.0, 8.0], [24.0, 8.0], [16.0, 26.0], [16.0, 12.0]])
    hard = blending_mask(points, 33, softening=0)
    soft = blending_mask(points, 33, softening=0.03)
    assert set(hard.unique().tolist()) == {0.0, 1.0}
    places = [(12, 16), (26, 16), (20, 8), (7, 16)]
    assert [float(hard[place]) for place in places] == [1, 1, 0, 0]
    assert torch.isclose(hard.sum(), soft.sum(), rtol=1e-3)
    assert 0.2 < float(soft[8, 16]) < 0.8


@pytest.mark.parametrize(
    ("mask", "face", "background", "what"),
    [
        (torch.zeros(4, 4), None, None, "no pixel's colour"),
        (torch.full((4, 4), 2.0), None, None, r"\[0, 1\]"),
        (torch.ones(4), None, None, r"\(H, W\)"),
        (torch.ones(4, 4), torch.rand(1, 3, 5, 4), torch.rand(1, 3, 5, 4), "expected"),
        (torch.ones(4, 4), torch.rand(2, 3, 4, 4), torch.rand(3, 3, 4, 4), "expected"),
        (torch.ones(4, 4), torch.full((1, 1, 4, 4), torch.nan), torch.rand(1, 1, 4, 4), "NaN"),
    ],
)
def test_refuses(mask, face, background, what):
    with pytest.raises(CompositingError, match=what):
        Compositor(mask)(face, background)


def test_refuses_landmarks_without_area():
    with pytest.raises(CompositingError, match="area"):
        blending_mask(torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]), 8)
