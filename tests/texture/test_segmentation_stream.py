import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from visage.texture.occluders import HAND, OBJECT
from visage.texture.segmentation import CHIP
from visage.texture.segmentation_data import KEPT_SIZE, KeptPeople, SegmentationDataError
from visage.texture.segmentation_stream import (
    DATA,
    LAID_OVER,
    PLAIN,
    SegmentationData,
    SegmentationStream,
)

EXACT = SegmentationData(
    shift=0.0, growth=0.0, turn=0.0, occluders=(1.0,), balance=0.0, gain=0.0, gamma=0.0,
    grey=0.0, blurred=0.0, noise=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def kept():
    """Discs of skin on noise, with landmarks where a chip of 1.05 pixels a pixel has them."""
    random = np.random.default_rng(0)
    count, side = 6, KEPT_SIZE
    y, x = np.mgrid[:side, :side]
    disc = np.hypot(x - side / 2, y - side / 2) < 40
    pictures = np.zeros((count, 4, side, side), np.uint8)
    pictures[:, :3] = random.integers(0, 80, (count, 3, side, side))
    pictures[:, 0, disc], pictures[:, 1, disc], pictures[:, 3, disc] = 200, 150, 255
    landmarks = np.zeros((count, 68, 2), np.float32)
    for group, place in zip(CHIP.anchors, CHIP.template, strict=True):
        landmarks[:, group[0]] = np.array(place) + (side - CHIP.size) / 2
    return KeptPeople(pictures, landmarks, np.zeros((count, 3), bool))


def test_items_depend_on_their_index_only(kept):
    together = SegmentationStream(3, kept).batch(range(4))
    alone = SegmentationStream(3, kept).batch([2])
    for name, values in alone.items():
        assert torch.allclose(values, together[name][2:3], atol=1e-5)
    assert not torch.equal(SegmentationStream(4, kept).batch([2])["chips"], alone["chips"])


def test_an_unmoved_chip_is_the_middle_of_the_picture(kept):
    stream = SegmentationStream(0, kept, EXACT, in_order=True)
    batch = stream.batch(range(6))
    margin = (KEPT_SIZE - CHIP.size) // 2
    middle = torch.from_numpy(kept.pictures)[..., margin:-margin, margin:-margin].float() / 255
    for index in range(6):
        same, mirrored = middle[index], middle[index].flip(-1)
        found = torch.cat([batch["chips"][index], batch["skin"][index]])
        assert min(float((found - one).abs().max()) for one in (same, mirrored)) < 2e-3


def test_spreads_move_and_scale_the_face(kept):
    moved = SegmentationStream(0, kept, replace(EXACT, shift=6.0, growth=0.15)).batch(range(24))
    area = moved["skin"].mean((1, 2, 3))
    assert area.std() > 0.02
    pixel = torch.arange(CHIP.size) - (CHIP.size - 1) / 2
    centre = (moved["skin"].sum(2)[:, 0] * pixel).sum(1) / moved["skin"].sum((1, 2, 3))
    assert 2.0 < float(centre.std()) < 12.0


def test_turning_keeps_what_lies_in_the_middle(kept):
    turned = SegmentationStream(0, kept, replace(EXACT, turn=0.5)).batch(range(8))
    area = turned["skin"].mean((1, 2, 3))
    assert torch.allclose(area, torch.tensor(math.pi * 40**2 / CHIP.size**2), rtol=0.03)


@pytest.mark.parametrize("kind", [HAND, OBJECT])
def test_what_is_laid_over_is_no_skin(kept, kind):
    free = SegmentationStream(1, kept, PLAIN, in_order=True).batch(range(6))["skin"]
    laid = SegmentationStream(1, kept, LAID_OVER, kind=kind, in_order=True).batch(range(6))["skin"]
    assert laid.mean() < 0.97 * free.mean()
    assert laid.mean() > 0.3 * free.mean()


def test_items_are_pictures(kept):
    batch = SegmentationStream(0, kept, DATA).batch(range(12))
    for values in batch.values():
        assert values.dtype == torch.float32
        assert ((values >= 0) & (values <= 1)).all()
    grey = batch["chips"].std(1).mean((1, 2)) < 0.05
    assert not grey.all()


def test_unknown_occluders_are_refused(kept):
    with pytest.raises(SegmentationDataError, match="choose among"):
        SegmentationStream(0, kept, kind="cat")
