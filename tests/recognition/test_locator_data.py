import math

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter

from visage.photos.alignment import apply_transform
from visage.recognition.locator import LOCATOR_CROP, MIRRORED, SIZE
from visage.recognition.locator_data import (
    FACELESS_TEST,
    FACELESS_TRAINING,
    CropSettings,
    FaceCrops,
    Label,
    blur,
    central_face,
    faceless_picture,
    faceless_square,
    framing_squares,
    label_photographs,
    mirror,
    overlap,
    perturb,
    quantise_blocks,
    rearrange,
    spoil,
    square_transforms,
)

TEMPLATE = torch.tensor([LOCATOR_CROP.template])


class Album:
    """Stands in for LFW: patterns of 250 pixels, and the astronaut's face."""

    def __init__(self):
        self.asked = []

    def image(self, name, i):
        self.asked.append((name, i))
        if name == "Eileen_Collins":
            photo = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None] / 255
            return photo[..., :250, 100:350]
        return torch.rand(1, 3, 250, 250, generator=torch.Generator().manual_seed(i))


def face_label(x=125.0, y=125.0, scale=1.4):
    points = scale * (TEMPLATE - TEMPLATE.mean(1)) + torch.tensor([x, y])
    box = (x - 45, y - 45, x + 45, y + 45)
    return Label((box,), (tuple(map(tuple, points[0].tolist())),))


LABELS = {("A_B", i): face_label(120 + i, 125 - i) for i in range(4)}


def stream(**settings):
    return FaceCrops(3, Album(), LABELS, CropSettings(**settings), faceless=("coffee", "rocket"))


def test_an_item_depends_on_its_seed_and_index_only():
    alone, together = stream().batch([7]), stream().batch([5, 6, 7, 8])
    assert together["crops"].shape == (4, 3, SIZE, SIZE)
    for name in alone:
        torch.testing.assert_close(alone[name][0], together[name][2], atol=1e-5, rtol=0)
    other = FaceCrops(4, Album(), LABELS, faceless=()).batch([7])
    assert not torch.equal(other["crops"], alone["crops"])


def test_crops_stay_in_range_and_come_in_the_wanted_shares():
    batch = stream(negative=0.25, spoilt=0.3).batch(range(200))
    assert batch["crops"].min() >= 0
    assert batch["crops"].max() <= 1
    assert 0.65 < batch["is_face"].mean() < 0.85
    assert batch["points"].isfinite().all()
    assert stream(negative=0.0).batch(range(20))["is_face"].min() == 1


def test_points_are_where_the_face_is():
    """Paint the five points, and look for them in the crops."""

    class Dots(Album):
        def image(self, name, i):
            photo = torch.zeros(1, 3, 250, 250)
            for x, y in LABELS[name, i].points[0]:
                photo[..., round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2] = 1
            return photo

    batch = FaceCrops(0, Dots(), LABELS, CropSettings(negative=0.0), faceless=()).batch(range(60))
    bright = 0
    for crop, points in zip(batch["crops"], batch["points"], strict=True):
        for x, y in points.tolist():
            if 4 < x < SIZE - 5 and 4 < y < SIZE - 5:
                near = crop[:, round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2]
                bright += near.max() > crop.mean() + 0.2
    # A few dots are hidden by rectangles, or lost in blur.
    inside = ((batch["points"] > 4) & (batch["points"] < SIZE - 5)).all(-1).sum()
    assert bright > 0.85 * inside


def test_without_any_usable_photograph_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="no photograph"):
        FaceCrops(0, Album(), {("A_B", 1): Label((), ())})


def test_the_central_plausible_face_is_the_subject():
    first, second = face_label(30, 30), face_label(130, 120)
    both = Label(first.boxes + second.boxes, first.points + second.points)
    assert central_face(both, 250, 250) == 1
    assert central_face(first, 250, 250) is None
    assert central_face(Label((), ()), 250, 250) is None
    collapsed = tuple((125.0 + 3 * k % 7, 125.0 + k) for k in range(5))
    assert central_face(Label(second.boxes, (collapsed,)), 250, 250) is None


