import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visage.photos.alignment import to_grey
from visage.recognition.landmark_patches import (
    CELL,
    CELLS,
    POINTS,
    SIZES,
    DescriptorInputError,
    anchor_points,
)
from visage.recognition.oriented_gradients import DIRECTIONS, describe_gradients, gradients


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 99), st.integers(1, 5), st.integers(1, 5))
def test_gradients_are_the_naive_loop(seed, height, width):
    grey = draw(1, 1, height, width, seed=seed)
    sector, length = gradients(grey)
    pixels = grey[0, 0]
    for y in range(height):
        for x in range(width):
            across = pixels[y, min(x + 1, width - 1)] - pixels[y, max(x - 1, 0)]
            down = pixels[min(y + 1, height - 1), x] - pixels[max(y - 1, 0), x]
            assert float(length[0, y, x]) == pytest.approx(math.hypot(across, down), abs=1e-6)
            turn = math.atan2(down, across) / (2 * math.pi) * DIRECTIONS
            if abs(turn - round(turn)) > 1e-3:
                assert int(sector[0, y, x]) == math.floor(turn) % DIRECTIONS


def test_a_patch_is_the_weighted_histogram_of_its_cells():
    chips, landmarks = draw(1, 3, 150, 150), 75 + 20 * draw(1, 68, 2, seed=1)
    found = describe_gradients(chips, landmarks)
    assert found.shape == (1, len(SIZES), len(POINTS), CELLS**2 * DIRECTIONS)
    sector, length = (v[0] for v in gradients(to_grey(chips)))
    x, y = (math.ceil(v) for v in anchor_points(landmarks)[0, 3].tolist())
    expected = torch.zeros(CELLS, CELLS, DIRECTIONS)
    for row in range(CELLS * CELL):
        for column in range(CELLS * CELL):
            at = (y - 20 + row, x - 20 + column)
            expected[row // CELL, column // CELL, sector[at]] += length[at]
    expected = (expected / expected.sum()).sqrt().flatten()
    assert torch.allclose(found[0, 0, 3], expected, atol=1e-4)


def test_contrast_and_exposure_do_not_matter():
    chips, landmarks = draw(1, 3, 150, 150), 150 * draw(1, 68, 2, seed=1)
    other = describe_gradients(0.5 * chips + 0.2, landmarks)
    assert torch.allclose(describe_gradients(chips, landmarks), other, atol=5e-3)


def test_a_flat_picture_has_no_gradients():
    found = describe_gradients(torch.full((1, 3, 150, 150), 0.5), torch.full((1, 68, 2), 75.0))
    assert found.abs().max() < 0.3  # rounding errors only; a patch has unit length otherwise
    assert found.isfinite().all()


def test_faces_are_described_one_by_one():
    chips, landmarks = draw(3, 3, 150, 150), 150 * draw(3, 68, 2, seed=1)
    together = describe_gradients(chips, landmarks)
    assert torch.allclose(together[1:2], describe_gradients(chips[1:2], landmarks[1:2]), atol=1e-6)


def test_what_cannot_be_described_is_refused():
    with pytest.raises(DescriptorInputError, match="expected"):
        describe_gradients(torch.zeros(1, 3, 150, 150), torch.zeros(1, 5, 2))
