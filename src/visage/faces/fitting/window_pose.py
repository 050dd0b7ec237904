"""Where a head is in a window, as six numbers; and where its points then are."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.camera import WeakPerspective
from visage.faces.fitting.surface import shape_directions
from visage.faces.fitting.window import CENTRE, SIDE, WIDTH
from visage.faces.shape import MorphableModel

TRACKED = 256
"""Points of the head that are looked at."""


def window_pose(camera: WeakPerspective) -> Tensor:
    """(B, 6): three angles, mm from the window's middle to `CENTRE`, logarithm of the enlargement.

    Args:
        camera: of windows, see `Window.camera_inside`.
    """
    centre = camera.translation + _centre_seen(camera)
    growth = (camera.scale * (WIDTH / SIDE)).log()
    return torch.cat([camera.angles, centre, growth[:, None]], 1)


def window_camera(pose: Tensor) -> WeakPerspective:
    """Invert `window_pose`."""
    scale = pose[:, 5].exp() * (SIDE / WIDTH)
    unshifted = WeakPerspective(pose[:, :3], pose[:, 3:5], SIDE, SIDE, scale=scale)
    shift = pose[:, 3:5] - _centre_seen(unshifted)
    return WeakPerspective(pose[:, :3], shift, SIDE, SIDE, scale=scale)


def _centre_seen(camera: WeakPerspective) -> Tensor:
    return camera.rotation()[:, :2] @ camera.angles.new_tensor(CENTRE)


@dataclass(frozen=True, eq=False)
class Subset:
    """Some vertices of the model, at a fraction of the work for all of them."""

    mean: Tensor  # (N, 3) mm
    directions: Tensor  # (132, N, 3) mm

    @classmethod
    def of(cls, model: MorphableModel, chosen: Tensor) -> "Subset":
        """The model's vertices (N,)."""
        return cls(model.mean[chosen], shape_directions(model)[:, chosen])

    def __call__(self, shape: Tensor) -> Tensor:
        """(B, N, 3) mm, head frame, of identity and expression (B, 132)."""
        return self.mean + (shape @ self.directions.flatten(1)).unflatten(1, self.mean.shape)


class TrackedPoints:
    """Where 256 points of a head are in a window.

    Args:
        model: whose heads are seen.
    """

    def __init__(self, model: MorphableModel):
        self.subset = Subset.of(model, tracked_vertices())

    def __call__(self, numbers: Tensor) -> Tensor:
        """(B, 256, 2), pixels of windows, of identity, expression and pose (B, 138)."""
        camera = window_camera(numbers[:, -6:])
        return camera.project(self.subset(numbers[:, :-6]))[..., :2]


@lru_cache(maxsize=1)
def tracked_vertices() -> Tensor:
    """(256,) vertices of the head: the 51 inner landmarks, then each farthest from those before.

    On the mean's skin without the torso; twice as dense on the face and the ears as on the rest.
    """
    model = MorphableModel.load()
    skin = torch.unique(model.triangles[model.part_triangles["skin"]])
    skin = skin[model.regions["torso"][skin] < 0.5]
    fine = torch.stack([model.regions[name] for name in ("face", "ears")]).amax(0)[skin]
    points, first = model.mean[skin], model.landmarks[17:]
    chosen = first.tolist()
    apart = torch.cdist(points, model.mean[first]).amin(1) * (1 + fine)
    while len(chosen) < TRACKED:
        farthest = int(apart.argmax())
        chosen.append(int(skin[farthest]))
        apart = torch.minimum(apart, (points - points[farthest]).norm(dim=1) * (1 + fine))
    return torch.tensor(chosen)
