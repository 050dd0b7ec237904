"""The first guess of the light, and what lights are likely."""

import torch

from visage.faces.directions import sphere_directions
from visage.faces.harmonics import shade
from visage.faces.light import sample_lights
from visage.faces.reflectance import encode_srgb
from visage.texture.fit_light import guess_light, light_prior
from visage.texture.fit_terms import polynomials


def test_prior_is_that_of_sampled_lights():
    prior = light_prior()
    assert torch.linalg.eigvalsh(prior.precision).min() > 0
    numbers = sample_lights(400, torch.Generator().manual_seed(5)).coefficients().flatten(1)
    away = numbers.double() - prior.mean
    squares = torch.einsum("bi,ij,bj->b", away, prior.precision, away)
    # A Gaussian's squares have the mean 27; theirs has longer tails, and the slack takes some.
    assert 10 < float(squares.median()) < 27


def test_guess_explains_the_picture():
    light = sample_lights(1, torch.Generator().manual_seed(2)).coefficients()
    normals = sphere_directions(600).float()
    normals = normals[normals[:, 2] > 0.1]
    albedo = 0.1 + 0.2 * torch.rand(len(normals), 3, generator=torch.Generator().manual_seed(0))
    linear = albedo * shade(normals.T[None, :, :, None], light)[0, :, :, 0].T.clamp(min=0)
    found = guess_light(encode_srgb(linear).clamp(0, 1), albedo, polynomials(normals))
    again = albedo * shade(normals.T[None, :, :, None], found[None])[0, :, :, 0].T
    assert (again - linear.clamp(0, 1)).abs().mean() < 0.03 * linear.mean()


def test_in_the_dark_the_guess_is_finite():
    normals = sphere_directions(50).float()
    found = guess_light(torch.zeros(50, 3), torch.full((50, 3), 0.3), polynomials(normals))
    assert found.shape == (9, 3)
    assert found.isfinite().all()
