"""Which vertices the 68 landmarks are: Cole et al. (2017), appendix B.1.

Heads are drawn under jittered cameras and lights, landmarks are detected in the pictures, and each
detected landmark votes for the vertices that it lies on. Where a detector puts the outline of the
jaw depends on how the head is turned, so the votes are counted apart by yaw.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from tqdm.auto import tqdm

from tools.face_world.picture import View, draw
from visage.faces.raster import visible_triangles
from visage.photos.landmarks import NoFaceError, SeveralFacesError, find_face

YAWS = tuple(range(-30, 31, 10))  # degrees
# 68 landmarks, as the face's mirror image has them.
MIRRORED = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
     45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
     *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65]
)  # fmt: skip
REACH = 3.0  # pixels within which a vertex gets part of a vote
JITTER = (4.0, 8.0, 5.0)  # degrees: standard deviations of yaw (about its bin), pitch, roll


@dataclass(frozen=True)
class Vote:
    """Landmark vertices, and what they were chosen from."""

    landmarks: np.ndarray  # (68,)
    contour: np.ndarray  # (Y, 17) the jaw's landmarks by yaw
    views: int
    detected: int
    inner_error: float  # landmarks 17 to 67 to their vertices, over the outer-eye distance
    contour_error: float  # landmarks 0 to 16 to the yaw's vertices, likewise


def vote(
    heads: Tensor, triangles: Tensor, colours: Tensor, candidates: np.ndarray, mirror, seed: int
) -> Vote:
    """Find the landmark vertices of the heads' topology.

    Args:
        heads: (N, V, 3) mm, of different people.
        triangles: (F, 3).
        colours: (V, 3), linear.
        candidates: vertices that a landmark may be.
        mirror: (V,), each vertex's mirror image.
        seed: of cameras and lights.
    """
    random = np.random.default_rng(seed)
    votes = np.zeros((len(YAWS), 68, heads.shape[1]))
    seen = []
    for head in tqdm(heads, desc="landmarks"):
        for bin_, yaw in enumerate(YAWS):
            view = _jittered(yaw, random)
            images, points = draw(head[None], triangles, colours, view)
            try:
                found = find_face(images).landmarks[0].double().numpy()
            except (NoFaceError, SeveralFacesError):
                continue
            points = points[0].numpy()
            front = candidates[_visible(points, triangles, candidates, view.size)]
            _cast(votes[bin_], found, points[:, :2], front)
            seen.append((bin_, found, points[:, :2]))
    # A mirrored head under the mirrored yaw gives the mirrored votes.
    votes += votes[::-1][:, MIRRORED][:, :, mirror]
    landmarks = votes.sum(0).argmax(1)
    landmarks[:17] = votes[len(YAWS) // 2, :17].argmax(1)
    contour = votes[:, :17].argmax(2)
    inner, outer = [], []
    for bin_, found, points in seen:
        scale = np.linalg.norm(found[45] - found[36])
        inner.append(_apart(found[17:], points[landmarks[17:]]) / scale)
        outer.append(_apart(found[:17], points[contour[bin_]]) / scale)
    return Vote(
        landmarks,
        contour,
        len(heads) * len(YAWS),
        len(seen),
        float(np.mean(inner)),
        float(np.mean(outer)),
    )


def _jittered(yaw: float, random: np.random.Generator) -> View:
    turn = np.radians(random.normal([yaw, 0, 0], JITTER))
    light = random.normal([0, 0.4, 1.2], [0.5, 0.3, 0.2])
    return View(
        *turn, size=256, field=random.uniform(280, 360), centre=-20.0, light=tuple(light.tolist())
    )


def _visible(points, triangles, candidates, size) -> np.ndarray:
    """Candidates on triangles that some pixel sees."""
    ids = visible_triangles(
        torch.from_numpy(points)[None], triangles, size, size, perspective=True
    ).unique()
    corners = triangles[ids[ids >= 0].long()].unique().numpy()
    return np.isin(candidates, corners)


def _cast(votes: np.ndarray, found: np.ndarray, pixels: np.ndarray, front: np.ndarray) -> None:
    """One vote a landmark, shared among the vertices it lies near."""
    tree = cKDTree(pixels[front])
    distance, index = tree.query(found, k=12)
    share = np.exp(-0.5 * (distance / (REACH / 2)) ** 2) * (distance < 2 * REACH)
    # Where nothing is near (a jaw outside the outline), the nearest vertex has the vote.
    share[share.sum(1) == 0, 0] = 1
    share /= share.sum(1, keepdims=True)
    np.add.at(votes, (np.arange(68)[:, None], front[index]), share)


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())
