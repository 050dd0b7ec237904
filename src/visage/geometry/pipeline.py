"""From windows to detailed depth: CoarseNet, the layer that draws, FineNet.

The whole of Richardson et al. (2017), figure 3, for faces that are found already, many at a time.
`visage.geometry.reconstruct` is for photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.fitting.mirror import Mirror
from visage.faces.shape import MorphableModel
from visage.geometry.coarse import CoarseFit, reconstruct_coarse
from visage.geometry.coarse_network import CoarseNet, load_coarse_net
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.face_window import FaceWindow
from visage.geometry.fine_network import FineNet, load_fine_net
from visage.geometry.rendering_layer import DepthMap, render_depth
from visage.geometry.representation import SIZE, FaceNumbers, pose_numbers
from visage.geometry.surface_normals import normals_of_depth

FINE_MESH = 1
"""Level of subdivision at which the coarse depth is drawn: flat triangles would be seen in it."""

LOOKS, A_LOOK = 2, 2
"""How often CoarseNet looks at a picture, each time through a window of its own, and how many
iterations a look has: together as many as the paper's. More gain nothing on validation people."""


@dataclass(frozen=True, eq=False)
class Networks:
    """The two networks, in evaluation mode."""

    coarse: CoarseNet
    fine: FineNet

    @classmethod
    def load(cls) -> Networks:
        """Those that are shipped.

        Raises:
            visage.checkpoints.CheckpointError: one is missing or damaged.
        """
        return cls(load_coarse_net(), load_fine_net())


@dataclass(frozen=True, eq=False)
class Looks:
    """CoarseNet's answers for B windows."""

    first: CoarseFit  # through the window that was given, as the paper has it
    answers: Tensor  # (K, B, 138), of all looks, in the frame of that window
    settled: Tensor  # (B,) mm that the last iteration of a look moved the vertices, on average

    @property
    def last(self) -> FaceNumbers:
        """The answer: the mean of all."""
        return FaceNumbers.of(self.answers.mean(0))

    @property
    def apart(self) -> Tensor:
        """(B,) mm, how far the answers' vertices are from those of their mean, on average."""
        middle = _placed(self.last)
        away = [(_placed(FaceNumbers.of(one)) - middle).norm(dim=2) for one in self.answers]
        return torch.stack(away).mean((0, 2))


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What was found in B windows of S pixels."""

    looks: Looks
    coarse: DepthMap  # drawn from CoarseNet's numbers
    depth: Tensor  # (B, 1, S, S) mm, FineNet's; infinite where the mask is 0

    def __len__(self) -> int:
        """B."""
        return len(self.depth)

    @property
    def numbers(self) -> FaceNumbers:
        """CoarseNet's, in the frame of the windows."""
        return self.looks.last

    @property
    def mask(self) -> Tensor:
        """(B, 1, S, S), 1 where there is a face."""
        return self.coarse.mask

    @property
    def scale(self) -> Tensor:
        """(B,) pixels a millimetre."""
        return self.numbers.camera(self.depth.shape[-1]).scale

    @property
    def normals(self) -> Tensor:
        """(B, 3, S, S), unit vectors of the detailed surface, view frame; zero off the face."""
        return normals_of_depth(self.depth, self.mask, self.scale)


@torch.no_grad()
def reconstruct_windows(networks: Networks, faces: Tensor, iterations: int = A_LOOK) -> Surfaces:
    """Reconstruct the faces that windows show.

    Args:
        networks: that do it.
        faces: (B, 1, S, S), grey, sRGB in [0, 1]; S is 200 or another multiple of 100.
        iterations: of CoarseNet, a look; see `coarse_looks`.

    Raises:
        GeometryError: the faces have another shape, or hold NaN.
    """
    found = coarse_looks(networks.coarse, faces, iterations)
    size = faces.shape[-1]
    coarse = face_depth(found.last, size)
    scale = found.last.camera(size).scale
    return Surfaces(found, coarse, networks.fine(faces, coarse.depth, coarse.mask, scale))


