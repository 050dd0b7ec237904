"""Landmarks of known faces give the faces back, as far as they tell."""

from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from visage.faces.fitting.landmarks import LandmarkStatistics
from visage.faces.fitting.priors import FittingPriors
from visage.faces.shape import MorphableModel
from visage.geometry.errors import LandmarkFitError
from visage.geometry.landmark_fit import FITTING, MEAN_FACE, _March, fit_landmarks
from visage.geometry.representation import FaceNumbers


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()


@lru_cache(maxsize=1)
def _exact() -> FittingPriors:
    """Of a detector that errs by half a millimetre, independently."""
    still = LandmarkStatistics(torch.zeros(68, 2), 0.25 * torch.eye(136))
    return replace(FittingPriors.load(), landmarks=still)


def _faces(yaw: tuple[float, ...] = (0.0, 0.3, -0.4)) -> FaceNumbers:
    generator = torch.Generator().manual_seed(1)
    count = len(yaw)
    identity = _model().sample_identity(count, generator)
    expression = 0.2 * torch.rand(count, 52, generator=generator)
    pose = 0.5 * torch.randn(count, 6, generator=generator)
    pose[:, 1] = torch.tensor(yaw) / 0.5
    return FaceNumbers(identity, expression, pose)


def _landmarks(faces: FaceNumbers, size: int = 200) -> torch.Tensor:
    camera, vertices = faces.camera(size), _model().vertices(faces.identity, faces.expression)
    chosen = _March.of(_model())(camera, vertices)
    return camera.project(vertices.gather(1, chosen[..., None].expand(-1, -1, 3)))[..., :2]


def test_known_landmarks_are_explained():
    faces = _faces()
    wanted = _landmarks(faces)
    found = fit_landmarks(_model(), wanted, priors=_exact())
    apart = (_landmarks(found) - wanted).norm(dim=2)
    assert float(apart.mean()) < 0.5  # pixels; the mean face alone leaves several
    posed = fit_landmarks(_model(), wanted, config=MEAN_FACE, priors=_exact())
    assert float((_landmarks(posed) - wanted).norm(dim=2).mean()) > 2 * float(apart.mean())


def test_pose_is_found():
    faces = _faces((0.0, 0.25, -0.25, 0.7))
    found = fit_landmarks(_model(), _landmarks(faces), priors=_exact())
    turn = found.camera().rotation() @ faces.camera().rotation().mT
    angle = ((turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).acos()
    assert float(angle.rad2deg().max()) < 8


def test_the_mean_face_is_posed_only():
    found = fit_landmarks(_model(), _landmarks(_faces()), config=MEAN_FACE)
    assert float(found.shape.abs().max()) == 0
    assert float(found.pose.abs().max()) > 0.1


def test_facial_actions_stay_in_range():
    found = fit_landmarks(_model(), _landmarks(_faces()) + 5)
    assert float(found.expression.min()) >= 0
    assert float(found.expression.max()) <= 1


def test_the_size_of_the_window_does_not_matter():
    faces = _faces()
    small, large = (fit_landmarks(_model(), _landmarks(faces, n), n) for n in (200, 400))
    torch.testing.assert_close(small.numbers, large.numbers, atol=2e-2, rtol=1e-2)


def test_faces_do_not_depend_on_each_other():
    wanted = _landmarks(_faces())
    alone = fit_landmarks(_model(), wanted[1:2])
    torch.testing.assert_close(
        fit_landmarks(_model(), wanted)[1:2].numbers, alone.numbers, atol=1e-3, rtol=1e-3
    )


def test_the_far_contour_marches_to_the_outline():
    """At 60 degrees no point of a landmark's height on the far side sticks out beyond it."""
    faces = FaceNumbers.zeros(1)
    faces.pose[0, 1] = -60 / 28.6  # towards the picture's left: landmarks 0 to 7 are far
    camera, vertices = faces.camera(), _model().vertices(faces.identity, faces.expression)
    chosen = _March.of(_model())(camera, vertices)[0]
    table = _model().landmark_vertices(camera.angles[:, 1])[0]
    assert torch.equal(chosen[9:], table[9:])
    across = camera.project(vertices)[0, :, 0]
    for place in range(8):
        mine, before = _model().mean[chosen[place]], _model().mean[table[place]]
        assert float(across[chosen[place]]) <= float(across[table[place]])
        assert abs(float(mine[1] - before[1])) < 4  # on its parallel
        assert abs(float(mine[0])) <= abs(float(before[0]))  # towards the nose


def test_the_weight_pulls_from_the_mean():
    wanted = _landmarks(_faces())
    strengths = [
        float(fit_landmarks(_model(), wanted, config=replace(FITTING, weight=w)).identity.norm())
        for w in (1e-4, 0.5)
    ]
    assert strengths[0] < 0.2 * strengths[1]


@pytest.mark.parametrize(
    ("landmarks", "says"),
    [
        (torch.zeros(1, 5, 2), "expected"),
        (torch.zeros(0, 68, 2), "expected"),
        (torch.full((1, 68, 2), torch.nan), "NaN"),
        (torch.full((1, 68, 2), 50.0), "one spot"),
    ],
)
def test_refuses(landmarks, says):
    with pytest.raises(LandmarkFitError, match=says):
        fit_landmarks(_model(), landmarks)
