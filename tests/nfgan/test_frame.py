"""The one crop of this part, and the way to a recogniser's."""

import pytest
import torch

from visage.nfgan.errors import NfganError
from visage.nfgan.frame import FACE_CROP, SIZE, aligned, check_faces, to_chips
from visage.photos.alignment import DLIB_CHIP, GREY_CROP, align, apply_transform, crop_transform

LEFT_AND_RIGHT = [(36, 45), (39, 42), (31, 35), (48, 54)]


def _mean_landmarks() -> torch.Tensor:
    """Landmarks that lie where dlib's chip wants them; those that it does not use are far off."""
    points = torch.full((1, 68, 2), 400.0)
    for (i,), place in zip(DLIB_CHIP.anchors, DLIB_CHIP.template, strict=True):
        points[0, i] = torch.tensor(place)
    return points


def _smooth(seed: int, size: int) -> torch.Tensor:
    noise = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size, mode="bicubic").clamp(0, 1)


def test_midline_is_the_pictures():
    points = apply_transform(crop_transform(_mean_landmarks(), FACE_CROP), _mean_landmarks())[0]
    for left, right in LEFT_AND_RIGHT:
        assert points[[left, right], 0].mean() == pytest.approx((SIZE - 1) / 2, abs=2e-3)


def test_same_margin_as_the_grey_crop():
    """The mean face is as large and as high as in the crop of `visage.photos`."""
    shared = [anchor for anchor in FACE_CROP.anchors if anchor in GREY_CROP.anchors]
    ours = [FACE_CROP.template[FACE_CROP.anchors.index(anchor)] for anchor in shared]
    theirs = [GREY_CROP.template[GREY_CROP.anchors.index(anchor)] for anchor in shared]
    assert torch.allclose(torch.tensor(ours), torch.tensor(theirs), atol=2e-3)


def test_brows_chin_and_lower_lip_do_not_move_the_face():
    points = _mean_landmarks()
    image = _smooth(0, 150)
    moved = points.clone()
    moved[:, [*range(17), *range(17, 27), *range(55, 60)]] += 20
    assert torch.equal(aligned(image, points), aligned(image, moved))


def test_aligned_undoes_roll():
    """A turned photograph gives the same face, and a colour photograph its luma."""
    points, image = _mean_landmarks(), _smooth(1, 150)
    turned = image.rot90(1, (2, 3))
    # A quarter turn against the clock takes (x, y) to (y, 149 - x).
    places = torch.stack([points[..., 1], 149 - points[..., 0]], -1)
    straight = aligned(image, points)
    assert torch.allclose(aligned(turned, places), straight, atol=1e-4)
    assert torch.allclose(aligned(image.expand(1, 3, -1, -1), points), straight, atol=1e-6)


def test_chip_of_a_face_is_the_photographs_chip():
    image = _smooth(2, 150)
    points = _mean_landmarks()
    chips = to_chips(aligned(image, points))
    truth = align(image.expand(1, 3, -1, -1), points, DLIB_CHIP)
    # Two bilinear steps blur a little, but nothing moves.
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    assert (chips - truth)[inner].abs().max() < 0.02
    shifted = (chips.roll(1, -1) - truth)[inner].abs().mean()
    assert (chips - truth)[inner].abs().mean() < shifted / 5


def test_chips_are_differentiable():
    faces = _smooth(3, SIZE).requires_grad_()
    to_chips(faces).sum().backward()
    assert (faces.grad > 0).all()


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 3, 64, 64), (2, 1, 60, 60)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(NfganError, match="expected"):
        to_chips(torch.zeros(shape))
    with pytest.raises(NfganError, match="inputs are"):
        check_faces(torch.zeros(shape), "inputs")
