"""Errors of light and albedo against loops, on faces whose truth is known."""

import math

import pytest
import torch

from visage.faces.harmonics import from_richardson
from visage.faces.reflectance import encode_srgb
from visage.geometry.detail import DetailedFaces
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.light_and_albedo import Recovered, RecoveryConfig, shade
from visage.geometry.light_errors import explain_faces, light_errors, relative_error
from visage.geometry.rendering_layer import render_depth, skin_mask
from visage.geometry.representation import FaceNumbers
from visage.geometry.surface_normals import normals_of_depth
from visage.geometry.texture_space import TextureSpace

SIZE = 60
LIGHTS = torch.tensor([[0.5, 0.4, 0.1, 0.5], [0.8, 0.01, 0.0, 0.05]])


@pytest.fixture(scope="module")
def world():
    """Faces that are exactly as the model of eq. 8 has them, with albedos of the texture space."""
    mesh = FaceMesh.load()
    space = TextureSpace.load(mesh)
    numbers = FaceNumbers.of(0.4 * torch.randn(2, 138, generator=torch.Generator().manual_seed(0)))
    drawn = render_depth(mesh, numbers, SIZE)
    mean, modes = space.drawn(drawn.ids, drawn.weights)
    weights = torch.zeros(2, modes.shape[1])
    weights[:, 1] = 1.0
    albedo = mean + (modes * weights[..., None, None]).sum(1, keepdim=True)
    normals = normals_of_depth(drawn.depth, drawn.mask, numbers.camera(SIZE).scale)
    linear = (albedo * shade(normals, LIGHTS)).clamp(0, 1)
    light = torch.zeros(2, 9)
    light[:, :4] = from_richardson(LIGHTS[..., None])[..., 0]
    faces = DetailedFaces(
        faces=encode_srgb(linear), depth=drawn.depth, relief=0 * linear, mask=drawn.mask,
        seen=drawn.mask, albedo=albedo * drawn.mask, numbers=numbers.numbers, light=light,
        age=torch.zeros(2),
    )  # fmt: skip
    return faces, mesh, space, normals, skin_mask(mesh, drawn.ids)


def test_faces_of_the_model_are_explained(world):
    faces, mesh, space, _, _ = world
    config = RecoveryConfig(light_prior=1e-6, albedo_prior=1e-7, rounds=5)
    found, normals, skin = explain_faces(faces, faces.truth, mesh, space, config)
    errors = light_errors(found, faces, normals, skin)
    assert errors.angle[0] < 3
    assert errors.angle[1].isnan()  # that light comes from nowhere
    assert (errors.shading < 0.03).all()
    assert (errors.albedo < 0.03).all()
    assert (errors.explained > 0.98).all()


def test_the_truth_has_no_error(world):
    faces, _, _, normals, skin = world
    shading = shade(normals, LIGHTS)
    found = Recovered(2 * LIGHTS, torch.zeros(2, 10), faces.albedo / 2, 2 * shading)
    errors = light_errors(found, faces, normals, skin)
    assert errors.angle[0] < 0.1
    assert errors.shading.max() < 1e-4
    assert errors.albedo.max() < 1e-4
    assert errors.explained.min() > 0.999


def test_angles_are_between_directions(world):
    faces, _, _, normals, skin = world
    turned = LIGHTS[:, [0, 2, 1, 3]] * torch.tensor([1.0, 1.0, -1.0, 1.0])
    found = Recovered(turned, torch.zeros(2, 10), faces.albedo, shade(normals, turned))
    a, b = LIGHTS[0, 1:].tolist(), turned[0, 1:].tolist()
    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
    angle = light_errors(found, faces, normals, skin).angle[0].item()
    assert math.isclose(angle, math.degrees(math.acos(cosine)), rel_tol=1e-4)


def test_relative_error_is_a_loop_and_ignores_what_is_masked():
    generator = torch.Generator().manual_seed(2)
    found, true = torch.rand(2, 1, 1, 3, 4, generator=generator).double()
    mask = (torch.rand(1, 1, 3, 4, generator=generator) > 0.3).double()
    pairs = [
        (float(f), float(t))
        for f, t, m in zip(found.flatten(), true.flatten(), mask.flatten(), strict=True)
        if m
    ]
    factor = sum(f * t for f, t in pairs) / sum(f * f for f, _ in pairs)
    left = sum((factor * f - t) ** 2 for f, t in pairs) / sum(t * t for _, t in pairs)
    assert math.isclose(relative_error(found, true, mask), math.sqrt(left))
    other = torch.where(mask > 0, found, found + 9)
    assert torch.allclose(relative_error(other, true, mask), relative_error(found, true, mask))
    assert relative_error(found, true, 0 * mask) == 0
