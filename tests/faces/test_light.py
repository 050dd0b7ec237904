import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.faces.directions import sphere_directions
from visage.faces.harmonics import shade, to_richardson
from visage.faces.light import (
    LIGHT_KINDS,
    Light,
    LightError,
    blackbody,
    sample_lights,
    seeded_lights,
)

NORMALS = sphere_directions(400).float()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def kind(name):
    return tuple(k for k in LIGHT_KINDS if k.name == name)


def luminance(colours):
    return colours @ torch.tensor([0.2126, 0.7152, 0.0722])


def frontal(coefficients):
    """Mean shading (B, 3) of normals, as often as they are seen from the front."""
    weights = NORMALS[:, 2].clamp(min=0)
    shading = shade(NORMALS.T[None, :, :, None], coefficients)[..., 0]
    return (shading * weights).sum(2) / weights.sum()


@pytest.fixture(scope="module")
def many():
    return sample_lights(2000, seeded())


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_a_light_depends_on_the_seed_and_its_number_only(seed, count):
    few, more = sample_lights(count, seeded(seed)), sample_lights(count + 7, seeded(seed))
    for name in ("ambient", "key_direction", "key_colour", "key_radius"):
        assert torch.equal(getattr(few, name), getattr(more, name)[:count])


def test_the_generator_moves_on():
    generator = seeded()
    first, second = sample_lights(1, generator), sample_lights(1, generator)
    both = sample_lights(2, seeded())
    assert torch.equal(both.ambient, torch.cat([first.ambient, second.ambient]))


def test_no_light_at_all():
    assert len(sample_lights(0, seeded())) == 0


def test_the_surroundings_shade_nothing_negative(many):
    """Order 2 rings below zero; the sampler lifts it, and stays positive after the exposure."""
    assert (shade(NORMALS.T[None, :, :, None], many.ambient) > 0).all()
    assert (many.key_colour >= 0).all()


def test_no_part_of_the_surroundings_blinds(many):
    """Whatever is behind the head, no surface gets ten times what the front gets."""
    brightest = luminance(shade(NORMALS.T[None, :, :, None], many.ambient)[..., 0].mT).amax(1)
    assert (brightest < 10 * luminance(frontal(many.ambient))).all()


@pytest.mark.parametrize("one", LIGHT_KINDS, ids=lambda k: k.name)
def test_a_kind_keeps_its_promises(one):
    lights = sample_lights(300, seeded(), (one,))
    x, y, z = lights.key_direction.unbind(1)
    elevation, azimuth = torch.rad2deg(y.asin()), torch.rad2deg(torch.atan2(x.abs(), z))
    margin = 0.01
    assert (
        (elevation >= one.elevation[0] - margin) & (elevation <= one.elevation[1] + margin)
    ).all()
    level = elevation < 89
    assert (azimuth[level] >= one.azimuth[0] - 0.1).all()
    assert (azimuth[level] <= one.azimuth[1] + 0.1).all()
    if one.azimuth[1] > 0:
        assert 0.4 < (x > 0).float().mean() < 0.6
    degrees = torch.rad2deg(lights.key_radius)
    assert (degrees >= one.radius[0] - margin).all()
    assert (degrees <= one.radius[1] + margin).all()
    exposure = luminance(frontal(lights.coefficients()))
    assert (exposure > one.exposure[0] * 0.98).all()
    assert (exposure < one.exposure[1] * 1.02).all()


def test_variety(many):
    """Side light, back light, dim light and colour are all there, in good numbers."""
    x, _, z = many.key_direction.unbind(1)
    ratio = luminance(many.key_colour) / luminance(frontal(many.ambient))
    strong = ratio > 1.5
    exposure = luminance(frontal(many.coefficients()))
    chroma = frontal(many.coefficients())
    saturation = 1 - chroma.amin(1) / chroma.amax(1)
    assert (strong & (x.abs() > 0.7)).float().mean() > 0.1
    assert (strong & (z < -0.5)).float().mean() > 0.02
    assert (ratio < 0.6).float().mean() > 0.1
    assert (exposure < 0.45).float().mean() > 0.02
    assert (exposure > 1.1).float().mean() > 0.2
    assert (saturation > 0.4).float().mean() > 0.03
    assert (saturation < 0.15).float().mean() > 0.3
    warm = chroma[:, 0] > chroma[:, 2]
    assert 0.3 < warm.float().mean() < 0.9


