"""What a blend of people knows of each place."""

import pytest
import torch

from visage.texture.blend import Blend
from visage.texture.database import TextureDatabase
from visage.texture.errors import SynthesisError
from visage.texture.window import face_region

SIZE = 128


def database():
    """Two people: a light one with detail on the left, a dark one with detail on the right."""
    noise = 0.01 * torch.randn(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    noise[0, ..., 64:] = 0
    noise[1, ..., :64] = 0
    tone = torch.tensor([0.6, 0.4]).view(2, 1, 1, 1)
    return TextureDatabase.of((tone + noise).expand(-1, 3, -1, -1).clamp(0, 1))


def blend(*weights):
    return Blend.of(database(), torch.tensor(weights))


def test_strength_is_where_the_people_have_detail():
    first = blend(1.0, 0.0).strength
    assert float(first[..., :56].mean()) > 0.005
    assert float(first[..., 72:].mean()) < 0.002


def test_variances_are_blended_by_the_positive_weights():
    one, two = blend(1.0, 0.0).strength.square(), blend(0.0, 1.0).strength.square()
    both = blend(0.75, 0.25).strength.square()
    torch.testing.assert_close(both, 0.75 * one + 0.25 * two, atol=5e-5, rtol=0.01)
    torch.testing.assert_close(blend(2.0, -1.0).strength.square(), one)


def test_tones_are_blended():
    assert float(blend(1.0, 0.0).tone[..., 64:].mean()) == pytest.approx(0.6, abs=2e-3)
    assert float(blend(0.5, 0.5).tone.mean()) == pytest.approx(0.5, abs=2e-3)


def test_nobody_of_an_even_blend_is_left_out():
    many = TextureDatabase.of(torch.linspace(0.2, 0.8, 300).view(-1, 1, 1, 1).expand(-1, 3, 16, 16))
    assert float(Blend.of(many, torch.full((300,), 1 / 300)).tone.mean()) == pytest.approx(
        0.5, abs=2e-3
    )


def test_limits_enclose_the_peoples_own_detail():
    inside, found = face_region(SIZE) > 0, blend(1.0, 0.0)
    detail = (database().luminance([0]) - 0.6) * inside
    left = inside & (torch.arange(SIZE) < 56)
    assert (detail[left] <= found.brightest[left]).all()
    assert (detail[left] >= found.darkest[left]).all()
    assert float(found.brightest[left].mean()) > 4 * float(found.brightest[..., 76:].mean())
    assert (found.darkest < 0).all()
    assert (found.brightest > 0).all()


def test_is_resized_as_a_whole():
    small = blend(0.5, 0.5).resized(64)
    assert {tuple(one.shape) for one in vars(small).values()} == {(1, 1, 64, 64)}


def test_refuses_weights_of_other_people():
    with pytest.raises(SynthesisError, match="weights"):
        Blend.of(database(), torch.ones(3))
    with pytest.raises(SynthesisError, match="above 0"):
        Blend.of(database(), torch.zeros(2))
