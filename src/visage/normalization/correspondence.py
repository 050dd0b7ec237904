"""Which vertices the landmarks are: votes of many cameras, Cole et al. (2017), appendix B.1.

A landmark detector looks at the model's mean face, and each landmark picks the visible vertex that
is projected nearest to it. One picture is not to be trusted: at grazing angles neighbours on the
screen are far apart on the head. So it is done for many cameras, each a little different, and the
vertex with most votes wins.

The paper's detector gives 65 landmarks; dlib's 68 stand for them. `MorphableModel.landmarks` were
found in a similar way when the asset was built, but from more: many heads, yaws up to 30 degrees,
soft votes, mirror symmetry, and corrections measured on finished people. Here is the paper's way,
from one face, to see what it gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.buffers import drawn_triangles
from visage.faces.camera import WeakPerspective
from visage.faces.hair import grow
from visage.faces.light import LIGHT_KINDS, seeded_lights
from visage.faces.population import people
from visage.faces.raster import visible_triangles
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.skin import skin_maps
from visage.normalization.errors import NormalizationError
from visage.photos.landmarks import detect_faces, find_landmarks

__all__ = ["Correspondence", "JitteredCameras", "find_correspondence", "tally"]

_LIGHTS = tuple(kind for kind in LIGHT_KINDS if kind.name in ("overcast", "studio"))
_DISTANCE = (900.0, 2000.0)  # mm


@dataclass(frozen=True)
class JitteredCameras:
    """Cameras from which the mean face is seen; ranges are to both sides, uniform."""

    count: int = 60
    size: int = 256  # pixels
    yaw: float = 12.0  # degrees: the contour slides along the jaw when the head turns further
    pitch: float = 8.0
    roll: float = 6.0
    width: tuple[float, float] = (260.0, 330.0)  # mm that the picture shows
    shift: float = 8.0  # mm


@dataclass(frozen=True, eq=False)
class Correspondence:
    """68 vertices, and how they were elected."""

    vertices: Tensor  # (68,) int64
    share: Tensor  # (68,), of the votes that the elected vertex got
    views: int  # pictures in which a face was detected

    def distance_mm(self, model: MorphableModel, others: Tensor) -> Tensor:
        """How far (68,) the elected vertices are from others (68,), mm on the mean head."""
        return (model.mean[self.vertices] - model.mean[others]).norm(dim=1)


def find_correspondence(
    model: MorphableModel,
    cameras: JitteredCameras | None = None,
    *,
    seed: int = 0,
    looks: Sequence[int] = (3, 4, 7),
) -> Correspondence:
    """Elect the landmarks' vertices on the mean face.

    Args:
        model: at the level whose vertices are wanted.
        cameras: from where to look.
        seed: of cameras and lights.
        looks: training people whose skin, brows and lashes the mean face wears in turns: a shape
            has none of its own, and a detector wants to see some.

    Returns:
        Correspondence.

    Raises:
        NormalizationError: the detector saw no face in any picture.
    """
    cameras = cameras or JitteredCameras()
    generator = torch.Generator().manual_seed(seed)
    candidates = torch.zeros(len(model.mean), dtype=torch.bool)
    candidates[model.triangles[model.part_triangles["skin"]].flatten()] = True
    choices = []
    faces = [_dressed(model, look, cameras.size) for look in looks]
    for view in tqdm(range(cameras.count), desc="voting", unit="view", disable=None, leave=False):
        scene = replace(
            faces[view % len(faces)],
            camera=_jittered(cameras, generator),
            light=seeded_lights(torch.randint(2**31, (1,), generator=generator), _LIGHTS),
        )
        picture = render(model, scene).image
        boxes = detect_faces(picture)
        if boxes:
            landmarks = find_landmarks(picture, max(boxes, key=lambda box: box.score))[0]
            points = scene.camera.project(model.mean[None])
            choices.append(nearest_visible(model, points, landmarks, candidates, cameras.size))
    if not choices:
        raise NormalizationError("no face was seen in any view; widen the pictures")
    vertices, share = tally(torch.stack(choices))
    return Correspondence(vertices, share, len(choices))


def tally(choices: Tensor) -> tuple[Tensor, Tensor]:
    """Count votes.

    Args:
        choices: (N, L) int64, the vertex that each of N views picks for each landmark.

    Returns:
        winners (L,), of equals the lowest number, and their share of the votes (L,).

    >>> tally(torch.tensor([[5, 2], [5, 3], [7, 3]]))
    (tensor([5, 3]), tensor([0.6667, 0.6667]))
    """
    winners, shares = [], []
    for votes in choices.T:
        names, counts = votes.unique(return_counts=True)
        winners.append(names[counts.argmax()])
        shares.append(counts.max() / len(votes))
    return torch.stack(winners), torch.stack(shares)


def nearest_visible(
    model: MorphableModel, points: Tensor, landmarks: Tensor, candidates: Tensor, size: int
) -> Tensor:
    """The visible vertex that is projected nearest to each landmark.

    Args:
        model: whose triangles hide and show vertices.
        points: (1, V, 3), pixels and depth of all vertices, by a perspective camera.
        landmarks: (L, 2), pixels.
        candidates: (V,) bool, which vertices may be picked.
        size: of the picture, pixels.

    Returns:
        (L,) int64.
    """
    triangles = drawn_triangles(model)
    ids = visible_triangles(points, triangles, size, size, perspective=True)
    seen = torch.zeros_like(candidates)
    seen[triangles[ids[ids >= 0].long().unique()].flatten()] = True
    among = (seen & candidates).nonzero()[:, 0]
    return among[torch.cdist(landmarks, points[0, among, :2]).argmin(1)]


def _dressed(model: MorphableModel, look: int, size: int) -> Scene:
    """The mean face in a training person's skin, brows, lashes and hair."""
    person = people(model, 0, [look], split="train")
    identity = torch.zeros_like(person.identity)
    none = torch.zeros(1, len(model.expression_names))
    camera = _jittered(JitteredCameras(size=size), torch.Generator().manual_seed(0))
    return Scene(
        identity,
        none,
        camera,
        seeded_lights(torch.tensor([0]), _LIGHTS),
        maps=skin_maps(model, person.skin, 256),
        strands=[grow(model, person.hair[0], model.vertices(identity), count=2000)],
    )


def _jittered(cameras: JitteredCameras, generator: torch.Generator):
    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(1, generator=generator)

    most = torch.deg2rad(torch.tensor([cameras.pitch, cameras.yaw, cameras.roll]))
    angles = (2 * torch.rand(1, 3, generator=generator) - 1) * most
    shift = (2 * torch.rand(1, 2, generator=generator) - 1) * cameras.shift
    weak = WeakPerspective(
        angles, shift, cameras.size, cameras.size, scale=cameras.size / uniform(*cameras.width)
    )
    return weak.at_distance(uniform(*_DISTANCE))
