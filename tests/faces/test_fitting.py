"""A fit on heads whose answers are known, and its pieces against plain derivatives."""

import math
from dataclasses import replace

import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.fitting import FittingConfig, FittingError, fit_faces, unexplained
from visage.faces.fitting.albedo_model import AlbedoModelError, learn_albedo
from visage.faces.fitting.figure import draw_fit
from visage.faces.fitting.landmarks import (
    LandmarkStatistics,
    LandmarkStatisticsError,
    landmark_statistics,
    linearise_landmarks,
    upright,
)
from visage.faces.fitting.pixels import (
    Appearance,
    Pictures,
    PixelStatistics,
    PixelTerm,
    Sight,
    learn_pixel_statistics,
)
from visage.faces.fitting.priors import FittingPriors, learn_expression
from visage.faces.fitting.shape_errors import aligned, vertex_errors
from visage.faces.fitting.surface import shape_directions, spread_points
from visage.faces.fitting.unknowns import Unknowns, pose_of_mean
from visage.faces.light import Light, sample_lights
from visage.faces.shape import MorphableModel

SIZE = 160
QUICK = FittingConfig(
    landmark_steps=6, pixel_weights=(0.1, 1.0), blur=(1.0, 0.7), steps=(6, 10), landmark_weight=1.0
)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel.load()


def _albedos(model, count, generator):
    """Skins of one tone each, with redder lips and darker brows."""
    tone = torch.tensor([0.5, 0.32, 0.24]) ** (0.6 + torch.rand(count, 1, 1, generator=generator))
    lips = model.regions["lips"][:, None] * torch.tensor([0.2, 0.8, 0.6])
    lids = model.regions["lids"][:, None] * torch.tensor([0.3, 0.3, 0.3])
    strength = torch.rand(2, count, 1, 1, generator=generator)
    return tone * (-strength[0] * lips - strength[1] * lids).exp()


@pytest.fixture(scope="module")
def priors(model) -> FittingPriors:
    generator = torch.Generator().manual_seed(1)
    expression = 0.2 * torch.rand(200, 52, generator=generator) ** 3
    return FittingPriors(
        learn_albedo(_albedos(model, 20, generator), 3),
        learn_expression(expression),
        LandmarkStatistics(torch.zeros(68, 2), 0.25 * torch.eye(136)),
        PixelStatistics.even(500, 0.02),
    )


@pytest.fixture(scope="module")
def known(model):
    """Two heads, their pictures, and their landmarks."""
    generator = torch.Generator().manual_seed(8)
    identity = model.sample_identity(2, generator)
    expression = model.expression_weights({"jawOpen": 0.2, "mouthSmileLeft": 0.3}).expand(2, -1)
    camera = WeakPerspective(
        torch.tensor([[0.05, 0.3, 0.0], [-0.1, -0.2, 0.1]]),
        torch.tensor([[2.0, 0.0], [0.0, 5.0]]),
        SIZE,
        SIZE,
        scale=torch.tensor([0.6, 0.55]),
    )
    light = sample_lights(2, generator)
    vertices = model.vertices(identity, expression)
    images = draw_fit(model, vertices, camera, light, _albedos(model, 2, generator))
    corners = model.landmark_vertices(camera.angles[:, 1])[..., None].expand(-1, -1, 3)
    landmarks = camera.project(vertices.gather(1, corners))[..., :2]
    return identity, expression, camera, light, images, landmarks, vertices


def _face_error(model, points, truth):
    face = model.regions["face"] > 0.5
    moved = aligned(points[:, face], truth[:, face], scale=True)
    return vertex_errors(moved, truth[:, face]).mean(1)


def test_recovers_known_heads(model, priors, known):
    *_, images, landmarks, truth = known
    fit = fit_faces(images, landmarks, model, priors, QUICK)
    found = _face_error(model, fit.vertices(model), truth)
    mean = _face_error(model, model.mean.expand_as(truth), truth)
    assert (found < 1.5).all()
    assert (found < 0.5 * mean).all()
    assert fit.expression.min() >= 0
    assert fit.expression.max() <= 1
    turn = (fit.camera.angles - known[2].angles).abs().max()
    assert turn < math.radians(3)


