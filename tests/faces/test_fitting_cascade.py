"""The cascade against loops and known values, and what it adds to a fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.fitting import Cascade, FittingConfig, FittingError, FittingPriors, fit_faces
from visage.faces.fitting.albedo_model import AlbedoModel
from visage.faces.fitting.cascade import (
    SIZE,
    CascadeError,
    Regression,
    flipped,
    gradients,
    grid_features,
    point_features,
)
from visage.faces.fitting.cascade_data import FaceWindows, KeptPortraits, Spoiling
from visage.faces.fitting.cascade_learning import CascadeConfig, _fitted, learn_cascade
from visage.faces.fitting.landmarks import LandmarkStatistics
from visage.faces.fitting.mirror import Mirror
from visage.faces.fitting.pixels import PixelStatistics
from visage.faces.fitting.priors import learn_expression
from visage.faces.fitting.regression import (
    Guess,
    RegressionStatistics,
    RegressionStatisticsError,
    RegressionTerm,
    regression_statistics,
)
from visage.faces.fitting.unknowns import moved_camera
from visage.faces.fitting.window import CENTRE, SIDE, WIDTH, Window
from visage.faces.fitting.window_pose import (
    TrackedPoints,
    tracked_vertices,
    window_camera,
    window_pose,
)
from visage.faces.shape import MorphableModel


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel.load()


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.fixture
def camera() -> WeakPerspective:
    return WeakPerspective(
        torch.tensor([[0.05, 0.3, 0.1], [-0.1, -0.2, -0.05]]),
        torch.tensor([[2.0, 0.0], [-3.0, 5.0]]),
        200,
        240,
        scale=torch.tensor([0.8, 0.7]),
    )


@pytest.fixture
def window() -> Window:
    return Window(
        torch.tensor([[110.0, 90.0], [130.0, 101.0]]),
        torch.tensor([0.12, -0.2]),
        torch.tensor([0.7, 0.6]),
        200,
        240,
    )


def _numbers(model, generator, count):
    pose = torch.tensor([0.1, 0.3, 0.05, 5.0, 5.0, 0.05])
    pose = pose * torch.randn(count, 6, generator=generator)
    action = 0.2 * torch.rand(count, 52, generator=generator)
    return torch.cat([model.sample_identity(count, generator), action, pose], 1)


# The window


def test_a_windows_camera_sees_what_the_window_shows(model, camera, window):
    points = model.mean[None, ::50].expand(2, -1, -1)
    through = window.inside(camera.project(points)[..., :2])
    torch.testing.assert_close(
        window.camera_inside(camera).project(points)[..., :2], through, atol=1e-3, rtol=0
    )
    back = window.camera_outside(window.camera_inside(camera))
    for name in ("angles", "translation", "scale"):
        torch.testing.assert_close(getattr(back, name), getattr(camera, name), atol=1e-5, rtol=0)
    assert (back.height, back.width) == (200, 240)


def test_inside_and_outside_are_inverse(window, generator):
    points = 100 * torch.rand(2, 5, 2, generator=generator)
    torch.testing.assert_close(window.outside(window.inside(points)), points, atol=1e-4, rtol=0)


def test_a_window_cuts_out_what_is_inside(window):
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(240.0), indexing="ij")
    ramp = torch.stack([x, y, x - y])[None].expand(2, -1, -1, -1) / 240
    cut = window.cut(ramp)
    assert cut.shape == (2, 3, SIDE, SIDE)
    here = torch.tensor([[[40.0, 70.0], [63.0, 64.0], [80.0, 50.0]]]).expand(2, -1, -1)
    there = window.outside(here) / 240
    for row in range(2):
        for (column, line), place in zip(here[row].long().tolist(), there[row], strict=True):
            torch.testing.assert_close(cut[row, :2, line, column], place, atol=1e-3, rtol=0)


def test_a_window_round_the_mean_face_is_as_wide_as_it_says(model, camera):
    landmarks = camera.project(model.mean[model.landmarks][None].expand(2, -1, -1))[..., :2]
    window = Window.round_faces(model, landmarks, 200, 240)
    inside = window.camera_inside(camera)
    torch.testing.assert_close(inside.scale, torch.full((2,), SIDE / WIDTH), atol=1e-4, rtol=0)
    assert inside.angles[:, 2].abs().max() < 1e-3
    middle = inside.project(torch.tensor(CENTRE).expand(2, 1, 3))[:, 0, :2]
    torch.testing.assert_close(middle, torch.full((2, 2), 63.5), atol=0.05, rtol=0)


def test_a_moved_window(window):
    moved = window.moved(torch.tensor([[3.0, -2.0]]).expand(2, -1), torch.tensor([0.1, 0.0]),
                         torch.tensor([1.0, 1.25]))  # fmt: skip
    there = torch.tensor([[66.5, 61.5]]).expand(2, -1)
    torch.testing.assert_close(window.inside(moved.centre[:, None])[:, 0], there, atol=1e-3, rtol=0)
    torch.testing.assert_close(moved.roll, window.roll + torch.tensor([0.1, 0.0]))
    torch.testing.assert_close(moved.scale, window.scale / torch.tensor([1.0, 1.25]))


# Numbers


def test_window_pose_and_camera_are_inverse(model, generator):
    pose = _numbers(model, generator, 4)[:, -6:]
    torch.testing.assert_close(window_pose(window_camera(pose)), pose, atol=1e-5, rtol=0)


def test_tracked_vertices_are_spread_over_the_head(model):
    chosen = tracked_vertices()
    assert len(chosen.unique()) == len(chosen) == 256
    assert torch.equal(chosen[:51], model.landmarks[17:])
    apart = torch.cdist(model.mean[chosen], model.mean[chosen]) + 1e3 * torch.eye(256)
    assert apart[51:].amin() > 5  # mm
    assert model.regions["torso"][chosen].max() < 0.5


def test_tracked_points_are_the_models(model, generator):
    numbers = _numbers(model, generator, 2)
    vertices = model.vertices(numbers[:, :80], numbers[:, 80:132])[:, tracked_vertices()]
    there = window_camera(numbers[:, -6:]).project(vertices)[..., :2]
    torch.testing.assert_close(TrackedPoints(model)(numbers), there, atol=1e-3, rtol=0)


def test_the_mirror_turns_heads_and_pictures(model, generator):
    mirror, numbers = Mirror.of(model), _numbers(model, generator, 2)
    torch.testing.assert_close(mirror(mirror(numbers)), numbers)
    drawn = torch.unique(model.triangles)
    heads = [model.vertices(some[:, :80]) for some in (numbers, mirror(numbers))]
    turned = heads[0][:, model.mirror] * torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(turned[:, drawn], heads[1][:, drawn], atol=1e-3, rtol=0)
    still = numbers.clone()
    still[:, 80:132] = 0
    seen = [window_camera(some[:, -6:]).project(head)[..., :2]
            for some, head in zip((still, mirror(still)), heads, strict=True)]  # fmt: skip
    across = (SIDE - 1) - seen[0][:, model.mirror][..., 0]
    torch.testing.assert_close(across[:, drawn], seen[1][:, drawn, 0], atol=1e-3, rtol=0)
    torch.testing.assert_close(
        seen[0][:, model.mirror][:, drawn, 1], seen[1][:, drawn, 1], atol=1e-3, rtol=0
    )


def test_facial_actions_have_mirror_images(model):
    mirror = Mirror.of(model)
    turned = model.expression_basis[:, model.mirror] * torch.tensor([-1.0, 1, 1])
    partners = model.expression_basis[mirror.order[80:132] - 80]
    drawn = torch.unique(model.triangles)
    assert (turned - partners)[:, drawn].norm(dim=2).mean(1).max() < 0.05  # mm


# Features


def test_gradients_of_an_edge():
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 32, 32) ** 2  # square roots rise evenly
    across, colours = gradients(ramp)
    down, _ = gradients(ramp.mT)
    inner = slice(2, -2)
    assert (across[0, 0, inner, inner] - 2 / 31).abs().max() < 1e-4
    assert across[0, 1:, inner, inner].abs().max() < 1e-4
    assert (down[0, 4, inner, inner] - 2 / 31).abs().max() < 1e-4
    assert colours[0, 0, 3, 4] == pytest.approx(8.5 / 31, abs=1e-4)


def test_gradients_match_a_loop(generator):
    windows = torch.rand(1, 3, 12, 12, generator=generator)
    found, _ = gradients(windows)
    roots = windows[0].sqrt().numpy()
    for row, column in ((1, 2), (4, 1), (3, 4)):
        expected = np.zeros(8)
        for y, x in ((2 * row + i, 2 * column + j) for i in (0, 1) for j in (0, 1)):
            right = roots[:, y, x + 1] - roots[:, y, x - 1]
            down = roots[:, y + 1, x] - roots[:, y - 1, x]
            channel = np.argmax(right**2 + down**2)
            angle = np.arctan2(down[channel], right[channel]) % np.pi / np.pi * 8
            length = np.hypot(right[channel], down[channel]) / 4
            expected[int(angle) % 8] += length * (1 - angle % 1)
            expected[(int(angle) + 1) % 8] += length * (angle % 1)
        np.testing.assert_allclose(found[0, :, row, column].numpy(), expected, atol=1e-5)


def test_features_do_not_depend_on_the_brightness(generator):
    windows = 0.2 + 0.5 * torch.rand(1, 3, SIDE, SIDE, generator=generator)
    points = torch.tensor([[[40.0, 50.0], [70.0, 80.0]]])
    bright, dark = (point_features(factor * windows, points).unflatten(1, (19, 2))
                    for factor in (1.0, 0.5))  # fmt: skip
    torch.testing.assert_close(bright[:, :16], dark[:, :16], atol=0.02, rtol=0.02)
    assert grid_features(windows).shape == (1, 2816)


def test_point_features_move_with_the_picture(generator):
    windows = torch.rand(1, 3, SIDE, SIDE, generator=generator)
    points = torch.tensor([[[50.0, 60.0], [70.0, 66.0], [60.0, 80.0]]])
    moved = point_features(windows.roll((4, -6), (2, 3)), points + torch.tensor([-6.0, 4.0]))
    torch.testing.assert_close(moved, point_features(windows, points), atol=1e-5, rtol=0)


# The cascade


def _still(numbers: torch.Tensor, features: int) -> Regression:
    return Regression(torch.zeros(features), torch.zeros(features, SIZE), numbers)


def test_a_cascade_mirrors_faces_that_look_to_the_left(model, generator):
    first = 0.01 * torch.randn(2816, SIZE, generator=generator)
    later = 0.001 * torch.randn(19 * 256, SIZE, generator=generator)
    first[:, 81:], later[:, 81:] = 0, 0
    left = torch.zeros(SIZE)
    left[133] = -0.3
    cascade = Cascade((Regression(torch.zeros(2816), first, left),
                       Regression(torch.zeros(19 * 256), later, torch.zeros(SIZE))))  # fmt: skip
    windows = torch.rand(1, 3, SIDE, SIDE, generator=generator)
    guess, mirrored = cascade.guess(model, windows)
    assert mirrored.all()
    mirror, points = Mirror.of(model), TrackedPoints(model)
    start = mirror(cascade.stages[0](grid_features(windows)))
    end = start + cascade.stages[1](point_features(windows.flip(3), points(start)))
    torch.testing.assert_close(guess, mirror(end))
    assert cascade.guess(model, windows, stages=1)[0][0, 133] == pytest.approx(-0.3)


def test_a_cascade_survives_its_file(model, generator):
    stages = tuple(_still(torch.randn(SIZE, generator=generator), n) for n in (2816, 4864))
    kept = Cascade(stages).tensors()
    for one, other in zip(stages, Cascade.of_tensors(kept).stages, strict=True):
        assert torch.equal(one.offset, other.offset)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (3, SIDE, SIDE), (1, 1, SIDE, SIDE)])
def test_a_cascade_refuses_other_shapes(model, shape):
    with pytest.raises(CascadeError, match="expected"):
        Cascade((_still(torch.zeros(SIZE), 2816),)).guess(model, torch.zeros(shape))


def test_flipped_only_where_asked(generator):
    windows = torch.rand(2, 3, 4, 4, generator=generator)
    found = flipped(windows, torch.tensor([True, False]))
    assert torch.equal(found[0], windows[0].flip(2))
    assert torch.equal(found[1], windows[1])


def test_ridge_regression_solves_its_normal_equations(generator):
    features = torch.randn(40, 7, generator=generator) * torch.tensor([1.0, 2, 3, 1, 1, 5, 1])
    target = torch.randn(40, 3, generator=generator)
    spread = features.std(0) + 1e-3 * features.std()
    scaled = (features - features.mean(0)) / spread
    matrix = scaled.T @ scaled + 0.5 * 40 * torch.eye(7)
    # The halves' right-hand sides are of the target without the mean of all.
    weights = torch.linalg.solve(matrix, scaled.T @ (target - target.mean(0)))
    expected = scaled @ weights + target.mean(0)
    found, guess = _fitted(features.clone(), target, 0.5)
    torch.testing.assert_close(found(features), expected, atol=1e-4, rtol=0)
    even = scaled[::2]
    half = torch.linalg.solve(
        even.T @ even + 0.5 * 20 * torch.eye(7), even.T @ (target[::2] - target.mean(0))
    )
    torch.testing.assert_close(guess[1::2], scaled[1::2] @ half + target.mean(0), atol=1e-4, rtol=0)


class _Coloured:
    """Faces whose first numbers are the colours of the window."""

    def __init__(self, model: MorphableModel):
        self.model = model

    def __len__(self) -> int:
        return 64

    def batch(self, indices):
        generator = torch.Generator().manual_seed(indices[0])
        colours = 0.2 + 0.6 * torch.rand(len(indices), 3, 1, 1, generator=generator)
        numbers = torch.zeros(len(indices), SIZE)
        numbers[:, :3] = colours[..., 0, 0].sqrt()
        numbers[:, 133] = 0.2
        return colours.expand(-1, -1, SIDE, SIDE), numbers


def test_a_cascade_learns_what_can_be_seen(model):
    cascade = learn_cascade(_Coloured(model), CascadeConfig(stages=1, grid_ridge=0.1))
    windows, numbers = _Coloured(model).batch(range(100, 110))
    found, mirrored = cascade.guess(model, windows)
    assert not mirrored.any()
    torch.testing.assert_close(found[:, :3], numbers[:, :3], atol=0.01, rtol=0)


def test_a_cascade_of_too_few_is_refused(model):
    class Few(_Coloured):
        def __len__(self) -> int:
            return 8

    with pytest.raises(CascadeError, match="at least 64"):
        learn_cascade(Few(model))


# Its data


@pytest.fixture
def kept(tmp_path, model, generator) -> KeptPortraits:
    """Two people whose pictures are noise."""
    kept = KeptPortraits(tmp_path, 0, 2)
    numbers = _numbers(model, generator, 2)
    kept.images[:] = torch.randint(256, kept.images.shape, generator=generator).numpy()
    answers = [numbers[:, :132], torch.tensor([[0.0, 0.2, 0.0], [0.1, -0.3, 0.0]]),
               torch.zeros(2, 2), torch.full((2, 1), 0.6)]  # fmt: skip
    kept.answers[:] = torch.cat(answers, 1).numpy()
    kept.drawn[:] = True
    return kept


def test_kept_portraits_are_read_again(kept, tmp_path):
    again = KeptPortraits(tmp_path, 0, 2).rows([1])
    images, shape, camera = kept.rows([1])
    assert torch.equal(images, again[0])
    assert torch.equal(shape, again[1])
    assert camera.angles[0, 1] == pytest.approx(-0.3)


def test_windows_depend_on_their_number_only(kept):
    faces = FaceWindows(kept, seed=5)
    both, numbers = faces.batch([0, 1])
    alone, number = faces.batch([1])
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=0)
    torch.testing.assert_close(numbers[1:], number, atol=1e-4, rtol=0)
    other = FaceWindows(kept, seed=6).batch([1])[1]
    assert not torch.allclose(number[:, -6:], other[:, -6:], atol=1e-3)
    assert torch.equal(number[:, :132], other[:, :132])


def test_unspoilt_windows_are_those_of_the_landmarks(kept, model):
    still = Spoiling(0, 0, 0, 0, 0, 0, 0, 0, 0)
    windows, numbers = FaceWindows(kept, 0, still).batch([0])
    images, shape, camera = kept.rows([0])
    vertices = model.vertices(shape[:, :80], shape[:, 80:])
    landmarks = camera.project(vertices[:, model.landmark_vertices(camera.angles[:, 1])[0]])
    window = Window.round_faces(model, landmarks[..., :2], *images.shape[2:])
    torch.testing.assert_close(windows, window.cut(images), atol=1e-4, rtol=0)
    expected = window_pose(window.camera_inside(camera))
    torch.testing.assert_close(numbers[:, -6:], expected, atol=1e-3, rtol=0)


# What it is worth in a fit


def _guess(model, camera, window, generator) -> tuple[Guess, torch.Tensor]:
    shape = _numbers(model, generator, 2)[:, :132]
    numbers = torch.cat([shape, window_pose(window.camera_inside(camera))], 1)
    return Guess(numbers, torch.tensor([False, True]), window), shape


def test_a_guess_knows_its_camera(model, camera, window, generator):
    guess, shape = _guess(model, camera, window, generator)
    assert torch.equal(guess.shape, shape)
    torch.testing.assert_close(guess.camera.angles, camera.angles, atol=1e-5, rtol=0)
    torch.testing.assert_close(guess.camera.translation, camera.translation, atol=1e-4, rtol=0)


def test_statistics_are_those_of_mirrored_errors(model, camera, window, generator):
    guess, shape = _guess(model, camera, window, generator)
    mirror = Mirror.of(model)
    off = 0.1 * torch.randn(2, SIZE, generator=generator)
    guess = replace(guess, numbers=guess.numbers - off)
    found = regression_statistics(guess, shape, camera, mirror, shrinkage=1.0)
    errors = torch.stack([off[0], mirror(off[1])])
    torch.testing.assert_close(found.mean, errors.mean(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.covariance.diagonal(), errors.var(0), atol=1e-4, rtol=0)
    with pytest.raises(RegressionStatisticsError, match="as many"):
        regression_statistics(guess, shape[:1], camera, mirror)


def test_the_term_is_the_gaussian_and_its_derivative(model, camera, window, generator):
    guess, shape = _guess(model, camera, window, generator)
    factor = torch.eye(SIZE) + 0.05 * torch.randn(SIZE, SIZE, generator=generator)
    bias = 0.1 * torch.randn(SIZE, generator=generator)
    statistics, mirror = RegressionStatistics(bias, factor @ factor.T), Mirror.of(model)
    term = RegressionTerm(guess, statistics, mirror)
    shape = shape + 0.1
    matrix, right, cost = term(shape, camera)
    for row in range(2):
        away = torch.cat([shape[row], guess.numbers[row, 132:]]) - guess.numbers[row]
        away = -mirror(away) if guess.mirrored[row] else -away
        away = away + bias
        expected = away @ torch.linalg.solve(statistics.covariance, away)
        assert cost[row] == pytest.approx(float(expected), rel=1e-3)
    # The cost falls along the right-hand side as its first and second derivatives say.
    step = 0.02 * torch.randn(2, SIZE, generator=generator)
    step[:, 132:] *= torch.tensor([0.3, 0.3, 0.3, 1, 1, 0.3])
    after = term(shape + step[:, :132], moved_camera(camera, step[:, 132:]))[2]
    change = -2 * (right * step).sum(1) + (step[:, None] @ matrix @ step[..., None])[:, 0, 0]
    torch.testing.assert_close(after - cost, change, atol=0.02, rtol=0.02)


@pytest.fixture(scope="module")
def priors(model) -> FittingPriors:
    generator = torch.Generator().manual_seed(1)
    count = len(model.mean)
    albedo = AlbedoModel(torch.full((count, 3), -1.0), torch.full((1, count, 3), 0.1),
                         torch.zeros(count))  # fmt: skip
    return FittingPriors(
        albedo,
        learn_expression(0.2 * torch.rand(200, 52, generator=generator)),
        LandmarkStatistics(torch.zeros(68, 2), torch.eye(136)),
        PixelStatistics.even(50, 0.02),
        RegressionStatistics(torch.zeros(SIZE), 1e-4 * torch.eye(SIZE)),
    )


def test_a_fit_believes_a_sure_cascade(model, priors, camera, generator):
    numbers = _numbers(model, generator, 1)[0]
    numbers[132:] = torch.tensor([0.0, 0.1, 0.0, 0.0, 0.0, 0.0])
    cascade = Cascade((_still(numbers, 2816),))
    landmarks = camera.project(model.mean[model.landmarks][None].expand(2, -1, -1))[:1, :, :2]
    config = FittingConfig(
        pixel_weights=(), blur=(), steps=(), landmark_steps=4, landmark_weight=1e-6
    )
    images = torch.zeros(1, 3, 200, 240)
    fit = fit_faces(images, landmarks, model, priors, config, cascade)
    torch.testing.assert_close(fit.identity[0], numbers[:80], atol=0.05, rtol=0)
    torch.testing.assert_close(fit.expression[0], numbers[80:132], atol=0.02, rtol=0)
    alone = fit_faces(images, landmarks, model, priors, config)
    assert alone.identity.norm() < 0.2 * fit.identity.norm()
    with pytest.raises(FittingError, match="do not know the cascade"):
        fit_faces(images, landmarks, model, replace(priors, regression=None), config, cascade)


def test_priors_survive_their_file(model, priors):
    found = FittingPriors.of_tensors({name: some.half().float() if some.ndim > 1 else some
                                      for name, some in priors.tensors().items()})  # fmt: skip
    torch.testing.assert_close(found.expression.precision, priors.expression.precision,
                               atol=0.5, rtol=0.02)  # fmt: skip
    torch.testing.assert_close(found.regression.covariance, priors.regression.covariance,
                               atol=1e-4, rtol=1e-2)  # fmt: skip
    torch.testing.assert_close(found.landmarks.covariance, priors.landmarks.covariance)
    assert FittingPriors.of_tensors(replace(priors, regression=None).tensors()).regression is None
