import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from visage.faces.directions import golden_spiral, sphere_directions, unit
from visage.faces.harmonics import shade
from visage.faces.light import Light, sample_lights
from visage.faces.reflectance import decode_srgb, encode_srgb, ggx, lambert, reflect

UP = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)


def picture(directions):
    return directions.T[None, :, :, None]


def tilted(degrees):
    angle = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.sin(), 0 * angle, angle.cos()], -1)


@pytest.mark.parametrize("roughness", [0.2, 0.45, 0.8, 1.0])
@pytest.mark.parametrize("view", [0.0, 40.0, 75.0])
def test_white_furnace(roughness, view):
    """∫ f cos dl over all lights, for a perfect mirror's f0: what is lost is only masked.

    Never above 1, near 1 for smooth surfaces, and head-on at α = 1 it is 1 - ln 2.
    """
    lights = sphere_directions(200_000)
    lights = lights[lights[:, 2] > 0]
    normals = UP.expand(len(lights), 3)[:, :, None, None]
    viewer = tilted(view)[None, :, None, None]
    reflected = ggx(normals, lights, viewer, roughness, f0=1.0)
    total = reflected.sum().item() * 4 * math.pi / 200_000
    assert total < 1.001
    if roughness == 0.2 and view < 50:
        assert total > 0.99
    if roughness == 1.0 and view == 0:
        assert total == pytest.approx(1 - math.log(2), abs=1e-6)


@given(st.floats(0, 80), st.floats(0, 80), st.floats(0.1, 1))
def test_reciprocal(first, second, roughness):
    """f(l, v) = f(v, l)."""
    a, b = tilted(first)[None], -tilted(second)[None] * torch.tensor([1.0, 1.0, -1.0])
    there = ggx(picture(UP), a, b[..., None, None], roughness) / a[0, 2]
    back = ggx(picture(UP), b, a[..., None, None], roughness) / b[0, 2]
    assert torch.allclose(there, back, rtol=1e-6)


def test_known_values():
    """Head-on, f = f0 / (4 π α²); and an independent computation from the textbook's formulas."""
    head_on = ggx(picture(UP), UP, UP[..., None, None], 0.5, f0=0.04)
    assert head_on.item() == pytest.approx(0.04 / (4 * math.pi * 0.25**2))
    light, viewer, alpha, f0 = tilted(50.0), tilted(-20.0), 0.09, 0.028
    half = (light + viewer) / (light + viewer).norm()
    n_l, n_v, n_h, v_h = light[2], viewer[2], half[2], viewer @ half
    d = alpha**2 / (math.pi * (n_h**2 * (alpha**2 - 1) + 1) ** 2)
    smith = [(-1 + math.sqrt(1 + alpha**2 * (1 / c**2 - 1))) / 2 for c in (n_l, n_v)]
    f = f0 + (1 - f0) * (1 - v_h) ** 5
    expected = d * f / (1 + sum(smith)) / (4 * n_l * n_v) * n_l
    found = ggx(picture(UP), light[None], viewer[None, :, None, None], 0.3)
    assert torch.allclose(found, expected)


def test_nothing_from_below():
    below = tilted(100.0)
    assert ggx(picture(UP), below[None], UP[..., None, None], 0.5).item() == 0
    assert ggx(picture(UP), UP, below[None, :, None, None], 0.5).item() == 0
    assert ggx(picture(0 * UP), UP, UP[..., None, None], 0.5).item() == 0


def test_polished_and_nothing_have_finite_derivatives():
    """A roughness map is zero at the background."""
    roughness = torch.zeros(1, 1, 1, 1, dtype=torch.float64, requires_grad=True)
    normals = (1.0 * picture(UP)).requires_grad_()
    shine = ggx(normals, UP, UP[..., None, None], roughness)
    shine.sum().backward()
    assert shine.isfinite().all()
    assert normals.grad.isfinite().all()
    assert roughness.grad.isfinite().all()


def test_smooth_highlights_keep_their_digits():
    """In float32, against float64: 1 - (n·h)² would be wrong by a tenth here."""
    normals = picture(tilted(torch.linspace(0, 3, 50)))
    single = ggx(normals.float(), UP.float(), UP.float()[..., None, None], 0.05)
    double = ggx(normals, UP, UP[..., None, None], 0.05)
    assert torch.allclose(single.double(), double, rtol=1e-3)


