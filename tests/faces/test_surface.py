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
