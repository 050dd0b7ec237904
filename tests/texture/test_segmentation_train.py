import math

import numpy as np
import pytest
import torch

from visage.texture import segmentation_train
from visage.texture.occluders import HAND, OBJECT
from visage.texture.segmentation import CHECKPOINT, CHIP, SegmentationNet
from visage.texture.segmentation_data import KEPT_SIZE, TRAITS, KeptPeople
from visage.texture.segmentation_train import CLEAR, measure, segmentation_loss, soft_iou
from visage.texture.train import RECIPES


class Sure(torch.nn.Module):
    """Calls what is red skin."""

    def forward(self, chips):
        return 60 * (chips[:, :1] - chips[:, 2:] - 0.3)


@pytest.fixture(scope="module")
def kept():
    side, count = KEPT_SIZE, 4
    pictures = np.full((count, 4, side, side), 60, np.uint8)
    y, x = np.mgrid[:side, :side]
    disc = np.hypot(x - side / 2, y - side / 2) < 45
    pictures[:, 0, disc], pictures[:, 3] = 230, np.where(disc, 255, 0)
    landmarks = np.zeros((count, 68, 2), np.float32)
    for group, place in zip(CHIP.anchors, CHIP.template, strict=True):
        landmarks[:, group[0]] = np.array(place) + (side - CHIP.size) / 2
    traits = np.zeros((count, len(TRAITS)), bool)
    traits[1, 0] = traits[2, 1] = True
    return KeptPeople(pictures, landmarks, traits)


def test_soft_iou_of_hard_masks_is_iou():
    a = (torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    b = (torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    for found, truth, value in zip(a, b, soft_iou(a, b), strict=True):
        both = sum(float(p * q) for p, q in zip(found.flatten(), truth.flatten(), strict=True))
        either = float(((found + truth) > 0).sum())
        assert float(value) == pytest.approx(both / either)
    assert float(soft_iou(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))) == 1


def test_the_loss_is_least_for_the_truth():
    skin = (torch.rand(2, 1, CHIP.size, CHIP.size) > 0.5).float()
    chips = torch.zeros(2, 3, CHIP.size, CHIP.size)
    losses = []
    for odds in (20 * (2 * skin - 1), torch.zeros_like(skin), -20 * (2 * skin - 1)):
        answer = torch.nn.Module()
        answer.forward = lambda _, odds=odds: odds
        loss, terms = segmentation_loss(answer, {"chips": chips, "skin": skin}, None)
        losses.append(float(loss))
        assert set(terms) == {"entropy", "iou"}
    assert losses[0] < 1e-4
    assert losses[1] == pytest.approx(math.log(2) + 1 - 0.5 * float(skin.mean()) / (
        float(skin.mean()) + 0.5 * (1 - float(skin.mean()))), abs=0.02)  # fmt: skip
    assert losses[2] > losses[1]


def test_measurements_are_by_what_hides_the_face(kept):
    found = measure(Sure(), kept)
    assert set(found) == {CLEAR, *TRAITS, HAND, OBJECT}
    assert [len(found[kind]) for kind in (CLEAR, *TRAITS, HAND, OBJECT)] == [2, 1, 1, 0, 4, 4]
    assert float(found[CLEAR].min()) > 0.9
    # A hand has the colour of the skin, and this network looks at nothing else.
    assert found[HAND].mean() < found[CLEAR].mean() - 0.03


def test_the_recipe_trains_the_network_that_is_loaded(kept, monkeypatch):
    recipe = RECIPES[CHECKPOINT]
    monkeypatch.setattr(segmentation_train, "_kept", lambda split: kept)
    model = recipe.build_model()
    assert isinstance(model, SegmentationNet)
    batch = recipe.build_stream(0).batch(range(2))
    loss, _ = recipe.loss(model, batch, torch.Generator())
    loss.backward()
    assert math.isfinite(loss.item())
