import pytest
import torch

from visage.faces.camera import Perspective, WeakPerspective
from visage.faces.directions import unit
from visage.faces.light import Light, sample_lights
from visage.faces.shading import Surface, radiance
from visage.faces.shadow import ShadowMap

SIZE = 24


def cameras(perspective):
    zero, size = torch.zeros(2, 3), (SIZE, SIZE)
    if perspective:
        focal, distance = torch.full((2,), 60.0), torch.full((2,), 400.0)
        return Perspective(zero, zero[:, :2], *size, focal=focal, distance=distance)
    return WeakPerspective(zero, zero[:, :2], *size, scale=torch.full((2,), 0.2))


def surfaces(skin):
    """Pixels of all slants and materials; a third is background."""
    generator = torch.Generator().manual_seed(0)

    def random(channels):
        return torch.rand(2, channels, SIZE, SIZE, generator=generator)

    there = random(1) < 0.7
    kind = (random(1) * 3).floor() / 2 if skin else None  # 0, a half and 1
    positions = 100 * random(3) - torch.tensor([50.0, 50, 350])[:, None, None]
    depth = (-positions[:, 2]).masked_fill(~there[:, 0], torch.inf)
    normals = unit(2 * random(3) - 1) * there
    occlusion, roughness, specular = random(1), random(1), random(1)
    return Surface(positions, normals, random(3), occlusion, roughness, specular, kind, depth)


def no_shadows():
    frame = torch.eye(3, 4).expand(2, 3, 4).contiguous()
    return ShadowMap(torch.full((2, 8, 8), 1e6), frame, torch.ones(2))


@pytest.mark.parametrize("perspective", [False, True], ids=["weak", "perspective"])
@pytest.mark.parametrize("skin", [False, True], ids=["all_skin", "some_skin"])
@pytest.mark.parametrize("count", [4, 9])
def test_compiled_and_torch_send_the_same_light(perspective, skin, count):
    drawn = sample_lights(2, torch.Generator().manual_seed(1))
    light = Light(drawn.ambient[:, :count], drawn.key_direction, drawn.key_colour, drawn.key_radius)
    surface, camera = surfaces(skin), cameras(perspective)
    compiled = radiance(surface, light, camera, no_shadows())
    surface.albedo.requires_grad_()
    wanted = radiance(surface, light, camera, no_shadows())
    assert wanted.requires_grad
    assert not compiled.requires_grad
    there = surface.depth.isfinite()[:, None].expand(-1, 3, -1, -1)
    torch.testing.assert_close(compiled[there], wanted.detach()[there], rtol=1e-4, atol=1e-5)


def test_half_shadows_bleed_red_in_both():
    """A point half of whose light is hidden by a wall of texels, lit from the front."""
    ahead = torch.tensor([[0.0, 0, 1]]).expand(2, 3)
    light = Light(torch.zeros(2, 9, 3), ahead, torch.ones(2, 3), torch.full((2,), 0.3))
    frame = torch.tensor([[1.0, 0, 0, 20], [0, 1, 0, 20], [0, 0, -1, 0]]).expand(2, 3, 4)
    depth = torch.full((2, 40, 40), 1e6)
    depth[:, :, :20] = -20.0  # mm, before the surface at 0
    shadows = ShadowMap(depth, frame.contiguous(), torch.ones(2))
    x = torch.linspace(-8, 8, SIZE).expand(2, 1, SIZE, SIZE)
    positions, one = torch.cat([x, 0 * x, 0 * x], 1), torch.ones_like(x)
    normals = torch.cat([0 * x, 0 * x, one], 1)
    flat = Surface(positions, normals, 0.5 * one.expand(-1, 3, -1, -1), one, one, 0 * one, None,
                   0 * x[:, 0])  # fmt: skip
    compiled = radiance(flat, light, cameras(False), shadows)
    red, _, blue = compiled.unbind(1)
    assert (red > blue + 0.03).any()
    assert (red >= blue - 1e-6).all()
    wanted = radiance(
        Surface(positions, normals, flat.albedo.clone().requires_grad_(), one, one, 0 * one, None,
                flat.depth), light, cameras(False), shadows)  # fmt: skip
    torch.testing.assert_close(compiled, wanted.detach(), rtol=1e-4, atol=1e-5)
