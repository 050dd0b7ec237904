"""The file that the morphable model is read from, at either level of subdivision.

`face_world.npz` is built by `tools/build_face_world.py` from CC0 assets; `assets/PROVENANCE.md`
says which, and what each array holds.
"""

import lzma
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from visage.faces.subdivision import catmull_clark

ASSET = Path(__file__).parent / "assets" / "face_world.npz"


class FaceShapeError(ValueError):
    """Coefficients or names that the model does not have, or an asset that cannot be read."""


@dataclass(frozen=True)
class Level:
    """The model's mesh and everything that varies over it."""

    mean: np.ndarray  # (V, 3) mm
    identity: np.ndarray  # (K, V, 3) mm per standard deviation
    expression: np.ndarray  # (E, V, 3) mm
    regions: np.ndarray  # (R, V) in [0, 1]
    occlusion: np.ndarray  # (V,) in [0, 1], share of the surroundings that is seen
    mirror: np.ndarray  # (V,)
    quads: np.ndarray  # (Q, 4), part after part
    quad_parts: np.ndarray  # (Q,)
    uv: np.ndarray  # (U, 2)
    uv_quads: np.ndarray  # (Q, 4)


def read_asset(path: Path = ASSET) -> dict[str, np.ndarray]:
    """The arrays of an asset by name.

    Raises:
        FaceShapeError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise FaceShapeError(
            f"there is no face asset at {path}; install the package again"
        ) from None
    except (
        OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile, lzma.LZMAError
    ) as error:  # fmt: skip
        raise FaceShapeError(
            f"the face asset {path} is damaged ({error}); install the package again"
        ) from None


def level(asset: Mapping[str, np.ndarray], subdivision: int) -> Level:
    """The mesh as it was sculpted (0), or after one Catmull-Clark step (1).

    Raises:
        FaceShapeError: there is no such level.
    """
    if subdivision not in (0, 1):
        raise FaceShapeError(f"subdivision is {subdivision}; the model has levels 0 and 1")
    flat = _side_by_side(asset)
    quads, uv_quads = asset["quads"].astype(np.int64), asset["uv_quads"].astype(np.int64)
    quad_parts, uv = asset["quad_parts"], asset["uv"]
    if subdivision:
        step = catmull_clark(quads, len(flat))
        texture = catmull_clark(uv_quads, len(uv), smooth=False)
        eyes = np.unique(quads[quad_parts == asset["part_names"].tolist().index("eyes")])
        flat = _keep_size(step.matrix, eyes, flat[:, :3]) @ flat
        uv = texture.matrix @ uv
        quads, uv_quads, quad_parts = step.quads, texture.quads, np.repeat(quad_parts, 4)
    modes, actions = len(asset["identity"]), len(asset["expression_names"])
    ends = np.cumsum([3, 3 * modes, 3 * actions])
    mean, identity, expression, shares = np.split(flat.astype(np.float32), ends, axis=1)
    shares = shares.clip(0, 1).T
    return Level(
        mean,
        _stacked(identity, modes),
        _stacked(expression, actions),
        shares[:-1],
        shares[-1],
        _mirror(asset["mirror"].astype(np.int64), mean),
        quads,
        quad_parts,
        uv.astype(np.float32),
        uv_quads,
    )


def _side_by_side(asset: Mapping[str, np.ndarray]) -> np.ndarray:
    """(V, 3 + 3 K + 3 E + R + 1) all that varies, so that one product subdivides it."""
    count = len(asset["mean"])
    starts, index = asset["expression_starts"], asset["expression_index"]
    actions = len(asset["expression_names"])
    expression = np.zeros((count, actions, 3), np.float32)
    action = np.repeat(np.arange(actions), np.diff(starts.astype(np.int64)))
    expression[index, action] = asset["expression_offset"]
    columns = [
        asset["mean"],
        asset["identity"].transpose(1, 0, 2).reshape(count, -1).astype(np.float32),
        expression.reshape(count, -1),
        asset["regions"].T.astype(np.float32) / 255,
        asset["occlusion"][:, None].astype(np.float32) / 255,
    ]
    return np.concatenate(columns, 1)


def _stacked(columns: np.ndarray, count: int) -> np.ndarray:
    """(V, 3 K) to (K, V, 3)."""
    return columns.reshape(len(columns), count, 3).transpose(1, 0, 2)


def _keep_size(matrix: sp.csr_matrix, closed: np.ndarray, points: np.ndarray) -> sp.csr_matrix:
    """Undo the shrinking of two closed surfaces, each about its own centre.

    Smoothing takes half a millimetre off a coarse eyeball, and the lids would no longer touch it.

    Args:
        matrix: (V', V) of the subdivision.
        closed: vertices of the surfaces, one on each side of x = 0.
        points: (V, 3).
    """
    fresh = matrix @ points
    uses = np.zeros(len(points))
    uses[closed] = 1
    inside = matrix @ uses > 0.5  # new points of the closed surfaces: they use nothing else
    scale, centres = np.ones(len(fresh)), sp.lil_matrix(matrix.shape)
    for sign in (1, -1):
        old = closed[sign * points[closed, 0] > 0]
        new = np.flatnonzero(inside & (sign * fresh[:, 0] > 0))
        centre = points[old].mean(0)
        before = np.linalg.norm(points[old] - centre, axis=1).mean()
        growth = before / np.linalg.norm(fresh[new] - centre, axis=1).mean()
        scale[new] = growth
        centres[np.ix_(new, old)] = (1 - growth) / len(old)
    return sp.diags(scale) @ matrix + centres.tocsr()


def _mirror(mirror: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(V,) the table of mirror images, extended to the points that subdivision adds."""
    if len(mirror) == len(mean):
        return mirror
    extended = cKDTree(mean * [-1, 1, 1]).query(mean)[1]
    extended[: len(mirror)] = mirror
    return extended
