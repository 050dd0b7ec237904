import numpy as np
import pytest

from visage.texture import segmentation_reproduce
from visage.texture.segmentation import CHIP
from visage.texture.segmentation_data import KEPT_SIZE, TRAITS, KeptPeople
from visage.texture.segmentation_reproduce import EXPERIMENTS


@pytest.fixture
def kept():
    random, count = np.random.default_rng(0), 6
    pictures = random.integers(0, 255, (count, 4, KEPT_SIZE, KEPT_SIZE)).astype(np.uint8)
    landmarks = np.zeros((count, 68, 2), np.float32)
    for group, place in zip(CHIP.anchors, CHIP.template, strict=True):
        landmarks[:, group[0]] = np.array(place) + (KEPT_SIZE - CHIP.size) / 2
    traits = np.zeros((count, len(TRAITS)), bool)
    traits[0, 0] = True
    return KeptPeople(pictures, landmarks, traits)


def test_the_record_has_a_row_for_each_kind_there_is(kept, monkeypatch):
    monkeypatch.setattr(segmentation_reproduce, "kept_people", lambda *_, **__: kept)
    result, figure = EXPERIMENTS["texture/segmentation"]("fast", 0)
    rows = {row.name: row for row in result.rows}
    assert set(rows) == {"iou", "iou/clear", "iou/glasses", "iou/hand", "iou/object"}
    assert rows["iou/clear"].n == 5
    assert rows["iou/hand"].n == 6
    assert rows["iou"].n == 18
    assert all(0 <= row.ours <= 1 for row in rows.values())
    assert len(figure.axes) == 6 * 8