def test_framing_squares_put_the_face_upright_in_place():
    roll, scale = 0.3, 1.7
    turn = torch.tensor([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    points = scale * TEMPLATE @ turn.T + torch.tensor([12.0, -7.0])
    squares = framing_squares(points)
    np.testing.assert_allclose(squares[0, 2:], [scale * SIZE, roll], rtol=1e-5)
    placed = apply_transform(square_transforms(squares), points)
    torch.testing.assert_close(placed, TEMPLATE, atol=1e-3, rtol=0)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_face_is_framed_wrongly_within_bounds(seed, amount):
    square, settings = np.array([125.0, 120.0, 160.0, 0.1]), CropSettings()
    x, y, side, roll = perturb(square, np.random.default_rng(seed), amount, settings)
    assert max(abs(x - 125), abs(y - 120)) <= 0.3 * amount * 80 + 1e-9
    assert 1.6**-amount - 1e-9 <= side / 160 <= 1.6**amount + 1e-9
    assert abs(roll - 0.1) <= amount * math.radians(30) + 1e-9


@given(st.integers(0, 10_000))
def test_a_spoilt_face_is_turned_far_away_or_in_pieces(seed):
    square = np.array([125.0, 120.0, 160.0, 0.1])
    (_, _, side, roll), order = spoil(square, np.random.default_rng(seed))
    turned = math.cos(roll - 0.1) < 1e-9
    in_pieces = order is not None
    assert [turned, side >= 2.5 * 160, in_pieces].count(True) == 1
    if in_pieces:
        assert sorted(order) == list(range(len(order)))
        assert (order != np.arange(len(order))).all()


def test_rearranged_tiles_are_the_same_pixels_elsewhere():
    crop = torch.rand(3, 12, 12, generator=torch.manual_seed(0))
    order = np.random.default_rng(0).permutation(9)
    found = rearrange(crop, order)
    for place, tile in enumerate(order):
        (top, left), (row, column) = divmod(place, 3), divmod(int(tile), 3)
        assert torch.equal(
            found[:, 4 * top : 4 * top + 4, 4 * left : 4 * left + 4],
            crop[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4],
        )
    assert torch.equal(rearrange(crop, np.arange(9)), crop)


@given(st.integers(0, 10_000), st.floats(60, 230))
def test_a_faceless_square_keeps_off_the_faces(seed, size):
    box = (125 - size / 2, 125 - size / 2, 125 + size / 2, 125 + size / 2)
    x, y, side, _ = faceless_square(250, 250, [box], np.random.default_rng(seed))
    square = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    assert overlap(square, box) < 0.1
    assert min(square) >= -1e-9
    assert max(square) <= 250 + 1e-9


@given(*[st.integers(0, 12)] * 8)
def test_overlap_counts_pixels(a, b, c, d, e, f, g, h):
    one, other = (a, b, a + c + 1, b + d + 1), (e, f, e + g + 1, f + h + 1)
    sets = [
        {(x, y) for x in range(left, right) for y in range(top, bottom)}
        for left, top, right, bottom in (one, other)
    ]
    assert overlap(one, other) == pytest.approx(len(sets[0] & sets[1]) / len(sets[0] | sets[1]))


def test_a_mirrored_face_is_a_face():
    crops = torch.rand(2, 3, SIZE, SIZE, generator=torch.manual_seed(0))
    points = torch.cat([TEMPLATE + 3, TEMPLATE - 2])
    flipped, moved = mirror(crops, points, [True, False])
    assert torch.equal(flipped[0], crops[0].flip(-1))
    assert torch.equal(flipped[1], crops[1])
    assert torch.equal(moved[1], points[1])
    for k in range(5):
        x, y = points[0, MIRRORED[k]].tolist()
        assert moved[0, k].tolist() == pytest.approx([SIZE - 1 - x, y])
    again, back = mirror(flipped, moved, [True, False])
    assert torch.equal(again, crops)
    torch.testing.assert_close(back, points)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.8])
def test_blur_is_gaussian(sigma):
    image = torch.rand(2, 3, 32, 40, generator=torch.manual_seed(0))
    expected = gaussian_filter(
        image.numpy(), (0, 0, sigma, sigma), mode="nearest", radius=max(1, math.ceil(2.5 * sigma))
    )
    torch.testing.assert_close(blur(image, sigma), torch.from_numpy(expected))


def test_blocks_are_rounded_in_their_cosine_spectrum():
    image = torch.rand(1, 2, 16, 24, generator=torch.manual_seed(0)).double()
    step = 0.1
    expected = np.empty(image.shape)
    fine = step * (1 + 3 * np.add.outer(np.arange(8), np.arange(8)) / 14)
    for channel in range(2):
        for top in range(0, 16, 8):
            for left in range(0, 24, 8):
                block = image[0, channel, top : top + 8, left : left + 8].numpy()
                spectrum = np.round(dctn(block, norm="ortho") / fine) * fine
                expected[0, channel, top : top + 8, left : left + 8] = idctn(spectrum, norm="ortho")
    torch.testing.assert_close(quantise_blocks(image, step), torch.from_numpy(expected))
    torch.testing.assert_close(quantise_blocks(image, 1e-9), image)


def test_labels_are_computed_once_and_survive_a_broken_line(tmp_path):
    file, album = tmp_path / "labels.jsonl", Album()
    wanted = [("Eileen_Collins", 1), ("Noise", 2)]
    labels = label_photographs(wanted, album, file)
    assert len(labels["Eileen_Collins", 1].boxes) == 1
    assert labels["Noise", 2] == Label((), ())
    right_outer, _, left_outer, _, nose = labels["Eileen_Collins", 1].points[0]
    assert left_outer[0] < nose[0] < right_outer[0]
    assert nose[1] > right_outer[1]
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:-1], lines[-1][:9]]))
    album.asked.clear()
    assert label_photographs(wanted, album, file) == labels
    assert album.asked == [("Noise", 2)]
    album.asked.clear()
    assert label_photographs(wanted, album, file) == labels
    assert album.asked == []


@pytest.mark.parametrize("name", [*FACELESS_TRAINING, *FACELESS_TEST])
def test_the_faceless_pictures_come_with_scikit_image(name):
    picture = faceless_picture(name)
    assert picture.shape[:2] == (1, 3)
    assert min(picture.shape[-2:]) <= 250
