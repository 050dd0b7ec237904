"""The space of albedos in which eq. 12 looks: μ_T + A_T α_T (Richardson et al. 2017, eq. 10).

The paper's ten components come from scanned textures. These come from synthetic training people,
photographed in light from all sides, as scans are: what a vertex's albedo holds is skin, lips,
stubble, brows and lashes, and the light that hollows lose. It is grey and linear, because that is
what the criterion of FineNet explains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from visage.checkpoints import load_checkpoint
from visage.faces.asset import read_asset
from visage.faces.raster import interpolate
from visage.faces.subdivision import catmull_clark
from visage.geometry.errors import TextureError
from visage.geometry.face_mesh import FaceMesh

NAME = "face_textures"
"""Of the checkpoint."""

MODES = 10
"""As many as the paper has."""


@dataclass(frozen=True, eq=False)
class TextureSpace:
    """K modes of albedo over the N vertices of a `FaceMesh`.

    Raises:
        TextureError: the shapes do not fit.
    """

    mean: Tensor  # (N,), linear albedo, μ_T
    modes: Tensor  # (K, N), its change for one standard deviation, A_T
    triangles: Tensor  # (F, 3) int64, the mesh's

    def __post_init__(self):
        if self.mean.ndim != 1 or self.modes.shape[1:] != self.mean.shape:
            raise TextureError(
                f"mean is {tuple(self.mean.shape)} and modes {tuple(self.modes.shape)}; expected "
                "(N,) and (K, N)"
            )
        if len(self.triangles) and int(self.triangles.max()) >= len(self.mean):
            raise TextureError(
                f"textures of {len(self.mean)} vertices do not fit a mesh of "
                f"{int(self.triangles.max()) + 1}; learn them again for this mesh"
            )

    @classmethod
    def load(cls, mesh: FaceMesh | None = None) -> TextureSpace:
        """The one that is shipped.

        Args:
            mesh: that is drawn, of either subdivision; `FaceMesh.load()` if None.

        Raises:
            visage.checkpoints.CheckpointError: its file is missing or damaged.
            TextureError: it was made for another mesh.

        >>> TextureSpace.load().modes.shape[0]
        10
        """
        mesh = FaceMesh.load() if mesh is None else mesh
        kept = load_checkpoint(NAME)[0]
        values = torch.cat([kept["mean"][:, None], kept["modes"].T], 1)  # (N, 1 + K)
        if len(mesh.mean) > len(values):
            values = _subdivided(values, mesh.chosen.cpu())
        space = cls(values[:, 0].clone(), values[:, 1:].T.contiguous(), mesh.triangles.cpu())
        return space.to(mesh.triangles.device)

    def to(self, target: torch.device | torch.dtype | str) -> TextureSpace:
        """The same space on another device, or in another type."""
        moved = self.triangles if isinstance(target, torch.dtype) else self.triangles.to(target)
        return TextureSpace(self.mean.to(target), self.modes.to(target), moved)

    def albedo(self, weights: Tensor) -> Tensor:
        """μ_T + A_T α_T at the vertices.

        Args:
            weights: (B, K), α_T, standard deviations.

        Returns:
            (B, N), linear.

        Raises:
            TextureError: the weights are not (B, K).
        """
        if weights.ndim != 2 or weights.shape[1] != len(self.modes):
            raise TextureError(
                f"weights are {tuple(weights.shape)}; expected (B, {len(self.modes)})"
            )
        return self.mean + weights @ self.modes

    def drawn(self, ids: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """What pixels see of the mean and of each mode.

        Args:
            ids: (B, H, W), triangle of each pixel, negative at the background, as `DepthMap.ids`.
            weights: (B, H, W, 3), barycentric coordinates, as `DepthMap.weights`.

        Returns:
            mean: (B, 1, H, W), linear.
            modes: (B, K, H, W); both are zero at the background.

        Raises:
            visage.faces.visibility.RasterError: ids and weights do not fit each other or the mesh.
        """
        values = torch.cat([self.mean[:, None], self.modes.T], 1)
        pictures = interpolate(values, self.triangles, ids, weights.to(values.dtype))
        return pictures[:, :1], pictures[:, 1:]


def _subdivided(values: Tensor, chosen: Tensor) -> Tensor:
    """Values (N, K) of `FaceMesh.load(0)` at the vertices (N',) of the model subdivided once."""
    asset = read_asset()
    step = catmull_clark(asset["quads"].astype(np.int64), len(asset["mean"])).matrix
    rows = step[chosen.numpy()][:, FaceMesh.load().chosen.numpy()]
    # A vertex on the border of the face also stands between some that have no texture.
    share = np.asarray(rows.sum(1))
    if not (share > 0).all():
        raise TextureError("the mesh has vertices beyond the face; learn its textures again")
    return torch.from_numpy((rows @ values.double().numpy()) / share).to(values.dtype)
