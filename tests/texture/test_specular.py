import pytest
import torch

from visage.texture.specular import (
    SpecularError,
    from_suv,
    specular_part,
    suv_rotation,
    to_suv,
    without_specular,
)

SIZE = 48
WHITE = torch.ones(1, 3)


def skin(spread=0.1):
    """Skin of one colour whose brightness varies (1, 3, S, S), linear."""
    generator = torch.Generator().manual_seed(0)
    shade = 1 + spread * (torch.rand(1, 1, SIZE, SIZE, generator=generator) - 0.5)
    return torch.tensor([0.45, 0.25, 0.17]).view(1, 3, 1, 1) * shade


def highlight(strength):
    y, x = torch.meshgrid(*[torch.arange(SIZE, dtype=torch.float32) - SIZE / 2] * 2, indexing="ij")
    return (strength * (-(x * x + y * y) / 40).exp())[None, None]


@pytest.mark.parametrize("colour", [(1.0, 1.0, 1.0), (0.9, 0.7, 0.4), (0.2, 0.5, 1.0)])
def test_suv_is_a_rotation_with_the_light_first(colour):
    colour = torch.tensor([colour])
    rotation = suv_rotation(colour)
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3)[None], atol=1e-6)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(1), atol=1e-6)
    turned = (rotation @ colour[..., None])[0, :, 0]
    assert torch.allclose(turned, torch.tensor([float(colour.norm()), 0, 0]), atol=1e-6)


def test_uv_does_not_see_the_light():
    colour = torch.tensor([[0.9, 0.7, 0.4]])
    matt = skin()
    shining = matt + highlight(0.4) * colour[:, :, None, None]
    assert torch.allclose(to_suv(shining, colour)[:, 1:], to_suv(matt, colour)[:, 1:], atol=1e-6)
    assert torch.allclose(from_suv(to_suv(shining, colour), colour), shining, atol=1e-6)


def test_a_highlight_is_found_and_taken_away():
    matt = skin(0.02)
    shining = matt + highlight(0.3)
    visible = torch.ones(1, 1, SIZE, SIZE)
    peak = specular_part(shining, visible, WHITE, matt.mean((2, 3), keepdim=True).expand_as(matt))
    found = without_specular(shining, peak, WHITE)
    assert (found - matt).abs().max() < 0.2 * (shining - matt).abs().max()
    assert (found - matt).abs().mean() < 0.5 * (shining - matt).abs().mean()


def test_skin_that_does_not_shine_stays_as_it_is():
    matt = skin()
    visible = torch.ones(1, 1, SIZE, SIZE)
    expected = matt.mean((2, 3), keepdim=True).expand_as(matt)
    peak = specular_part(matt, visible, WHITE, 1.7 * expected)
    assert (without_specular(matt, peak, WHITE) - matt).abs().max() < 0.01


def test_nothing_is_taken_where_nothing_is_visible():
    shining = skin() + highlight(0.3)
    visible = torch.ones(1, 1, SIZE, SIZE)
    visible[..., : SIZE // 2] = 0
    peak = specular_part(shining, visible, WHITE, skin())
    assert (peak[..., : SIZE // 2] == 0).all()
    assert peak[..., SIZE // 2 :].max() > 0
    assert (specular_part(shining, 0 * visible, WHITE, skin()) == 0).all()


@pytest.mark.parametrize("colour", [torch.ones(3), torch.tensor([[1.0, 0.0, 1.0]])])
def test_bad_lights_are_refused(colour):
    with pytest.raises(SpecularError, match="positive"):
        suv_rotation(colour)
    with pytest.raises(SpecularError, match="expected"):
        to_suv(torch.zeros(2, 3, 4, 4), WHITE)
