import pytest
import torch

from visage.avatar.stages import Likeness, resized
from visage.recognition.encoder import load_encoder


def test_a_picture_keeps_its_size_or_gets_another():
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resized(picture, 32), picture)
    small = resized(picture, 16)
    assert small.shape == (1, 3, 16, 16)
    torch.testing.assert_close(small.mean(), picture.mean(), atol=0.01, rtol=0)
    assert resized(10 * picture, 32).max() == 1


def test_a_picture_is_as_like_itself_wherever_it_was_cut_from():
    """The chip of a picture whose landmarks lie as the crop wants them is the picture itself."""
    encoder = load_encoder()
    chip = torch.rand(1, 3, 150, 150, generator=torch.Generator().manual_seed(1))
    likeness = Likeness(encoder, encoder.embed(chip), 75)
    look = likeness.look_at_chip("itself", chip)
    assert look.distance == pytest.approx(0, abs=1e-6)
    assert look.picture.shape == (1, 3, 75, 75)
    other = likeness.look_at_chip("other", chip.flip(2), chip)
    assert other.distance > 0.01
    assert torch.equal(other.picture, look.picture)