def test_pixels_help(model, priors, known):
    *_, images, landmarks, truth = known
    alone = replace(QUICK, pixel_weights=(), blur=(), steps=())
    noisy = landmarks + 2 * torch.randn(landmarks.shape, generator=torch.Generator().manual_seed(0))
    worn = replace(priors, landmarks=LandmarkStatistics(torch.zeros(68, 2), 12 * torch.eye(136)))
    with_pixels = fit_faces(images, noisy, model, worn, QUICK).vertices(model)
    without = fit_faces(images, noisy, model, worn, alone).vertices(model)
    assert _face_error(model, with_pixels, truth).mean() < _face_error(model, without, truth).mean()


def test_is_deterministic_and_pictures_are_independent(model, priors, known):
    *_, images, landmarks, _ = known
    short = replace(QUICK, steps=(2, 2))
    both = fit_faces(images, landmarks, model, priors, short)
    again = fit_faces(images, landmarks, model, priors, short)
    alone = fit_faces(images[1:], landmarks[1:], model, priors, short)
    torch.testing.assert_close(both.identity, again.identity, atol=1e-2, rtol=0)
    torch.testing.assert_close(both.identity[1:], alone.identity, atol=1e-2, rtol=0)


def test_cost_falls_within_a_level(model, priors, known):
    *_, images, landmarks, _ = known
    # Without refreshed shadows and visibility, which change the cost itself.
    fit = fit_faces(images, landmarks, model, priors, replace(QUICK, refresh=100))
    starts = [0, QUICK.landmark_steps]
    for start, steps in zip((*starts, starts[1] + 6), (6, 6, 10), strict=True):
        costs = fit.history[:, start : start + steps]
        assert (costs[:, 1:] <= costs[:, :-1]).all()
        assert (costs[:, -1] < costs[:, 0]).all()


def test_explains_its_own_pictures(model, priors, known):
    identity, expression, camera, _, images, *_ = known
    config = FittingConfig(pixel_weights=(0.3, 1.0), blur=(0.7, 0.3), steps=(6, 8))
    residual, seen = unexplained(images, model, priors, identity, expression, camera, config)
    assert residual.shape == (2, 500, 3)
    well = seen > 0.9
    assert residual[well].abs().median() < 0.012


@pytest.mark.parametrize(
    ("images", "landmarks", "message"),
    [
        (torch.zeros(1, 1, 64, 64), torch.rand(1, 68, 2) * 64, "expected .B, 3, H, W"),
        (torch.zeros(2, 3, 64, 64), torch.rand(1, 68, 2) * 64, "expected .2, 68, 2"),
        (torch.zeros(1, 3, 64, 64), torch.full((1, 68, 2), torch.nan), "NaN"),
        (torch.zeros(1, 3, 64, 64), torch.rand(1, 68, 2) * 64 + 500, "outside"),
        (torch.zeros(1, 3, 64, 64), torch.full((1, 68, 2), 30.0), "one spot"),
    ],
)
def test_refuses_bad_input(model, priors, images, landmarks, message):
    with pytest.raises(FittingError, match=message):
        fit_faces(images, landmarks, model, priors)


def test_refuses_uneven_levels():
    with pytest.raises(FittingError, match="as many"):
        FittingConfig(pixel_weights=(1.0,), blur=(1.0, 2.0), steps=(1,))


def test_pose_of_mean_is_exact_on_the_mean(model):
    camera = WeakPerspective(
        torch.tensor([[0.1, -0.3, 0.2]]), torch.tensor([[3.0, -4.0]]), 64, 64,
        scale=torch.tensor([0.2]),
    )  # fmt: skip
    landmarks = camera.project(model.mean[model.landmarks][None])[..., :2]
    found = pose_of_mean(model, landmarks, 64, 64)
    torch.testing.assert_close(found.angles, camera.angles, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.translation, camera.translation, atol=1e-2, rtol=0)
    torch.testing.assert_close(found.scale, camera.scale, atol=1e-5, rtol=0)


# The pieces against finite differences, in float64.


def _double(light: Light) -> Light:
    return light.to(torch.float64)


