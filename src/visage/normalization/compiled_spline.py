"""The compiled loops of a spline on a picture's pixels: numba on the CPU, in float32.

Nothing here checks its input: `visage.normalization.radial` does, and holds the same in plain torch
for other types, devices and places. One pass over a row of pixels serves four points (two on the
way back), so that the row is loaded and stored less often, and stays in the fastest cache. Sums may
be taken in any order (`fastmath`), as vector instructions do, which changes their last digits.

A squared distance never is zero: `_NOTHING` is added, too little to change any other. Slopes φ′/r
stay finite so, and times the zero offset from the point itself they are zero.
"""

import numpy as np
from numba import njit

FOUR = 4
"""Points at a time; arrays of points are filled up to a multiple of it, with weights of zero."""

_NOTHING = np.float32(1e-30)
_HALF, _ONE = np.float32(0.5), np.float32(1)
_FAST = {"contract", "reassoc", "nsz", "arcp"}

# log(1 + m) = m − m²/2 + m³ P(m) for 1 + m within √½ and √2: P after Moshier's Cephes library.
_P = tuple(
    np.float32(c)
    for c in (
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )
)  # fmt: skip
_LOG_2 = np.float32(0.6931471805599453)
_ROOT_HALF = np.int32(0x3F3504F3)  # the bits of √½
_MANTISSA = np.int32(23)  # bits


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def sum_on_grid(points, weights, x, y, thin, result):
    """Write Σ_i w_i φ(‖q − p_i‖) at all pixels q = (x, y).

    Args:
        points: (B, n, 2) float32, n a multiple of `FOUR`.
        weights: (B, n, 2) float32, for two values, which share the distances.
        x: (B, W) float32, of the columns.
        y: (B, H) float32, of the rows.
        thin: φ_2(r) = r² log r; else φ_1(r) = r.
        result: (B, 2, H, W) float32, zeros; overwritten.
    """
    for item in range(len(points)):
        for row in range(y.shape[1]):
            first, second = result[item, 0, row], result[item, 1, row]
            for k in range(0, points.shape[1], FOUR):
                p, w = points[item, k : k + FOUR], weights[item, k : k + FOUR]
                if thin:
                    _add_thin(p, w, x[item], y[item, row], first, second)
                else:
                    _add_lengths(p, w, x[item], y[item, row], first, second)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def sum_on_grid_backward(points, weights, x, y, thin, gradient, to_points, to_weights):
    """Add the derivatives along `gradient` (B, 2, H, W) of `sum_on_grid` to (B, n, 2) float64.

    With g the gradient at q: ∂/∂w_i = Σ_q φ g, and ∂/∂p_i = Σ_q (φ′/r) (w_i·g) (p_i − q).
    """
    sums = np.empty((2, 4), np.float32)  # of a row: φ g_1, φ g_2, (φ′/r) w·g, the same times x
    for item in range(len(points)):
        for row in range(y.shape[1]):
            first, second = gradient[item, 0, row], gradient[item, 1, row]
            for k in range(0, points.shape[1], 2):
                p, w = points[item, k : k + 2], weights[item, k : k + 2]
                if thin:
                    _gather_thin(p, w, x[item], y[item, row], first, second, sums)
                else:
                    _gather_lengths(p, w, x[item], y[item, row], first, second, sums)
                for i in range(2):
                    to_weights[item, k + i, 0] += sums[i, 0]
                    to_weights[item, k + i, 1] += sums[i, 1]
                    to_points[item, k + i, 0] += sums[i, 3]
                    to_points[item, k + i, 1] += sums[i, 2] * (p[i, 1] - y[item, row])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _add_lengths(p, w, x, y, first, second):
    (a, b, c, d), (ya, yb, yc, yd), (ua, ub, uc, ud), (va, vb, vc, vd) = _read(p, w, y)
    for i in range(len(x)):
        ra, rb = np.sqrt((x[i] - a) ** 2 + ya), np.sqrt((x[i] - b) ** 2 + yb)
        rc, rd = np.sqrt((x[i] - c) ** 2 + yc), np.sqrt((x[i] - d) ** 2 + yd)
        first[i] += ua * ra + ub * rb + uc * rc + ud * rd
        second[i] += va * ra + vb * rb + vc * rc + vd * rd


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _add_thin(p, w, x, y, first, second):
    (a, b, c, d), (ya, yb, yc, yd), (ua, ub, uc, ud), (va, vb, vc, vd) = _read(p, w, y)
    for i in range(len(x)):
        sa, sb = (x[i] - a) ** 2 + ya, (x[i] - b) ** 2 + yb
        sc, sd = (x[i] - c) ** 2 + yc, (x[i] - d) ** 2 + yd
        sa, sb = _HALF * sa * _log(sa), _HALF * sb * _log(sb)
        sc, sd = _HALF * sc * _log(sc), _HALF * sd * _log(sd)
        first[i] += ua * sa + ub * sb + uc * sc + ud * sd
        second[i] += va * sa + vb * sb + vc * sc + vd * sd


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _gather_lengths(p, w, x, y, first, second, sums):
    a, b = (p[0, 1] - y) ** 2 + _NOTHING, (p[1, 1] - y) ** 2 + _NOTHING
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    for i in range(len(x)):
        u, v = first[i], second[i]
        da, db = p[0, 0] - x[i], p[1, 0] - x[i]
        sa, sb = da * da + a, db * db + b
        ha, hb = _ONE / np.sqrt(sa), _ONE / np.sqrt(sb)
        ra, rb = sa * ha, sb * hb
        ta, tb = ha * (w[0, 0] * u + w[0, 1] * v), hb * (w[1, 0] * u + w[1, 1] * v)
        a0, a1, a2, a3 = a0 + ra * u, a1 + ra * v, a2 + ta, a3 + ta * da
        b0, b1, b2, b3 = b0 + rb * u, b1 + rb * v, b2 + tb, b3 + tb * db
    sums[0, 0], sums[0, 1], sums[0, 2], sums[0, 3] = a0, a1, a2, a3
    sums[1, 0], sums[1, 1], sums[1, 2], sums[1, 3] = b0, b1, b2, b3


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _gather_thin(p, w, x, y, first, second, sums):
    a, b = (p[0, 1] - y) ** 2 + _NOTHING, (p[1, 1] - y) ** 2 + _NOTHING
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    for i in range(len(x)):
        u, v = first[i], second[i]
        da, db = p[0, 0] - x[i], p[1, 0] - x[i]
        sa, sb = da * da + a, db * db + b
        la, lb = _log(sa), _log(sb)
        ra, rb = _HALF * sa * la, _HALF * sb * lb
        ta = (la + _ONE) * (w[0, 0] * u + w[0, 1] * v)
        tb = (lb + _ONE) * (w[1, 0] * u + w[1, 1] * v)
        a0, a1, a2, a3 = a0 + ra * u, a1 + ra * v, a2 + ta, a3 + ta * da
        b0, b1, b2, b3 = b0 + rb * u, b1 + rb * v, b2 + tb, b3 + tb * db
    sums[0, 0], sums[0, 1], sums[0, 2], sums[0, 3] = a0, a1, a2, a3
    sums[1, 0], sums[1, 1], sums[1, 2], sums[1, 3] = b0, b1, b2, b3


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _read(p, w, y):
    """Of four points: x, the squared distance to the row, and the weights for either value.

    As local numbers: what stays in an array is loaded again after every store.
    """
    a, b, c, d = p[0, 1] - y, p[1, 1] - y, p[2, 1] - y, p[3, 1] - y
    return (
        (p[0, 0], p[1, 0], p[2, 0], p[3, 0]),
        (a * a + _NOTHING, b * b + _NOTHING, c * c + _NOTHING, d * d + _NOTHING),
        (w[0, 0], w[1, 0], w[2, 0], w[3, 0]),
        (w[0, 1], w[1, 1], w[2, 1], w[3, 1]),
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _log(s):
    """The natural logarithm of a positive float32, in steps that vector instructions can do."""
    bits = np.float32(s).view(np.int32)
    power = np.int32(np.int32(bits - _ROOT_HALF) >> _MANTISSA)
    reduced = np.int32(bits - np.int32(power << _MANTISSA))
    m = np.int32(reduced).view(np.float32) - _ONE
    series = _P[0]
    series = series * m + _P[1]
    series = series * m + _P[2]
    series = series * m + _P[3]
    series = series * m + _P[4]
    series = series * m + _P[5]
    series = series * m + _P[6]
    series = series * m + _P[7]
    series = series * m + _P[8]
    square = m * m
    return m + square * (m * series - _HALF) + np.float32(power) * _LOG_2
