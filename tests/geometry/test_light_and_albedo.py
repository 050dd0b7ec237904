"""Equations 10 to 12: known lights and albedos, loops, what is not determined, what is refused."""

import math

import pytest
import torch

from visage.faces.harmonics import from_richardson
from visage.faces.harmonics import shade as shade_harmonics
from visage.geometry.errors import ShadingError
from visage.geometry.light_and_albedo import (
    FRONTAL_LIGHT,
    RecoveryConfig,
    recover,
    recover_albedo,
    recover_light,
    shade,
    shading_basis,
    usable_pixels,
)

HEIGHT, WIDTH, MODES = 9, 11, 3


def draw(seed=0, batch=2):
    """Normals of the half that faces the viewer, mean, modes, light and weights, and a mask."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    normals = normal(batch, 3, HEIGHT, WIDTH)
    normals[:, 2] = normals[:, 2].abs()
    normals = torch.nn.functional.normalize(normals, dim=1)
    mean = 0.3 + 0.05 * normal(batch, 1, HEIGHT, WIDTH).tanh()
    modes = 0.04 * normal(batch, MODES, HEIGHT, WIDTH)
    light = torch.tensor([[0.5, 0.3, -0.1, 0.4], [0.8, -0.2, 0.2, 0.1]]).double()[:batch]
    weights = normal(batch, MODES)
    mask = (torch.rand(batch, 1, HEIGHT, WIDTH, generator=generator) > 0.2).double()
    return normals, mean, modes, light, weights, mask


def mix(pictures, weights):
    return torch.einsum("bkhw,bk->bhw", pictures, weights)[:, None]


def test_light_is_the_normal_equations_of_equation_11():
    normals, mean, _, _, _, mask = draw()
    picture = torch.rand(2, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3)).double()
    found = recover_light(picture, mean, normals, mask, prior=1e-12)
    for i in range(2):
        rows, right = [], []
        for y in range(HEIGHT):
            for x in range(WIDTH):
                if mask[i, 0, y, x]:
                    basis = torch.cat([torch.ones(1).double(), normals[i, :, y, x]])
                    rows.append(mean[i, 0, y, x] * basis)
                    right.append(picture[i, 0, y, x])
        wanted = torch.linalg.lstsq(torch.stack(rows), torch.stack(right)[:, None]).solution[:, 0]
        assert torch.allclose(found[i], wanted, atol=1e-6)


def test_known_light_and_albedo_come_back():
    normals, mean, modes, light, weights, mask = draw()
    shading = shade(normals, light)
    picture = mean * shading
    assert torch.allclose(recover_light(picture, mean, normals, mask, prior=1e-9), light)
    picture = (mean + mix(modes, weights)) * shading
    found = recover_albedo(picture, mean, modes, shading, mask, prior=1e-12)
    assert torch.allclose(found, weights, atol=1e-5)


def test_rounds_approach_the_truth_that_one_round_misses():
    normals, mean, modes, light, weights, mask = draw()
    picture = (mean + mix(modes, weights)) * shade(normals, light)
    errors = []
    for rounds in (1, 30):
        config = RecoveryConfig(light_prior=1e-9, albedo_prior=1e-9, rounds=rounds)
        found = recover(picture, mean, modes, normals, mask, config)
        errors.append(float((found.picture - picture)[mask > 0].abs().max()))
    assert errors[1] < 0.05 * errors[0]


def test_recovered_parts_make_the_picture_and_stay_in_the_mask():
    normals, mean, modes, light, _, mask = draw()
    found = recover(mean * shade(normals, light), mean, modes, normals, mask)
    assert len(found) == 2
    assert torch.equal(found.picture, found.albedo * found.shading)
    inside = mask > 0
    assert torch.allclose(found.albedo[inside], (mean + mix(modes, found.weights))[inside])
    assert torch.allclose(found.shading[inside], shade(normals, found.light)[inside])
    assert found.albedo[~inside].abs().max() == 0
    assert not found.detach().light.requires_grad


def test_shading_is_that_of_the_world_s_harmonics():
    normals, _, _, light, _, _ = draw()
    wanted = shade_harmonics(normals, from_richardson(light[..., None]))
    assert torch.allclose(shade(normals, light), wanted)
    assert torch.equal(shading_basis(normals)[:, 1:], normals)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_flat_surfaces_are_answered_by_the_frontal_light(value):
    normals = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 6, 6)
    picture, mean = torch.full((1, 1, 6, 6), value), torch.full((1, 1, 6, 6), 0.5)
    light = recover_light(picture, mean, normals, torch.ones_like(mean), prior=1e-3)
    assert torch.allclose(shade(normals, light), picture / mean, atol=1e-3)
    frontal = torch.tensor([FRONTAL_LIGHT])
    assert torch.allclose(light, value / 0.5 * frontal / 0.9, atol=2e-3)


def test_an_empty_mask_gets_frontal_light_and_average_skin():
    normals, mean, modes, light, _, mask = draw()
    nothing = mean * shade(normals, light) * torch.nan
    found = recover(nothing, mean * torch.nan, modes * torch.inf, normals * torch.nan, 0 * mask)
    assert torch.allclose(found.light, torch.tensor([FRONTAL_LIGHT]).double().expand(2, -1))
    assert found.weights.abs().max() == 0
    assert found.picture.abs().max() == 0


def test_saturated_pictures_are_answered_without_nan():
    normals, mean, modes, _, _, mask = draw()
    for white in (torch.ones_like(mean), torch.zeros_like(mean)):
        found = recover(white, mean, modes, normals, mask)
        assert found.light.isfinite().all()
        assert found.weights.isfinite().all()


def test_saturated_pixels_do_not_count_where_others_do():
    normals, mean, modes, light, _, mask = draw()
    picture = mean * shade(normals, light)
    burnt = picture.clone()
    burnt[..., :4] = 1.0
    assert torch.equal(usable_pixels(burnt, mask)[..., 4:], mask[..., 4:])
    assert usable_pixels(burnt, mask)[..., :4].abs().max() == 0
    config = RecoveryConfig(light_prior=1e-9)
    assert torch.allclose(recover(burnt, mean, modes, normals, mask, config).light, light)
    burnt[...] = 1.0
    assert torch.equal(usable_pixels(burnt, mask), mask)


def test_a_batch_is_its_pictures_and_doubt_is_answered_by_the_prior():
    normals, mean, modes, light, weights, mask = draw()
    picture = (mean + mix(modes, weights)) * shade(normals, light)
    together = recover(picture, mean, modes, normals, mask)
    for i in range(2):
        parts = [part[i : i + 1] for part in (picture, mean, modes, normals, mask)]
        alone = recover(*parts)
        assert torch.allclose(alone.light[0], together.light[i])
        assert torch.allclose(alone.weights[0], together.weights[i])
    certain = recover(picture, mean, modes, normals, mask, RecoveryConfig(albedo_prior=1e3))
    assert certain.weights.abs().max() < 1e-3


def test_brightness_goes_to_the_light_alone():
    normals, mean, modes, light, _, mask = draw()
    picture = mean * shade(normals, light)
    found, darker = (recover(f * picture, mean, modes, normals, mask) for f in (1.0, 0.25))
    assert torch.allclose(darker.light, 0.25 * found.light)


def test_gradcheck():
    normals, mean, modes, light, weights, mask = draw()
    picture = (mean + mix(modes, weights)) * shade(normals, light)
    given = tuple(part[:1, :, :4, :4].requires_grad_() for part in (picture, mean, modes, normals))

    def both(*parts):
        found = recover(*parts, mask[:1, :, :4, :4])
        return found.light, found.weights

    assert torch.autograd.gradcheck(both, given)


def test_bad_input_is_refused():
    normals, mean, modes, _, _, mask = draw()
    with pytest.raises(ShadingError, match="grey and linear"):
        recover_light(normals, mean, normals, mask)
    with pytest.raises(ShadingError, match="normals"):
        recover_light(mean, mean, mean, mask)
    with pytest.raises(ShadingError, match="modes"):
        recover(mean, mean, modes[:1], normals, mask)
    with pytest.raises(ShadingError, match="not finite"):
        recover(mean * math.nan, mean, modes, normals, mask)
    with pytest.raises(ShadingError, match="positive"):
        RecoveryConfig(light_prior=0.0)
    with pytest.raises(ShadingError, match="rounds"):
        RecoveryConfig(rounds=0)
