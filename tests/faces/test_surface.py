import pytest
import torch

from visage.faces.surface import SurfaceError, SurfaceMaps


def maps(batch=2, size=8):
    one = torch.rand(batch, 6, size, size, generator=torch.Generator().manual_seed(0))
    return SurfaceMaps(*one.split([3, 1, 1, 1], 1))


def test_stacked_holds_everything_in_order():
    textures = maps()
    albedo, roughness, specular, height = textures.stacked.split([3, 1, 1, 1], 1)
    assert torch.equal(albedo, textures.albedo)
    assert torch.equal(roughness, textures.roughness)
    assert torch.equal(specular, textures.specular)
    assert torch.equal(height, textures.height)


def test_rows_can_be_chosen_and_repeated():
    textures = maps()
    chosen = textures[torch.tensor([1, 1, 0])]
    assert len(chosen) == 3
    assert torch.equal(chosen.albedo[0], textures.albedo[1])
    assert len(textures[:1]) == 1


def test_another_type():
    assert maps().to(torch.float64).height.dtype == torch.float64


@pytest.mark.parametrize("wrong", ["albedo", "roughness", "specular", "height"])
def test_shapes_must_fit(wrong):
    good = maps()
    parts = {name: getattr(good, name) for name in ("albedo", "roughness", "specular", "height")}
    parts[wrong] = parts[wrong][:, :, :4]
    with pytest.raises(SurfaceError, match="expected"):
        SurfaceMaps(**parts)


def test_compiled_and_torch_look_up_the_same():
    generator = torch.Generator().manual_seed(1)
    uv = 1.2 * torch.rand(2, 2, 16, 16, generator=generator) - 0.1  # beyond the borders, too
    uv[:, :, 0, :4] = torch.tensor([0.0, 1.0, 0.5, 1 / 16])
    ids = (torch.rand(2, 16, 16, generator=generator) < 0.8).int() - 1
    textures = maps()
    compiled = textures.seen(uv, ids)
    wanted = textures.seen(uv.clone().requires_grad_(), ids)
    there = (ids >= 0)[:, None]
    for ours, theirs in zip(compiled, wanted, strict=True):
        assert theirs.requires_grad
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours * there, theirs.detach() * there, rtol=0, atol=1e-5)


def test_one_texel_is_one_value():
    textures = maps(size=1)
    albedo = textures.seen(torch.rand(2, 2, 3, 3), torch.zeros(2, 3, 3).int())[0]
    torch.testing.assert_close(albedo, textures.albedo.expand(-1, -1, 3, 3))


def test_places_must_fit_the_textures():
    textures, ids = maps(), torch.zeros(2, 3, 3).int()
    for uv in (torch.zeros(1, 2, 3, 3), torch.zeros(2, 2, 3, 4), torch.zeros(2, 3, 3, 3)):
        with pytest.raises(SurfaceError, match="expected"):
            textures.seen(uv, ids)


def test_places_that_are_not_numbers_read_nothing_outside():
    nowhere = torch.full((2, 2, 3, 3), torch.nan)
    albedo = maps().seen(nowhere, torch.zeros(2, 3, 3).int())[0]
    assert ((albedo >= 0) & (albedo <= 1)).all()
