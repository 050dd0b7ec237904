"""Read-outs of pose, expression and glasses."""

import numpy as np
import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.shape import MorphableModel
from visage.normalization.errors import NormalizationError
from visage.normalization.fit_filter import read_errors
from visage.normalization.read_outs import (
    SHAPES,
    ReadOuts,
    fit_read_outs,
    landmark_features,
    load_read_outs,
)
from visage.photos.alignment import MEAN_FACE
from visage.recognition.chips import Chips


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel.load()


def seen(model: MorphableModel, yaw: float = 0, pitch: float = 0, **actions: float):
    """Landmarks (1, 68, 2) of the mean person; angles in degrees."""
    angles = torch.deg2rad(torch.tensor([[pitch, yaw, 0.0]]))
    camera = WeakPerspective(angles, torch.zeros(1, 2), 200, 200, scale=torch.ones(1))
    expression = torch.zeros(1, 52)
    for name, value in actions.items():
        expression[0, model.expression_names.index(name)] = value
    vertices = model.vertices(torch.zeros(1, 80), expression)
    corners = model.landmark_vertices(angles[:, 1])[0]
    return camera.project(vertices[:, corners])[..., :2]


def test_features_ignore_place_size_and_roll():
    points = torch.tensor([MEAN_FACE.get(i, (0.1 * i, 0.9)) for i in range(68)])[None]
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    moved = 37 * points @ turn.T + torch.tensor([5.0, -60.0])
    assert torch.allclose(landmark_features(moved), landmark_features(points), atol=1e-4)


@pytest.mark.parametrize("name", ["yaw", "pitch"])
def test_a_turn_is_read_the_right_way(model, name):
    """The model's own landmarks: dlib's, which the read-outs know, lie a little elsewhere."""
    read = [
        float(load_read_outs()(seen(model, **{name: angle}), torch.zeros(1, 128))[name])
        for angle in (-10.0, 0.0, 10.0)
    ]
    assert read[2] - read[0] == pytest.approx(20, abs=8)
    assert read[1] == pytest.approx((read[0] + read[2]) / 2, abs=4)


@pytest.mark.parametrize(
    ("name", "actions"),
    [("smile", {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6}), ("opening", {"jawOpen": 0.4})],
)
def test_an_expression_is_read(model, name, actions):
    none = torch.zeros(1, 128)
    rest, shown = (
        float(load_read_outs()(seen(model, **some), none)[name]) for some in ({}, actions)
    )
    assert shown - rest > 0.15


def test_fits_what_is_linear():
    random = np.random.default_rng(0)
    landmarks = torch.from_numpy(
        40 + 60 * np.array([MEAN_FACE.get(i, (0.05 * i, 0.9)) for i in range(68)])
        + random.normal(0, 1, (300, 68, 2))
    ).float()  # fmt: skip
    features = landmark_features(landmarks)
    generator = torch.Generator().manual_seed(0)
    truth = {name: features @ torch.randn(136, generator=generator) for name in SHAPES}
    truth["smile"] = truth["smile"] - truth["smile"].median()  # some smile, some do not
    truth["opening"] = truth["opening"] - truth["opening"].median()
    levels = torch.full((300,), 100)
    truth["glasses"] = (torch.arange(300) % 2).float()
    chips = levels.byte().view(-1, 1, 1, 1).expand(-1, 3, 150, 150).clone()
    chips[truth["glasses"] > 0] //= 2

    class Brightness:
        dim = 1

        def embed(self, chips):
            return chips.mean((1, 2, 3))[:, None]

    known = Chips(np.array(["a"] * 300), chips, landmarks)
    read_outs = fit_read_outs(known, truth, Brightness())
    read = read_outs(landmarks, Brightness().embed(chips.float() / 255))
    for name, values in truth.items():
        assert torch.allclose(read[name], values, atol=0.05), name
    errors = read_errors(read | {"yaw": truth["yaw"] + 2}, truth)
    assert errors["yaw_error"] == pytest.approx(2, abs=1e-3)
    assert errors["glasses_auc"] == 1


def test_tensors_are_those_of_the_checkpoint():
    shapes = {name: tuple(value.shape) for name, value in ReadOuts().state_dict().items()}
    assert shapes["landmark_weights"] == (4, 136)
    assert shapes["glasses_weights"] == (1, 128)


def test_refuses_five_points():
    with pytest.raises(NormalizationError, match="68"):
        landmark_features(torch.zeros(1, 5, 2))
