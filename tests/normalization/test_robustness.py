import pytest
import torch

from visage.normalization.errors import NormalizationError
from visage.normalization.frontalization import far_side, frontalized
from visage.normalization.stylisation import black_and_white, painted
from visage.photos.alignment import MEAN_FACE

SIZE = 48


def frontal():
    points = torch.rand(68, 2, generator=torch.Generator().manual_seed(0))
    points[17:] = torch.tensor([MEAN_FACE[i] for i in range(17, 68)])
    angles = torch.linspace(0, torch.pi, 17)
    points[:17] = torch.stack([0.49 - 0.6 * angles.cos(), 0.2 + 0.9 * angles.sin()], 1)
    return 12 + 22 * points


def test_a_frontal_face_stays_as_it_is():
    face = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(frontalized(face, frontal()[None], frontal()), face, atol=1e-4)
    assert far_side(frontal()[None]).item() == 0


@pytest.mark.parametrize("side", [-1, 1])
def test_the_far_side_is_filled_from_the_near_one(side):
    turned = frontal()[None].clone()
    # The nose's tip moves towards the side that is turned away.
    turned[:, 30, 0] += side * 9.0
    assert far_side(turned).item() == side
    face = torch.zeros(1, 3, SIZE, SIZE)
    near = slice(0, SIZE // 2) if side > 0 else slice(SIZE // 2, SIZE)
    face[..., near] = 1.0
    found = frontalized(face, turned, frontal())
    edge = slice(-6, None) if side > 0 else slice(0, 6)
    assert found[..., 20:30, edge].mean() > 0.9


def test_no_colour_is_left():
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    grey = black_and_white(images)
    assert grey.shape == images.shape
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert torch.allclose(black_and_white(grey), grey, atol=1e-6)


def test_paint_keeps_edges_and_evens_out_the_rest():
    generator = torch.Generator().manual_seed(3)
    step = torch.zeros(1, 3, 24, 24)
    step[..., 12:] = 0.8
    noisy = (step + 0.05 * torch.randn(step.shape, generator=generator)).clamp(0, 1)
    found = painted(noisy)
    assert found.shape == step.shape
    assert found[..., :12].std() < noisy[..., :12].std()
    jump = found[0, 1, 6:18, 12] - found[0, 1, 6:18, 11]
    assert jump.mean() > 0.6


def test_paint_by_a_naive_loop():
    image = torch.rand(1, 3, 7, 7, generator=torch.Generator().manual_seed(4))
    r = 2
    wide = torch.nn.functional.pad(image, (r,) * 4, mode="replicate")[0]
    found = painted(image, r)[0]
    for y, x in ((0, 0), (3, 4), (6, 2)):
        squares = [wide[:, y + dy : y + dy + r + 1, x + dx : x + dx + r + 1]
                   for dy in (0, r) for dx in (0, r)]  # fmt: skip
        spreads = [sum(s[c].var(correction=0) for c in range(3)) for s in squares]
        mean = squares[int(torch.stack(spreads).argmin())].mean((1, 2))
        wanted = (((mean - 0.5) * 1.15 + 0.5) * torch.tensor([1.04, 1.0, 0.86])).clamp(0, 1)
        assert torch.allclose(found[:, y, x], wanted, atol=1e-4)


def test_bad_brushes():
    with pytest.raises(NormalizationError, match="brush"):
        painted(torch.zeros(1, 3, 8, 8), 0)
    with pytest.raises(NormalizationError, match="brush"):
        painted(torch.zeros(1, 1, 8, 8))
