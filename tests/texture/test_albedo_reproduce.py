import pytest
import torch

from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.texture.albedo_reproduce import STEPS, error_after_gain
from visage.texture.partial_albedo import PartialAlbedo


def partial(texture, visible=None):
    visible = torch.ones_like(texture[:, :1]) if visible is None else visible
    return PartialAlbedo(texture, visible, visible, torch.ones(len(texture)))


def test_a_gain_is_no_error():
    truth = 0.3 + 0.4 * torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    gain = torch.tensor([0.6, 0.9, 1.3]).view(1, 3, 1, 1)
    brighter = encode_srgb(gain * decode_srgb(truth))
    assert float(error_after_gain(partial(brighter), truth)) < 1e-5


def test_the_error_is_of_what_is_visible():
    truth = torch.full((1, 3, 8, 8), 0.5)
    found = truth.clone()
    found[..., :2] = 0.8  # a quarter
    visible = torch.ones(1, 1, 8, 8)
    assert float(error_after_gain(partial(found), truth)) == pytest.approx(0.25 * 0.3, abs=1e-5)
    visible[..., :2] = 0
    assert float(error_after_gain(partial(found, visible), truth)) == pytest.approx(0, abs=1e-6)


def test_steps_only_add():
    picture, shading, evened, matt = STEPS.values()
    assert not picture.relight
    assert shading.relight
    assert not shading.even
    assert evened.even
    assert evened.relight
    assert not evened.specular
    assert matt.specular
