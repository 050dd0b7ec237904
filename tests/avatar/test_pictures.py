import torch

from visage.avatar.pictures import camera_of, light_of
from visage.texture.model_fit import ModelFit
from visage.texture.textured_head import portrait_camera


def fit(size):
    camera = portrait_camera(size, (20,))
    light = torch.rand(1, 9, 3, generator=torch.Generator().manual_seed(0))
    return ModelFit(
        torch.zeros(1, 80), torch.zeros(1, 52), torch.zeros(1, 4), camera, light, ((0.0,),)
    )


def test_a_camera_of_another_size_sees_the_same():
    points = 40 * torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(0))
    before = fit(200).camera.project(points)[..., :2]
    after = camera_of(fit(200), 50).project(points)[..., :2]
    torch.testing.assert_close((after + 0.5) * 4 - 0.5, before, atol=1e-3, rtol=0)


def test_a_fits_light_is_all_around():
    found = light_of(fit(200))
    assert torch.equal(found.ambient, fit(200).light)
    assert not found.key_colour.any()
