import pytest
import torch

from visage.texture.errors import MeasureError
from visage.texture.repetition import copied_share

SIZE = 48


def halves():
    visible = torch.zeros(1, 1, SIZE, SIZE)
    visible[..., : SIZE // 2] = 1
    return torch.rand(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0)), visible


def test_noise_repeats_nothing_and_a_copy_everything():
    noise, visible = halves()
    copy = torch.cat([noise[..., : SIZE // 2]] * 2, 3)
    region = torch.ones(1, 1, SIZE, SIZE)
    shares = copied_share(torch.cat([noise, copy]), visible.expand(2, -1, -1, -1), region)
    assert shares[0] == 0
    assert shares[1] > 0.5  # not all of them are found in noise, where neighbours give no hint


def test_a_flat_texture_is_all_copies_and_the_region_bounds_it():
    noise, visible = halves()
    region = torch.zeros(1, 1, SIZE, SIZE)
    region[..., 8:40, 8:40] = 1
    flat = torch.where(region > 0, 0.5, noise)
    assert copied_share(flat, visible, region) == 1


def test_nothing_invented():
    noise, visible = halves()
    assert copied_share(noise, torch.ones_like(visible), torch.ones_like(visible)).isnan().all()


def test_bad_input():
    noise, visible = halves()
    with pytest.raises(MeasureError):
        copied_share(noise.expand(1, 3, -1, -1), visible, visible)
    with pytest.raises(MeasureError):
        copied_share(noise, visible[..., :4], visible)