def _unknowns(model, generator) -> Unknowns:
    identity = model.sample_identity(1, generator)
    shape = torch.cat([identity, 0.1 + 0.1 * torch.rand(1, 52, generator=generator)], 1)
    camera = WeakPerspective(
        torch.tensor([[0.1, 0.2, 0.1]]).double(), torch.tensor([[1.0, 2.0]]).double(), 96, 96,
        scale=torch.tensor([0.4]).double(),
    )  # fmt: skip
    light = _double(sample_lights(1, generator))
    nothing = torch.zeros(1, 2).double()
    return Unknowns(shape.double(), camera, light, nothing, nothing)


def _step(columns: int, column: int, size: float) -> torch.Tensor:
    step = torch.zeros(1, columns).double()
    step[0, column] = size
    return step


def test_landmark_derivatives(model):
    generator = torch.Generator().manual_seed(2)
    double = MorphableModel.load().double()
    unknowns = _unknowns(model, generator)
    statistics = LandmarkStatistics(torch.zeros(68, 2), torch.eye(136) + 0.1)
    chosen = model.landmarks[None]
    moving = shape_directions(double)[:, chosen].permute(1, 2, 3, 0)
    detected = torch.rand(1, 68, 2, generator=generator).double() * 96

    def residual(unknowns: Unknowns):
        vertices = double.vertices(unknowns.shape[:, :80], unknowns.shape[:, 80:])
        corners = vertices.gather(1, chosen[..., None].expand(-1, -1, 3))
        return linearise_landmarks(unknowns.camera, corners, moving, detected, statistics)

    jacobian, _ = residual(unknowns)
    # Turns and scale also change the frame and the unit of what is detected: those are constants
    # to a step, so that only the columns of shape and shifts are plain derivatives.
    for column in (0, 7, 81, 100, 135, 136):
        ends = [residual(unknowns.moved(_step(138, column, h), 80))[1] for h in (1e-4, -1e-4)]
        numeric = (ends[1] - ends[0]) / 2e-4
        torch.testing.assert_close(jacobian[..., column], numeric, atol=1e-4, rtol=1e-4)


def test_pixel_derivatives(model):
    generator = torch.Generator().manual_seed(3)
    double = MorphableModel.load().double()
    unknowns = _unknowns(model, generator)
    points = spread_points(double, 60)
    # A picture that is a plane in x and y has exact derivatives.
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    image = torch.stack([0.2 + 0.004 * x, 0.6 - 0.003 * y, 0.3 + 0.002 * (x + y)])[None].double()
    appearance = Appearance(
        -1 - torch.rand(60, 3, generator=generator).double(),
        0.2 * torch.randn(60, 3, 2, generator=generator).double(),
    )
    statistics = PixelStatistics(
        torch.zeros(60, 3).double(),
        0.1 * torch.randn(2, 60, 3, generator=generator).double(),
        torch.full((60,), 0.05).double(),
    )
    term = PixelTerm(Pictures(image, torch.tensor([0.1])), points, appearance, statistics, 3.0, 1.0)
    vertices = double.vertices(unknowns.shape[:, :80], unknowns.shape[:, 80:])
    sight = Sight(
        torch.ones(1, 60).double(),
        torch.rand(1, 1, 60, 1, generator=generator).double(),
        points.turning(vertices),
    )

    def residual(unknowns: Unknowns):
        vertices = double.vertices(unknowns.shape[:, :80], unknowns.shape[:, 80:])
        return term.linearise(unknowns, vertices, sight)

    found = residual(unknowns)
    columns = found.jacobian.shape[2]
    assert columns == 132 + 6 + 32 + 2 + 2
    for column in (0, 9, 100, 132, 133, 134, 135, 137, 138, 150, 166, 168, 169, 171, 173):
        ends = [
            residual(unknowns.moved(_step(columns, column, h), 80)).residual for h in (1e-4, -1e-4)
        ]
        numeric = (ends[1] - ends[0]) / 2e-4
        # Normals and the light's direction are differenced forwards, by 0.1 and by 0.02.
        error = (found.jacobian[..., column] - numeric).norm() / numeric.norm().clamp(min=1e-6)
        assert error < 0.05, column


def test_points_lie_on_the_skin_and_move_with_it(model):
    points = spread_points(model, 300)
    identity = 0.5 * torch.randn(1, 80, generator=torch.Generator().manual_seed(4))
    moved = points.at(model.vertices(identity)) - points.at(model.mean[None])
    expected = points.basis[..., :80] @ identity[0]
    torch.testing.assert_close(moved[0], expected, atol=1e-3, rtol=0)
    full = model.normals(model.mean[None])
    own = points.normals(model.mean[None])
    mixed = points.at(full)
    # At the skin's borders the model's normals know the next part too.
    alike = torch.nn.functional.cosine_similarity(own, mixed, dim=2) > 0.999
    assert alike.float().mean() > 0.97