def test_coefficients_are_both_lights(many):
    few = many[:4]
    without = Light(few.ambient, few.key_direction, 0 * few.key_colour, few.key_radius)
    assert torch.equal(without.coefficients(), few.ambient)
    towards = few.key_direction[:, :, None, None]
    gained = shade(towards, few.coefficients()) - shade(towards, few.ambient)
    assert torch.allclose(gained[..., 0, 0], few.key_colour, rtol=0.1)  # order 2: up to 1/16 more


def test_first_order_lights():
    light = sample_lights(3, seeded())
    first = Light(light.ambient[:, :4], light.key_direction, light.key_colour, light.key_radius)
    assert torch.allclose(first.coefficients(), light.coefficients()[:, :4], atol=1e-6)
    assert to_richardson(first.coefficients()).shape == (3, 4, 3)


def test_moves_and_picks(many):
    picked = many[torch.tensor([5, 1])].to(torch.float64)
    assert len(picked) == 2
    assert picked.ambient.dtype == torch.float64
    assert torch.equal(picked.key_colour.float(), many.key_colour[[5, 1]])


def test_blackbody():
    """Near white at 6,500 K, redder below, bluer above, always of luminance 1."""
    kelvin = torch.linspace(2000, 15000, 200, dtype=torch.float64)
    colours = blackbody(kelvin)
    assert torch.allclose(
        colours @ colours.new_tensor([0.2126, 0.7152, 0.0722]), torch.ones(1).double()
    )
    assert (colours >= 0).all()
    assert (colours[:, 2] / colours[:, 0]).diff().min() > 0
    assert (blackbody(torch.tensor([6500.0])) - 1).abs().max() < 0.06
    # CIE illuminant A, 2,856 K: x = 0.44757, y = 0.40745.
    a = blackbody(torch.tensor([2856.0], dtype=torch.float64))[0]
    xyz = (
        torch.linalg.inv(
            torch.tensor(
                [
                    [3.2404542, -1.5371385, -0.4985314],
                    [-0.9692660, 1.8760108, 0.0415560],
                    [0.0556434, -0.2040259, 1.0572252],
                ],
                dtype=torch.float64,
            )
        )
        @ a
    )
    assert (xyz / xyz.sum())[:2].tolist() == pytest.approx([0.44757, 0.40745], abs=1e-3)


ONE = torch.full((1,), 0.1)
UP = torch.tensor([[0.0, 1.0, 0.0]])
AMBIENT = torch.ones(1, 9, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Light(AMBIENT[0], UP, UP, ONE), r"ambient is \(9, 3\)"),
        (lambda: Light(AMBIENT[:, :5], UP, UP, ONE), r"expected \(1, 9, 3\)"),
        (lambda: Light(AMBIENT, UP[0], UP, ONE), r"key_direction is \(3,\); expected \(1, 3\)"),
        (lambda: Light(AMBIENT, UP, UP, ONE[:0]), r"key_radius is \(0,\)"),
        (lambda: Light(AMBIENT, UP * 2, UP, ONE), "normalise it"),
        (lambda: Light(AMBIENT / 0, UP, UP, ONE), "ambient holds NaN or infinity"),
        (lambda: Light(AMBIENT, UP, UP * math.nan, ONE), "key_colour holds NaN"),
        (lambda: Light(AMBIENT, UP, UP, ONE * 9), "wider light is ambient"),
        (lambda: sample_lights(1, seeded(), ()), "positive share"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(LightError, match=message):
        call()


def test_seeded_lights_depend_on_their_own_seed():
    several = seeded_lights(torch.tensor([5, 6, 5]))
    alone = seeded_lights(torch.tensor([6]))
    assert torch.equal(several.ambient[0], several.ambient[2])
    assert torch.equal(several[1:2].ambient, alone.ambient)
    assert not torch.equal(several.ambient[0], several.ambient[1])


def test_seeded_lights_are_those_of_a_generator():
    drawn = sample_lights(1, torch.Generator().manual_seed(9))
    assert torch.equal(seeded_lights(torch.tensor([9])).ambient, drawn.ambient)


def test_no_seeds_give_no_lights():
    assert len(seeded_lights(torch.zeros(0, dtype=torch.int64))) == 0
