"""One Catmull-Clark step of a quad mesh as a sparse matrix.

Catmull and Clark (1978), "Recursively generated B-spline surfaces on arbitrary topological
meshes". The new points are linear in the old ones, so a step is a matrix that smooths a mean
head, each of its modes, or a mask, all with the same numbers. Old vertices keep their indices;
edge points follow, then face points.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Subdivision:
    """A step: which new points, and which new quads."""

    matrix: sp.csr_matrix  # (V', V), rows sum to one
    quads: np.ndarray  # (4 Q, 4); quad i becomes 4 i to 4 i + 3, each starting at its corner


def catmull_clark(quads: np.ndarray, vertices: int, *, smooth: bool = True) -> Subdivision:
    """Subdivide a quad mesh once.

    With f the face points (means of four corners) and m the edges' midpoints, an edge point is
    (m + mean of its two f)/2, and a vertex v of n faces becomes (mean f + 2 mean m + (n - 3) v)/n.
    On a border the curve is a cubic B-spline: midpoints, and (6 v + its two neighbours)/8. A
    border vertex of one face only, or where borders meet, stays where it is.

    Args:
        quads: (Q, 4) integers, corners in order round each face.
        vertices: how many vertices there are; unused ones stay.
        smooth: False splits the faces without moving anything, as texture coordinates need.

    Raises:
        ValueError: quads are not (Q, 4) indices below `vertices`.

    >>> square = catmull_clark(np.array([[0, 1, 2, 3]]), 4)
    >>> square.matrix.shape, square.quads.tolist()[0]
    ((9, 4), [0, 4, 8, 5])
    """
    quads = np.asarray(quads, dtype=np.int64)
    if quads.ndim != 2 or quads.shape[1] != 4:
        raise ValueError(f"quads are {quads.shape}; expected (Q, 4) vertex indices")
    if quads.size and (quads.min() < 0 or quads.max() >= vertices):
        raise ValueError(
            f"quads name vertices {quads.min()} to {quads.max()}, but there are {vertices}"
        )
    count = len(quads)
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], -1).reshape(-1, 2)
    edges, side_edge, shared = np.unique(
        np.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    side_edge = side_edge.reshape(count, 4)
    face = _rows(np.repeat(np.arange(count), 4), quads.ravel(), (count, vertices), 1 / 4)
    edge_index = np.repeat(np.arange(len(edges)), 2)
    middle = _rows(edge_index, edges.ravel(), (len(edges), vertices), 1 / 2)
    if smooth:
        edge = _edge_points(middle, face, side_edge, shared == 2)
        vertex = _vertex_points(middle, face, quads, edges, shared == 2, vertices)
    else:
        edge, vertex = middle, sp.identity(vertices, format="csr")
    after, before = vertices + side_edge, vertices + np.roll(side_edge, 1, axis=1)
    centre = np.broadcast_to(vertices + len(edges) + np.arange(count)[:, None], (count, 4))
    fresh = np.stack([quads, after, centre, before], -1).reshape(-1, 4)
    return Subdivision(sp.vstack([vertex, edge, face], format="csr"), fresh)


def _rows(row, column, shape, value) -> sp.csr_matrix:
    return sp.csr_matrix((np.full(len(row), value), (row, column)), shape)


def _edge_points(middle, face, side_edge, inner) -> sp.csr_matrix:
    """Half the midpoint and a quarter of each face point; the midpoint itself on a border."""
    faces = np.repeat(np.arange(len(side_edge)), 4)
    touching = _rows(side_edge.ravel(), faces, (len(inner), len(side_edge)), 1 / 2)
    smooth = (middle + touching @ face) / 2
    return sp.diags(inner.astype(float)) @ smooth + sp.diags((~inner).astype(float)) @ middle


def _vertex_points(middle, face, quads, edges, inner, vertices) -> sp.csr_matrix:
    """The rule for vertices: inside, on a border, and fixed."""
    identity = sp.identity(vertices, format="csr")
    corner = _rows(quads.ravel(), np.repeat(np.arange(len(quads)), 4), (vertices, len(quads)), 1.0)
    end = _rows(edges.ravel(), np.repeat(np.arange(len(edges)), 2), (vertices, len(edges)), 1.0)
    n = np.maximum(np.asarray(corner.sum(1)).ravel(), 1)
    ends = np.asarray(end.sum(1)).ravel()
    within = (
        sp.diags(1 / n**2) @ (corner @ face)
        + sp.diags(2 / (n * np.maximum(ends, 1))) @ (end @ middle)
        + sp.diags((n - 3) / n)
    )
    border = end @ sp.diags((~inner).astype(float))
    borders = np.asarray(border.sum(1)).ravel()
    # Each midpoint is half the vertex itself: a quarter of two of them brings v to 6/8.
    along = identity / 2 + (border @ middle) / 4
    inside = (borders == 0) & (ends > 0)
    on_border = (borders == 2) & (n > 1)
    return (
        sp.diags(inside.astype(float)) @ within
        + sp.diags(on_border.astype(float)) @ along
        + sp.diags((~inside & ~on_border).astype(float))
    )