# Statistics


def test_upright_undoes_roll_and_scale():
    angles = torch.tensor([[0.0, 0.0, 0.4]])
    camera = WeakPerspective(angles, torch.zeros(1, 2), 64, 64, scale=torch.tensor([2.0]))
    ahead = torch.tensor([[[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]])
    pixels = camera.project(ahead)[..., :2]
    offset = pixels[:, :1] - pixels[:, 1:]
    torch.testing.assert_close(upright(offset, camera), torch.tensor([[[3.0, 4.0]]]))


def test_landmark_statistics_find_bias_and_noise():
    generator = torch.Generator().manual_seed(5)
    camera = WeakPerspective(
        torch.zeros(400, 3), torch.zeros(400, 2), 64, 64, scale=torch.full((400,), 2.0)
    )
    truth = 64 * torch.rand(400, 68, 2, generator=generator)
    noise = torch.randn(400, 68, 2, generator=generator)
    found = landmark_statistics(truth + torch.tensor([4.0, -2.0]) + noise, truth, camera)
    torch.testing.assert_close(found.mean, torch.tensor([2.0, 1.0]).expand(68, 2), atol=0.1, rtol=0)
    assert abs(float(found.covariance.diagonal().mean()) - 0.25) < 0.02
    whiten = found.whitening()
    torch.testing.assert_close(
        whiten @ found.covariance @ whiten.T, torch.eye(136), atol=1e-3, rtol=0
    )
    with pytest.raises(LandmarkStatisticsError, match="NaN"):
        landmark_statistics(truth * torch.nan, truth, camera)
    with pytest.raises(LandmarkStatisticsError, match="expected"):
        landmark_statistics(truth[:1], truth, camera)


def test_albedo_model_reconstructs_who_it_learned_from(model):
    people = _albedos(model, 12, torch.Generator().manual_seed(6))
    learned = learn_albedo(people, 3)
    logs = (people.log() - learned.mean).flatten(1)
    basis = learned.basis.flatten(1)
    scores = logs @ basis.T / basis.square().sum(1)
    torch.testing.assert_close(learned.albedo(scores), people, atol=1e-3, rtol=0)
    torch.testing.assert_close(scores.var(0), torch.ones(3), atol=0.02, rtol=0)
    with pytest.raises(AlbedoModelError, match="components"):
        learn_albedo(people, 12)
    with pytest.raises(AlbedoModelError, match="expected"):
        learned.albedo(torch.zeros(1, 4))


def test_pixel_statistics_find_patterns():
    generator = torch.Generator().manual_seed(7)
    pattern = torch.randn(50, 3, generator=generator) * 0.05
    scores = torch.randn(300, 1, 1, generator=generator)
    noise = 0.02 * torch.randn(300, 50, 3, generator=generator)
    found = learn_pixel_statistics(0.01 + scores * pattern + noise, torch.ones(300, 50), 1)
    alike = torch.nn.functional.cosine_similarity(found.patterns.flatten(), pattern.flatten(), 0)
    assert abs(float(alike)) > 0.98
    assert abs(float(found.mean.mean()) - 0.01) < 0.005
    assert abs(float(found.std.mean()) - math.hypot(0.02, 0.01)) < 0.003


@pytest.mark.parametrize("scale", [False, True])
def test_aligned_undoes_motion(scale):
    generator = torch.Generator().manual_seed(9)
    target = torch.randn(2, 30, 3, generator=generator)
    turn = torch.linalg.qr(torch.randn(2, 3, 3, generator=generator))[0]
    turn = turn * torch.det(turn)[:, None, None]
    moved = (target @ turn) * (2.0 if scale else 1.0) + 5
    torch.testing.assert_close(aligned(moved, target, scale=scale), target, atol=1e-4, rtol=1e-4)
    # A reflection is not undone.
    mirrored = target * torch.tensor([-1.0, 1.0, 1.0])
    assert vertex_errors(aligned(mirrored, target, scale=scale), target).mean() > 0.1
