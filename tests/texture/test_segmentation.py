import math

import pytest
import torch

from visage.photos.alignment import SQUARE_CROP, apply_transform, crop_transform, invert_transform
from visage.texture.segmentation import CHIP, SegmentationError, SegmentationNet, segment


class Half(torch.nn.Module):
    """Says that the left half of each chip is skin."""

    def forward(self, chips):
        odds = torch.full_like(chips[:, :1], -20.0)
        odds[..., : CHIP.size // 2] = 20.0
        return odds


def landmarks(scale=2.0, turn=0.0, shift=(40.0, 30.0)):
    """Landmarks of which the chip is a similarity of a picture."""
    points = torch.zeros(1, 68, 2)
    for group, place in zip(CHIP.anchors, CHIP.template, strict=True):
        points[0, group[0]] = torch.tensor(place)
    c, s = math.cos(turn), math.sin(turn)
    linear = scale * torch.tensor([[c, -s], [s, c]])
    return points @ linear.T + torch.tensor(shift)


def test_the_network_answers_pixel_by_pixel():
    torch.manual_seed(0)
    network = SegmentationNet().eval()
    chips = torch.rand(2, 3, CHIP.size, CHIP.size)
    odds = network(chips)
    assert odds.shape == (2, 1, CHIP.size, CHIP.size)
    assert torch.allclose(network(chips[1:]), odds[1:], atol=1e-5)
    assert sum(p.numel() for p in network.parameters()) < 300_000


def test_every_part_of_the_network_learns():
    torch.manual_seed(0)
    network = SegmentationNet((4, 4, 4, 4))
    network(torch.rand(2, 3, CHIP.size, CHIP.size)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_other_chips_are_refused():
    with pytest.raises(SegmentationError, match="chips are"):
        SegmentationNet()(torch.zeros(1, 3, 64, 64))


def test_the_chip_is_the_square_of_part_iv_made_smaller():
    for small, large in zip(CHIP.template, SQUARE_CROP.template, strict=True):
        for a, b in zip(small, large, strict=True):
            assert (a + 0.5) / CHIP.size == pytest.approx((b + 0.5) / SQUARE_CROP.size)


@pytest.mark.parametrize("turn", [0.0, 0.4, -1.2])
def test_the_mask_lies_where_the_chip_was(turn):
    points = landmarks(turn=turn, shift=(180.0, 120.0))
    found = segment(torch.rand(1, 3, 420, 440), points, Half())
    assert found.shape == (1, 1, 420, 440)
    back = invert_transform(crop_transform(points, CHIP))
    side = CHIP.size
    inside = torch.tensor([[[20.0, 30.0], [20.0, 100.0], [50.0, 64.0]]])
    outside = torch.tensor([[[80.0, 30.0], [110.0, 100.0], [-20.0, 64.0], [20.0, side + 15.0]]])
    for places, expected in ((inside, 1.0), (outside, 0.0)):
        x, y = apply_transform(back, places)[0].round().long().unbind(1)
        kept = (x >= 0) & (x < 440) & (y >= 0) & (y < 420)
        assert kept.any()
        assert torch.allclose(found[0, 0, y[kept], x[kept]], torch.tensor(expected), atol=1e-3)


def test_pictures_without_landmarks_are_refused():
    with pytest.raises(SegmentationError, match="landmarks are"):
        segment(torch.zeros(1, 3, 64, 64), torch.zeros(1, 5, 2), Half())
    with pytest.raises(SegmentationError, match="images are"):
        segment(torch.zeros(1, 1, 64, 64), landmarks(), Half())
