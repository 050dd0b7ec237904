import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.faces.subdivision import catmull_clark

CUBE = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
)
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def grid(rows, columns):
    index = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1)
    y, x = np.indices(index.shape)
    return quads.reshape(-1, 4), np.stack([x, y, 0 * x], -1).reshape(-1, 3).astype(float)


def naive(quads, points):
    """Catmull and Clark's rules, one point at a time."""
    faces = [points[q].mean(0) for q in quads]
    edges = {}
    for f, q in enumerate(quads):
        for a, b in zip(q, np.roll(q, -1), strict=True):
            edges.setdefault(frozenset((int(a), int(b))), []).append(f)
    border = [e for e, f in edges.items() if len(f) == 1]
    fresh = []
    for v, p in enumerate(points):
        around = [f for f, q in enumerate(quads) if v in q]
        touching = [e for e in edges if v in e]
        on_border = [e for e in border if v in e]
        n = len(around)
        if not on_border:
            mean_face = np.mean([faces[f] for f in around], 0)
            mean_middle = np.mean([points[list(e)].mean(0) for e in touching], 0)
            fresh.append((mean_face + 2 * mean_middle + (n - 3) * p) / n)
        elif n == 1:
            fresh.append(p)
        else:
            others = [points[next(iter(e - {v}))] for e in on_border]
            fresh.append((6 * p + sum(others)) / 8)
    middles = {}
    for e, f in edges.items():
        middle = points[sorted(e)].mean(0)
        smooth = (middle + np.mean([faces[i] for i in f], 0)) / 2
        middles[tuple(sorted(e))] = smooth if len(f) == 2 else middle
    return np.array(fresh), middles, np.array(faces)


@pytest.mark.parametrize("mesh", [(CUBE, CORNERS), grid(3, 4)])
def test_agrees_with_the_rules_taken_one_by_one(mesh):
    quads, points = mesh
    points = points + np.random.default_rng(0).normal(size=points.shape)
    step = catmull_clark(quads, len(points))
    fresh, middles, faces = naive(quads, points)
    got = step.matrix @ points
    np.testing.assert_allclose(got[: len(points)], fresh, atol=1e-12)
    ordered = np.array([middles[key] for key in sorted(middles)])
    np.testing.assert_allclose(got[len(points) : len(points) + len(ordered)], ordered, atol=1e-12)
    np.testing.assert_allclose(got[len(points) + len(ordered) :], faces, atol=1e-12)


def test_a_cube_becomes_round():
    step = catmull_clark(CUBE, 8)
    points = step.matrix @ CORNERS
    np.testing.assert_allclose(np.abs(points[:8]), 5 / 9)  # known limit of one step
    assert step.quads.shape == (24, 4)


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), seed=st.integers(0, 99))
def test_any_affine_map_commutes(rows, columns, seed):
    quads, points = grid(rows, columns)
    random = np.random.default_rng(seed)
    turn, shift = random.normal(size=(3, 3)), random.normal(size=3)
    matrix = catmull_clark(quads, len(points)).matrix
    np.testing.assert_allclose(
        matrix @ (points @ turn + shift), (matrix @ points) @ turn + shift, atol=1e-9
    )
    np.testing.assert_allclose(matrix.sum(1), 1)


def test_small_quads_cover_the_large_one_in_the_same_sense():
    quads, points = grid(2, 2)
    step = catmull_clark(quads, len(points), smooth=False)
    fresh = step.matrix @ points
    a, b, c, d = (fresh[step.quads[:, k], :2] for k in range(4))
    area = ((c - a)[:, 0] * (d - b)[:, 1] - (c - a)[:, 1] * (d - b)[:, 0]) / 2
    np.testing.assert_allclose(area, 1 / 4)
    np.testing.assert_allclose(fresh[: len(points)], points)  # not smooth: nothing moves
    assert (step.quads[:, 0] == quads.ravel()).all()


def test_two_fans_that_meet_in_a_vertex_keep_it():
    quads = np.array([[0, 1, 2, 3], [2, 4, 5, 6]])
    points = np.random.default_rng(0).normal(size=(7, 3))
    fresh = catmull_clark(quads, 7).matrix @ points
    np.testing.assert_allclose(fresh[2], points[2])


@pytest.mark.parametrize("quads", [np.zeros((2, 3), int), np.array([[0, 1, 2, 9]])])
def test_bad_quads_are_refused(quads):
    with pytest.raises(ValueError, match="quads"):
        catmull_clark(quads, 4)