@pytest.mark.parametrize("degrees", [2.0, 15.0, 30.0, 45.0])
def test_lambert_of_a_disc(degrees):
    """Against the light of a hundred thousand points of the disc, wherever the horizon cuts it."""
    radius = torch.tensor([math.radians(degrees)], dtype=torch.float64)
    count = 100_000
    # Evenly spread over the projected disc is evenly weighted by the cosine to its centre.
    height = 1 - (1 - radius.cos()) * (torch.arange(count) + 0.5) / count
    points = golden_spiral(count) * (1 - height * height).sqrt()[:, None]
    points = torch.cat([points, height[:, None]], 1)
    cosines = torch.linspace(-1, 1, 41, dtype=torch.float64)
    exact = (points @ tilted(torch.rad2deg(cosines.acos())).T).clamp(min=0).mean(0)
    exact = exact / height.mean()
    found = lambert(cosines.view(1, 1, -1, 1), radius)[0, 0, :, 0]
    assert (found - exact).abs().max() < 0.01
    assert torch.allclose(found[cosines > radius.sin()], cosines[cosines > radius.sin()])


def surface(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    light = sample_lights(2, generator).to(dtype)
    light = Light(light.ambient, unit(light.key_direction), light.key_colour, light.key_radius)
    albedo = torch.rand(2, 3, 2, 3, generator=generator, dtype=dtype)
    normals = torch.randn(2, 3, 2, 3, generator=generator, dtype=dtype)
    normals[:, 2] = normals[:, 2].abs() + 0.5
    return albedo, unit(normals), UP[..., None, None].to(dtype), light


def test_reflect_is_the_sum_of_its_parts():
    albedo, normals, viewer, light = surface()
    matt = reflect(albedo, normals, viewer, light, specular=0)
    cosine = (normals * light.key_direction[:, :, None, None]).sum(1, True)
    key = light.key_colour[:, :, None, None] * lambert(cosine, light.key_radius)
    assert torch.allclose(matt, albedo * (shade(normals, light.ambient) + key))
    dark = reflect(albedo, normals, viewer, light, key_visibility=0, ambient_visibility=0)
    assert (dark == 0).all()
    hidden = reflect(albedo, normals, viewer, light, key_visibility=0)
    assert torch.allclose(hidden, albedo * shade(normals, light.ambient))
    shine = reflect(albedo, normals, viewer, light) - matt
    assert (shine >= -1e-12).all()
    assert torch.allclose(shine, reflect(0 * albedo, normals, viewer, light), atol=1e-12)


def test_maps_and_numbers_mean_the_same():
    albedo, normals, viewer, light = surface()
    level = torch.full((2, 1, 2, 3), 0.3, dtype=torch.float64)
    names = ("key_visibility", "ambient_visibility", "roughness", "specular")
    as_maps = reflect(albedo, normals, viewer, light, **dict.fromkeys(names, level))
    as_numbers = reflect(albedo, normals, viewer, light, **dict.fromkeys(names, 0.3))
    assert torch.allclose(as_maps, as_numbers)


def test_gradients():
    """In albedo, normals, and every parameter of the light."""
    albedo, normals, viewer, light = surface()

    def run(albedo, normals, ambient, direction, colour, radius):
        lit = Light(ambient, unit(direction), colour, radius)
        return encode_srgb(reflect(albedo, unit(normals), viewer, lit))

    fields = (light.ambient, light.key_direction, light.key_colour, light.key_radius)
    leaves = [leaf.clone().requires_grad_() for leaf in (albedo, normals, *fields)]
    assert gradcheck(run, leaves)


def test_gradients_stay_finite_at_the_background():
    albedo, normals, viewer, light = surface(dtype=torch.float32)
    normals = (0 * normals).requires_grad_()
    albedo = (0 * albedo).requires_grad_()
    encode_srgb(reflect(albedo, unit(normals), viewer, light)).sum().backward()
    assert normals.grad.isfinite().all()
    assert albedo.grad.isfinite().all()


@given(st.floats(0, 1.5))
def test_srgb(value):
    """IEC 61966-2-1, and back."""
    linear = torch.tensor(value, dtype=torch.float64)
    expected = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    encoded = encode_srgb(linear)
    assert encoded.item() == pytest.approx(expected)
    assert decode_srgb(encoded).item() == pytest.approx(value, abs=1e-7)


def test_srgb_has_derivatives_at_zero():
    linear = torch.tensor([0.0, -0.1, 1.0], requires_grad=True)
    encode_srgb(linear).sum().backward()
    assert linear.grad[:2].tolist() == pytest.approx([12.92, 12.92])
