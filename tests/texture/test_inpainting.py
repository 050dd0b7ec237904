import pytest
import torch

from visage.texture.errors import InpaintingError
from visage.texture.inpainting import METHODS, biharmonic, inpaint
from visage.texture.patch_completion import CompletionConfig

SIZE = 40


def ramp():
    """Its second derivatives vanish."""
    x = torch.linspace(0.1, 0.9, SIZE)
    return torch.stack([x.expand(SIZE, SIZE), x[:, None].expand(SIZE, SIZE),
                        0.5 * (x + x[:, None])])[None]  # fmt: skip


def visible_but(rows, columns, batch=1):
    visible = torch.ones(batch, 1, SIZE, SIZE)
    visible[..., rows, columns] = 0
    return visible


def test_biharmonic_goes_on_with_a_slope():
    visible = visible_but(slice(12, 30), slice(10, 26))
    filled = inpaint(ramp() * visible, visible, "biharmonic")
    assert (filled - ramp()).abs().max() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_a_flat_texture_stays_flat(method):
    visible = visible_but(slice(5, 30), slice(10, 36))
    flat = torch.full((1, 3, SIZE, SIZE), 0.4)
    filled = inpaint(flat * visible, visible, method, config=CompletionConfig(rounds=1))
    assert torch.allclose(filled, flat, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_what_was_seen_or_lies_outside_stays(method):
    textures = torch.rand(2, 3, SIZE, SIZE)
    visible = visible_but(slice(10, 20), slice(10, 20), 2)
    region = torch.zeros(1, 1, SIZE, SIZE)
    region[..., 4:36, 4:36] = 1
    filled = inpaint(textures, visible, method, region=region)
    hole = (visible == 0) & (region > 0)
    assert torch.equal(filled * ~hole, textures * ~hole)
    assert not torch.equal(filled, textures)
    assert filled.min() >= 0
    assert filled.max() <= 1


def test_patch_match_copies_nothing_from_outside():
    texture = torch.full((1, 3, SIZE, SIZE), 0.2)
    region = torch.zeros(1, 1, SIZE, SIZE)
    region[..., 4:36, 4:36] = 1
    texture = torch.where(region > 0, texture, 0.9)
    visible = visible_but(slice(10, 20), slice(4, 20))
    filled = inpaint(texture, visible, region=region)
    assert torch.allclose(filled, texture, atol=1e-6)


def test_pictures_of_a_batch_are_filled_each_by_itself():
    textures, visible = torch.rand(2, 3, SIZE, SIZE), visible_but(slice(8, 20), slice(8, 20), 2)
    together = inpaint(textures, visible, seed=5)
    assert torch.equal(together[1:], inpaint(textures[1:], visible[1:], seed=6))
    assert torch.equal(together, inpaint(textures, visible, seed=5))


def test_none_at_all():
    assert inpaint(torch.zeros(0, 3, 8, 8), torch.zeros(0, 1, 8, 8)).shape == (0, 3, 8, 8)


def test_biharmonic_does_not_read_the_hole():
    known = visible_but(slice(12, 20), slice(12, 20)) > 0
    spoilt = torch.where(known, ramp(), torch.nan)
    assert torch.equal(biharmonic(spoilt, known), biharmonic(ramp(), known))


def test_bad_input():
    texture, visible = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    with pytest.raises(InpaintingError, match="telea"):
        inpaint(texture, visible, "telea")
    with pytest.raises(InpaintingError, match="textures"):
        inpaint(texture[0], visible)
    with pytest.raises(InpaintingError, match="visible has"):
        inpaint(texture, visible[0])
    with pytest.raises(InpaintingError, match="region"):
        inpaint(texture, visible, region=torch.ones(3, 1, 8, 8))
    with pytest.raises(InpaintingError, match="nothing"):
        inpaint(texture, 0 * visible)
