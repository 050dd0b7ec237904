import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.harmonics import shade
from visage.faces.reflectance import decode_srgb
from visage.faces.shape import MorphableModel
from visage.texture.deshading import (
    agreeing,
    evened,
    own_low_frequency,
    relit,
    shading_basis,
    shading_of,
)
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.unwrapping import unwrap
from visage.texture.window import face_region

SIZE = 64


@pytest.fixture(scope="module")
def seen():
    model = MorphableModel.load()
    camera = WeakPerspective(torch.tensor([[0.1, 0.3, 0.0]]), torch.zeros(1, 2), 128, 128,
                             scale=torch.tensor([0.55]))  # fmt: skip
    return unwrap(model.mean[None], camera, SIZE)


def lamp():
    light = torch.zeros(1, 9, 3)
    light[:, 0] = 2.5
    light[:, 1:4] = torch.tensor([0.5, 0.6, -0.4])[:, None]
    return light


def test_the_basis_is_that_of_the_harmonics(seen):
    basis = shading_basis(seen.normals)
    covered = (seen.cosine != 0).expand(-1, 3, -1, -1)
    assert torch.allclose(
        shading_of(basis, lamp())[covered], shade(seen.normals, lamp())[covered], atol=1e-5
    )


def test_light_is_found_again_in_spite_of_outliers(seen):
    basis, true = shading_basis(seen.normals), lamp()
    weight = face_region(SIZE) * seen.seen * seen.cosine.clamp(min=0)
    albedo = torch.full((1, 3, SIZE, SIZE), 0.3)
    pixels = albedo * shading_of(basis, true)
    pixels[..., 20:26, 20:30] = 3.0  # a highlight
    start = torch.zeros(1, 9, 3)
    start[:, 0] = 3.0
    found = relit(pixels, albedo, basis, start, weight, 1e-4)
    shown = (weight > 0.3).expand(-1, 3, -1, -1)
    apart = (shading_of(basis, found) - shading_of(basis, true))[shown].abs().mean()
    before = (shading_of(basis, start) - shading_of(basis, true))[shown].abs().mean()
    assert apart < 0.1 * before


def test_a_firm_prior_keeps_the_light(seen):
    basis = shading_basis(seen.normals)
    pixels = torch.rand(1, 3, SIZE, SIZE)
    found = relit(pixels, pixels, basis, lamp(), face_region(SIZE), 1e6)
    assert torch.allclose(found, lamp(), atol=1e-3)


def test_gains_make_medians_agree():
    linear = torch.rand(2, 3, 16, 16) + 0.1
    expected = linear * torch.tensor([2.0, 0.5, 1.5]).view(1, 3, 1, 1)
    visible = torch.ones(2, 1, 16, 16)
    visible[1] = 0
    found = agreeing(linear, expected, visible)
    assert torch.allclose(found[0], expected[0], rtol=1e-4)
    assert torch.equal(found[1], linear[1])


def test_evening_removes_what_is_smooth_and_keeps_what_is_fine():
    row = torch.linspace(0.5, 1.5, 64)
    checks = 1 + 0.1 * ((torch.arange(64)[:, None] + torch.arange(64)) % 2 - 0.5)
    expected = torch.full((1, 3, 64, 64), 0.4)
    linear = expected * row * checks
    found = evened(linear, expected, torch.ones(1, 1, 64, 64), 4.0)
    inner = found[..., 8:-8, 8:-8] / (expected * checks)[..., 8:-8, 8:-8]
    assert (inner - 1).abs().max() < 0.03


def test_own_low_frequencies_complete_what_is_seen():
    model = LowFrequencyAlbedo.load()
    true = model.texture(torch.tensor([[1.0, -1.0, 0.5], [0.0, 0.0, 0.0]]), SIZE)
    visible = face_region(SIZE).repeat(2, 1, 1, 1)
    visible[0, ..., SIZE // 2 :] = 0
    visible[1] = 0
    given = torch.full_like(true, 0.123)
    found = own_low_frequency(decode_srgb(true), given, visible)
    away = (found[0] - decode_srgb(true)[0]).abs() * face_region(SIZE)[0]
    assert away.mean() < 0.01
    assert torch.equal(found[1], given[1])
