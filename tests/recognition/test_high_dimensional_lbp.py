import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visage.photos.alignment import to_grey
from visage.recognition.high_dimensional_lbp import (
    BINS,
    binary_patterns,
    describe_patterns,
    uniform_bins,
)
from visage.recognition.landmark_patches import (
    CELL,
    CELLS,
    POINTS,
    SIZES,
    DescriptorInputError,
    anchor_points,
)


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def naive_bin(grey, y, x):
    """The pattern's bits round the pixel, and the rank of its value among the uniform ones."""
    height, width = grey.shape
    value = 0
    around = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    for bit, (dy, dx) in enumerate(around):
        row, column = min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)
        value |= int(grey[row, column] >= grey[y, x]) << bit

    def uniform(number):
        bits = [(number >> k) & 1 for k in range(8)]
        return sum(bits[k] != bits[k - 1] for k in range(8)) <= 2

    return sum(uniform(v) for v in range(value)) if uniform(value) else 58


@given(st.integers(0, 99), st.integers(1, 5), st.integers(1, 5))
def test_patterns_are_the_naive_loop(seed, height, width):
    # Few grey levels, so that ties are frequent.
    grey = (draw(1, 1, height, width, seed=seed) * 4).floor()
    found = binary_patterns(grey)[0]
    for y in range(height):
        for x in range(width):
            assert int(found[y, x]) == naive_bin(grey[0, 0], y, x)


def test_58_patterns_are_uniform():
    bins = uniform_bins()
    assert len(bins) == 256
    counts = bins.bincount()
    assert counts.tolist() == [1] * 58 + [256 - 58]
    assert [int(bins[v]) for v in (0, 255, 0b01010101)] == [0, 57, 58]


def test_patterns_ignore_exposure_and_contrast():
    grey = draw(2, 1, 9, 9)
    assert torch.equal(binary_patterns(grey), binary_patterns(0.5 * grey**0.5 + 0.1))


def test_a_patch_is_the_histogram_of_its_cells():
    chips, landmarks = draw(1, 3, 150, 150), 75 + 20 * draw(1, 68, 2, seed=1)
    found = describe_patterns(chips, landmarks)
    assert found.shape == (1, len(SIZES), len(POINTS), CELLS**2 * BINS)
    bins = binary_patterns(to_grey(chips))[0]
    x, y = (int(np.ceil(v)) for v in anchor_points(landmarks)[0, 3].tolist())
    for row in range(CELLS):
        for column in range(CELLS):
            top, left = y - 20 + row * CELL, x - 20 + column * CELL
            cell = bins[top : top + CELL, left : left + CELL].flatten()
            shares = torch.bincount(cell, minlength=BINS) / CELL**2
            start = (row * CELLS + column) * BINS
            assert torch.allclose(found[0, 0, 3, start : start + BINS], shares.sqrt(), atol=1e-4)


def test_every_cell_is_a_unit_vector():
    found = describe_patterns(draw(2, 3, 150, 150), 150 * draw(2, 68, 2, seed=1))
    cells = found.view(2, len(SIZES), len(POINTS), CELLS**2, BINS)
    assert torch.allclose(cells.square().sum(-1), torch.ones(()), atol=1e-4)


def test_faces_are_described_one_by_one():
    chips, landmarks = draw(3, 3, 150, 150), 150 * draw(3, 68, 2, seed=1)
    together = describe_patterns(chips, landmarks)
    assert torch.equal(together[1:2], describe_patterns(chips[1:2], landmarks[1:2]))


@pytest.mark.parametrize(
    ("chips", "landmarks"),
    [
        (torch.zeros(1, 3, 64, 64), torch.zeros(1, 68, 2)),
        (torch.zeros(1, 1, 150, 150), torch.zeros(1, 68, 2)),
        (torch.zeros(2, 3, 150, 150), torch.zeros(1, 68, 2)),
        (torch.zeros(1, 3, 150, 150), torch.zeros(1, 5, 2)),
    ],
)
def test_what_cannot_be_described_is_refused(chips, landmarks):
    with pytest.raises(DescriptorInputError, match="expected"):
        describe_patterns(chips, landmarks)
