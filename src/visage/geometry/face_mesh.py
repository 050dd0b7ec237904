"""The part of the morphable model that this part of the book reconstructs: the face.

A picture shows the face; what lies under the hair, behind the ears and below the collar it does
not. As in the paper, whose model is made of faces alone, everything that is drawn, masked and
measured is therefore the front of the head from the hairline to the chin, with the eyes and the
inside of the mouth, on about half of the head's vertices.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from visage.faces.shape import MorphableModel
from visage.geometry.errors import RepresentationError

INSIDE = ("sockets", "mouth", "eyes", "teeth", "tongue")
"""Parts that are drawn beside the skin of the face."""


class FaceMesh(nn.Module):
    """S = μ + A_id·α + A_exp·β over the N vertices of the face (Richardson et al. 2017, eq. 1).

    Args:
        model: whose face it is, not subdivided or subdivided once.

    Attributes:
        chosen: (N,) int64, the face's vertices among the model's.
        mean: (N, 3) mm, head frame.
        modes: (132, N, 3) mm, [A_id | A_exp]: a standard deviation of each of 80 identity modes,
            and 52 facial actions at full strength.
        triangles: (F, 3) int64 into the N vertices, counter-clockwise from outside.
        skin: (F,) bool, triangles of the skin: not those of eyes, teeth, ...
        coordinates: (N, 3) in [0, 1], each vertex's place on the mean face, which PNCC paints.
        gram: (132, 132) mm², mean over the vertices of the modes' inner products.
    """

    def __init__(self, model: MorphableModel):
        super().__init__()
        face = model.regions["face"] > 0.5
        drawn, skin = [], []
        for name in ("skin", *INSIDE):
            triangles = model.triangles[model.part_triangles[name]]
            if name == "skin":
                triangles = triangles[face[triangles].all(1)]
            drawn.append(triangles)
            skin.append(torch.full((len(triangles),), name == "skin"))
        triangles = torch.cat(drawn)
        chosen, corners = triangles.unique(return_inverse=True)
        identity = model.identity_basis[:, chosen] * model.identity_std[:, None, None]
        modes = torch.cat([identity, model.expression_basis[:, chosen]])
        flat = modes.flatten(1)
        low, high = (getattr(model.mean[chosen], name)(0) for name in ("amin", "amax"))
        for name, value in {
            "chosen": chosen,
            "mean": model.mean[chosen],
            "modes": modes,
            "triangles": corners,
            "skin": torch.cat(skin),
            "coordinates": (model.mean[chosen] - low) / (high - low),
            "gram": flat @ flat.T / len(chosen),
        }.items():
            self.register_buffer(name, value.clone(), persistent=False)
        self.identity_modes = len(identity)

    @classmethod
    def load(cls, subdivision: int = 0) -> FaceMesh:
        """The face of the model, read once a process.

        Args:
            subdivision: 0 for the mesh as it was sculpted, 1 for a depth map whose normals do not
                show the mesh's facets. Both take the same numbers.

        >>> mesh = FaceMesh.load()
        >>> mesh.vertices(torch.zeros(2, 80)).shape[0]
        2
        """
        return _loaded(subdivision)

    def vertices(self, identity: Tensor, expression: Tensor | None = None) -> Tensor:
        """Where the face's vertices are.

        Args:
            identity: (B, 80), standard deviations.
            expression: (B, 52), 0 at rest, 1 at full strength. None is at rest.

        Returns:
            (B, N, 3) mm, head frame, differentiable.

        Raises:
            RepresentationError: the widths or the batches do not fit.
        """
        if expression is None:
            expression = identity.new_zeros(len(identity), len(self.modes) - self.identity_modes)
        given = self.identity_modes, len(self.modes) - self.identity_modes
        widths = identity.shape[-1], expression.shape[-1]
        if widths != given or len(identity) != len(expression):
            raise RepresentationError(
                f"identity and expression are {tuple(identity.shape)} and "
                f"{tuple(expression.shape)}; expected (B, {given[0]}) and (B, {given[1]})"
            )
        shape = torch.cat([identity, expression], 1)
        return self.mean + (shape @ self.modes.flatten(1)).unflatten(1, (-1, 3))


@lru_cache(maxsize=2)
def _loaded(subdivision: int) -> FaceMesh:
    return FaceMesh(MorphableModel.load(subdivision))
