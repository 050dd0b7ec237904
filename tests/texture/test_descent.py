"""L-BFGS on functions whose minima are known."""

import math

import torch

from visage.texture.descent import begin, step


def quadratic(point):
    """An elongated bowl with its lowest point at 1, 2, ..., 20."""
    scales = torch.logspace(0, 3, 20, dtype=torch.float64)
    away = point - torch.arange(1.0, 21.0, dtype=torch.float64)
    return float(0.5 * (scales * away * away).sum()), scales * away, {}


def rosenbrock(point):
    x, y = point.tolist()
    value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
    gradient = point.new_tensor([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
    return value, gradient, {"value": value}


def run(function, start, steps, **options):
    states = [begin(function, start)]
    for _ in range(steps):
        states.append(step(function, states[-1], **options))
    return states


def test_finds_the_bottom_of_a_bowl():
    end = run(quadratic, torch.zeros(20, dtype=torch.float64), 120, history=20)[-1]
    torch.testing.assert_close(
        end.point, torch.arange(1.0, 21.0, dtype=torch.float64), rtol=0, atol=1e-4
    )


def test_finds_the_end_of_rosenbrocks_valley():
    end = run(rosenbrock, torch.tensor([-1.2, 1.0], dtype=torch.float64), 60)[-1]
    assert end.value < 1e-12
    torch.testing.assert_close(end.point, torch.ones(2, dtype=torch.float64))


def test_about_as_good_as_torchs_with_as_many_evaluations():
    states = run(quadratic, torch.zeros(20, dtype=torch.float64), 40)
    x = torch.zeros(20, dtype=torch.float64, requires_grad=True)

    def closure():
        value, x.grad, _ = quadratic(x.detach())
        return value

    torch.optim.LBFGS([x], max_iter=100, max_eval=states[-1].evaluations, history_size=10,
                      line_search_fn="strong_wolfe").step(closure)  # fmt: skip
    assert states[-1].value <= 4 * quadratic(x.detach())[0] + 1e-6


def test_never_rises_and_counts():
    calls = []

    def counted(point):
        calls.append(point)
        return rosenbrock(point)

    states = run(counted, torch.tensor([-1.2, 1.0], dtype=torch.float64), 25, history=3)
    values = [state.value for state in states]
    assert values == sorted(values, reverse=True)
    assert states[-1].evaluations == len(calls)
    assert states[-1].steps == 25
    assert len(states[-1].moves) == 3
    assert states[-1].terms == {"value": states[-1].value}


def test_the_first_try_is_as_long_as_asked():
    points = []

    def noted(point):
        points.append(point)
        return quadratic(point)

    start = torch.zeros(20, dtype=torch.float64)
    step(noted, begin(noted, start), first=1e-3)
    assert math.isclose(float((points[1] - start).abs().max()), 1e-3, rel_tol=1e-9)


def test_goes_on_until_the_slope_is_less():
    start = torch.zeros(20, dtype=torch.float64)
    before = begin(quadratic, start)
    after = step(quadratic, before, first=1e-4)
    move = after.point - start
    assert float(after.gradient @ move) >= 0.9 * float(before.gradient @ move)


def test_stops_where_it_is_flat():
    bottom = torch.arange(1.0, 21.0, dtype=torch.float64)
    state = step(quadratic, begin(quadratic, bottom))
    assert state.stuck
    assert step(quadratic, state) is state


def test_survives_values_that_are_not_finite():
    def walled(point):
        value, gradient, terms = rosenbrock(point)
        return (math.nan if float(point[0]) > 0.5 else value), gradient, terms

    end = run(walled, torch.tensor([-1.2, 1.0], dtype=torch.float64), 40)[-1]
    assert math.isfinite(end.value)
    assert 0.2 < float(end.point[0]) <= 0.5


def test_gives_up_when_nothing_goes_down():
    def lying(point):
        return float(point.square().sum()), -2 * point, {}

    state = step(lying, begin(lying, torch.ones(3)))
    assert state.stuck
    assert state.evaluations > 1
    torch.testing.assert_close(state.point, torch.ones(3))
