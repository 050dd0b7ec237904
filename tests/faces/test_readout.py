import numpy as np
import pytest

from visage.faces.readout import fit_ridge, r_squared


def test_a_linear_law_is_found():
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 5))
    weights = np.array([1.0, -2, 0, 0.5, 3])
    fitted = fit_ridge(x, x @ weights + 7)
    np.testing.assert_allclose(fitted.weights, weights, atol=1e-3)
    assert fitted.offset == pytest.approx(7, abs=1e-3)
    assert r_squared(fitted.predict(x), x @ weights + 7) > 0.9999


def test_noise_is_not_learnt():
    """With more features than people, held-out people decide the shrinkage."""
    random = np.random.default_rng(1)
    x, y = random.normal(size=(60, 80)), random.normal(size=60)
    fitted = fit_ridge(x, y)
    fresh = random.normal(size=(500, 80))
    assert np.std(fitted.predict(fresh)) < 0.5
    assert fitted.ridge > 1


def test_r_squared_of_the_mean_is_zero():
    y = np.array([1.0, 2, 3, 6])
    assert r_squared(np.full(4, y.mean()), y) == 0
    assert r_squared(y, y) == 1
    assert r_squared(-y, y) < 0


def test_bad_shapes():
    with pytest.raises(ValueError, match="expected"):
        fit_ridge(np.zeros((20, 3)), np.zeros(19))
    with pytest.raises(ValueError, match="at least 10"):
        fit_ridge(np.zeros((9, 3)), np.zeros(9))
