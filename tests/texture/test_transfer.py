import pytest
import torch

from visage.faces.camera import rotation_matrix
from visage.faces.harmonics import harmonics, shade
from visage.faces.shape import MorphableModel
from visage.texture.transfer import hidden_transfer, shadowed

WHITE = 3.5449077  # sqrt(4 π): radiance 1 from everywhere


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def hidden(model):
    still = torch.eye(3)[None]
    return hidden_transfer(model, model.mean[None], still, directions=64, size=160)[0]


def test_the_nose_sees_everything_and_the_mouth_nothing(model, hidden):
    share = hidden[:, 9]
    assert ((share >= 0) & (share < 1.2)).all()
    tip, forehead = model.landmarks[30], model.landmarks[27]
    assert share[tip] < 0.1
    assert share[forehead] < 0.3
    inside = share[model.parts["tongue"]]
    assert inside.median() > 0.7
    under_nose = share[model.landmarks[33]]
    assert under_nose > share[tip] + 0.1


def test_the_share_agrees_with_ambient_occlusion(model, hidden):
    face = model.regions["face"] > 0.9
    seen, known = 1 - hidden[face, 9], model.occlusion[face]
    correlation = torch.corrcoef(torch.stack([seen, known]))[0, 1]
    assert correlation > 0.7


def test_hidden_light_turns_with_the_head(model, hidden):
    turn = rotation_matrix(torch.tensor([[0.2, -0.7, 0.4]]))
    turned = hidden_transfer(model, model.mean[None], turn, directions=64, size=160)[0]
    assert torch.allclose(turned[:, [0, 9]], hidden[:, [0, 9]], atol=1e-5)
    # A lamp that turns with the head is hidden from the same points.
    lamp = torch.tensor([[0.3, 0.8, 0.5]])
    lamp = lamp / lamp.norm()
    before = hidden[:, :9] @ harmonics(lamp, 2)[0]
    after = turned[:, :9] @ harmonics(lamp @ turn[0].T, 2)[0]
    assert torch.allclose(before, after, atol=1e-4)


def test_shadowed_takes_what_is_hidden_and_gives_what_is_sent_on():
    normals = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
    light = torch.zeros(1, 9, 3)
    light[:, 0] = WHITE
    shading = shade(normals, light)
    hidden = torch.zeros(1, 10, 1, 1)
    assert torch.equal(shadowed(shading, hidden, light, torch.zeros(1, 3)), shading)
    # Half of a white sky is hidden: h_00 is half of the shading's own coefficient.
    hidden[:, 0], hidden[:, 9] = 0.5 / WHITE, 0.5
    dark = shadowed(shading, hidden, light, torch.zeros(1, 3))
    assert torch.allclose(dark, torch.full_like(dark, 0.5), atol=1e-5)
    red = shadowed(shading, hidden, light, torch.tensor([[0.6, 0.0, 0.0]]))
    assert torch.allclose(red.flatten(), torch.tensor([0.8, 0.5, 0.5]), atol=1e-5)
