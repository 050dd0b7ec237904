"""What a photograph shows of a texture."""

import pytest
import torch

from visage.texture import observation
from visage.texture.observation import averaged, looks


@pytest.mark.parametrize(("pixels", "size", "wanted"), [(512, 192, 2), (512, 512, 1), (128, 192, 1),
                                                        (1024, 192, 4)])  # fmt: skip
def test_a_texel_is_looked_up_once_a_pixel(pixels, size, wanted):
    assert looks(torch.zeros(1, 3, pixels, pixels), size) == wanted


def test_means_are_of_what_is_visible_altogether():
    texture = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4) / 16
    visible = torch.ones(1, 1, 4, 4)
    visible[..., 0, 3] = 0
    found, shown = averaged(texture, visible, 2)
    assert shown.flatten().tolist() == [1, 0, 1, 1]
    block = (0 + 1 + 4 + 5) / 64
    assert found[0, 0].flatten().tolist() == pytest.approx([block, 0.5, block + 0.5, block + 0.625])


def test_one_look_changes_nothing():
    texture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    visible = (texture[:, :1] > 0.3).float()
    found, shown = averaged(texture, visible, 1)
    assert torch.equal(shown, visible)
    assert torch.equal(found, torch.where(visible > 0, texture, 0.5))


def test_a_photograph_is_looked_at_finely(monkeypatch):
    asked = []

    class Sight:
        def __init__(self, size):
            seen = {"texture": torch.full((1, 3, size, size), 0.25), "pixels": torch.tensor([0.5])}
            self.partial = type("Partial", (), seen)
            self.visible = torch.ones(1, 1, size, size)
            self.low_frequency = torch.full((1, 3, size, size), 0.75)

    def look(image, config):
        asked.append(config.size)
        return Sight(config.size)

    monkeypatch.setattr(observation, "look", look)
    seen = observation.observe(torch.zeros(1, 3, 512, 512), 64)
    assert asked == [6 * 64]
    assert seen.size == 64
    assert seen.pixels == 3.0  # six looks, each half a pixel wide
    assert seen.low_frequency.shape == (1, 3, 64, 64)
    assert float(seen.texture.mean()) == 0.25