@torch.no_grad()
def face_depth(numbers: FaceNumbers, size: int = SIZE) -> DepthMap:
    """Draw the depth of faces, without facets and without their inner side.

    The face is an open surface. From the side one would see the mouth's cavity from behind, and the
    inside of the far cheek, where a head has its neck and its hair: such pixels are left out.

    Args:
        numbers: of B faces.
        size: pixels of the square pictures.
    """
    mesh = FaceMesh.load(FINE_MESH)
    drawn = render_depth(mesh, numbers, size)
    points = numbers.camera(size).project(numbers.vertices(mesh))[..., :2]
    a, b, c = points[:, mesh.triangles].unbind(2)
    ahead, beside = b - a, c - a
    # Counter-clockwise from outside is clockwise where y points down.
    outside = ahead[..., 0] * beside[..., 1] < ahead[..., 1] * beside[..., 0]
    seen = drawn.ids >= 0
    found = outside.gather(1, drawn.ids.long().clamp(min=0).flatten(1)).view_as(seen)
    keep = (seen & found)[:, None]
    return DepthMap(
        drawn.depth.masked_fill(~keep, torch.inf),
        keep.to(drawn.mask),
        drawn.ids.masked_fill(~keep[:, 0], -1),
        drawn.weights * keep[:, 0, ..., None],
    )


@torch.no_grad()
def coarse_looks(
    network: CoarseNet,
    faces: Tensor,
    iterations: int = A_LOOK,
    *,
    looks: int = LOOKS,
    mirrored: bool = True,
) -> Looks:
    """CoarseNet's iterations; and again through other windows, and in a mirror.

    The paper looks once. A detector's box follows the nose of a face that turns, and is large or
    small by chance; the first look says where the face is, and the second one's window is centred
    on it. What the network makes of a mirrored face is as good an answer. The mean of four answers
    is nearer to the truth than each (by 6 % on validation people), and how much they differ tells
    how far off they may be.

    Args:
        network: in evaluation mode.
        faces: (B, 1, S, S), grey.
        iterations: a look.
        looks: at least 1.
        mirrored: whether each look is also taken in a mirror.
    """
    size, batch = faces.shape[-1], len(faces)
    whole = FaceWindow(faces.new_full((batch, 2), (SIZE - 1) / 2), faces.new_full((batch,), SIZE))
    seen, window, fits, answers = faces, whole, [], []
    for look in range(looks):
        if look:
            window = whole.recentred(FaceNumbers.of(answers[0]))
            seen = window.scaled(size / SIZE).cut(faces, size)
        fit = reconstruct_coarse(
            network, FaceMesh.load(), torch.cat([seen, seen.flip(3)]) if mirrored else seen,
            iterations,
        )  # fmt: skip
        fits.append(fit)
        found = fit.last.numbers.split(batch)
        if mirrored:
            found = found[0], _mirror().where(torch.ones(batch).bool(), found[1])
        answers += [_outside(window, FaceNumbers.of(one)) for one in found]
    first = CoarseFit(tuple(step[:batch] for step in fits[0].steps), fits[0].change[:, :batch])
    settled = torch.cat([fit.change[-1].view(-1, batch) for fit in fits]).mean(0)
    return Looks(first, torch.stack(answers), settled)


def _outside(window: FaceWindow, numbers: FaceNumbers) -> Tensor:
    """Numbers (B, 138) of windows as seen in the picture that they are in."""
    camera = window.camera_outside(numbers.camera(SIZE), SIZE)
    return torch.cat([numbers.shape, pose_numbers(camera)], 1)


def _placed(numbers: FaceNumbers) -> Tensor:
    """(B, N, 3) mm, the vertices in the view frame."""
    return numbers.camera().view(numbers.vertices(FaceMesh.load()))


@lru_cache(maxsize=1)
def _mirror() -> Mirror:
    return Mirror.of(MorphableModel.load())
