"""From windows to detailed depth: CoarseNet, the layer that draws, FineNet.

The whole of Richardson et al. (2017), figure 3, for faces that are found already, many at a time.
`visage.geometry.reconstruct` is for photographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visage.geometry.coarse import ITERATIONS, CoarseFit, reconstruct_coarse
from visage.geometry.coarse_network import CoarseNet, load_coarse_net
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.face_window import FaceWindow
from visage.geometry.fine_network import FineNet, load_fine_net
from visage.geometry.rendering_layer import DepthMap, render_depth
from visage.geometry.representation import SIZE, FaceNumbers, pose_numbers
from visage.geometry.surface_normals import normals_of_depth

FINE_MESH = 1
"""Level of subdivision at which the coarse depth is drawn: flat triangles would be seen in it."""

LOOKS = 2
"""How often CoarseNet looks at a picture, each time through a window of its own."""


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
    """CoarseNet's answers for B windows, look by look."""

    fits: tuple[CoarseFit, ...]  # all in the frame of the windows that were given

    @property
    def last(self) -> FaceNumbers:
        """The answer."""
        return self.fits[-1].last

    @property
    def settled(self) -> Tensor:
        """(B,) mm that the last iteration moved the vertices, on average."""
        return self.fits[-1].change[-1]

    @property
    def apart(self) -> Tensor:
        """(B,) mm between the last two looks' vertices; of one look, as `settled`."""
        if len(self.fits) == 1:
            return self.settled
        before, after = (_placed(fit.last) for fit in self.fits[-2:])
        return (after - before).norm(dim=2).mean(1)


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
def reconstruct_windows(
    networks: Networks, faces: Tensor, iterations: int = ITERATIONS, *, looks: int = LOOKS
) -> Surfaces:
    """Reconstruct the faces that windows show.

    Args:
        networks: that do it.
        faces: (B, 1, S, S), grey, sRGB in [0, 1]; S is 200 or another multiple of 100.
        iterations: of CoarseNet, a look.
        looks: see `coarse_looks`.

    Raises:
        GeometryError: the faces have another shape, or hold NaN.
    """
    found = coarse_looks(networks.coarse, faces, iterations, looks=looks)
    size = faces.shape[-1]
    coarse = render_depth(FaceMesh.load(FINE_MESH), found.last, size)
    scale = found.last.camera(size).scale
    return Surfaces(found, coarse, networks.fine(faces, coarse.depth, coarse.mask, scale))


@torch.no_grad()
def coarse_looks(
    network: CoarseNet, faces: Tensor, iterations: int = ITERATIONS, *, looks: int = LOOKS
) -> Looks:
    """CoarseNet's iterations, and again through windows in whose middle the faces stand.

    A detector's box follows the nose of a face that turns, and is large or small by chance: faces
    lie farther off the middle than is easy to learn. The first look says where they are.

    Args:
        network: in evaluation mode.
        faces: (B, 1, S, S), grey.
        iterations: a look.
        looks: at least 1.
    """
    mesh, size = FaceMesh.load(), faces.shape[-1]
    fits = [reconstruct_coarse(network, mesh, faces, iterations)]
    batch = len(faces)
    whole = FaceWindow(faces.new_full((batch, 2), (SIZE - 1) / 2), faces.new_full((batch,), SIZE))
    for _ in range(looks - 1):
        window = whole.recentred(fits[-1].last)
        again = window.scaled(size / SIZE).cut(faces, size)
        found = reconstruct_coarse(network, mesh, again, iterations)
        steps = tuple(_outside(window, step) for step in found.steps)
        fits.append(CoarseFit(steps, found.change))
    return Looks(tuple(fits))


def _outside(window: FaceWindow, numbers: FaceNumbers) -> FaceNumbers:
    """Numbers of windows as seen in the picture that they are in."""
    camera = window.camera_outside(numbers.camera(SIZE), SIZE)
    return FaceNumbers(numbers.identity, numbers.expression, pose_numbers(camera))


def _placed(numbers: FaceNumbers) -> Tensor:
    """(B, N, 3) mm, the vertices in the view frame."""
    return numbers.camera().view(numbers.vertices(FaceMesh.load()))
