"""What CoarseNet is trained by (Richardson et al. 2017, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from visage.geometry.coarse_network import CoarseNet
from visage.geometry.errors import GeometryError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.representation import FaceNumbers


def geometry_error(estimate: Tensor, truth: Tensor, gram: Tensor) -> Tensor:
    """GMSE, ‖[A_id|A_exp] (α̂ - α)‖² over the number of vertices (Richardson et al. 2017, eq. 4).

    The mesh is not formed: with the Gram matrix G of the modes it is (α̂ - α)ᵀ G (α̂ - α), 132²
    products instead of 132 times three for each vertex.

    Args:
        estimate: (B, K) coefficients.
        truth: (B, K).
        gram: (K, K) mm², mean over the vertices, as `FaceMesh.gram`.

    Returns:
        (B,) mm², mean squared distance of the vertices.

    Raises:
        GeometryError: the shapes do not fit.

    >>> geometry_error(torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2), torch.eye(2))
    tensor([4.])
    """
    if estimate.shape != truth.shape or gram.shape != (estimate.shape[-1],) * 2:
        raise GeometryError(
            f"coefficients are {tuple(estimate.shape)} and {tuple(truth.shape)}, their Gram "
            f"matrix {tuple(gram.shape)}; expected (B, K), (B, K) and (K, K)"
        )
    difference = estimate - truth
    return ((difference @ gram) * difference).sum(1)


def pose_error(estimate: Tensor, truth: Tensor) -> Tensor:
    """Mean squared difference (B,) of the six pose numbers (B, 6), "sufficient" in the paper."""
    return (estimate - truth).square().mean(1)


def placed_error(
    mesh: FaceMesh, estimate: FaceNumbers, truth: FaceNumbers, every: int = 14
) -> Tensor:
    """Mean distance of vertices as the camera sees them: of shape and pose together.

    Not the paper's. Its two criteria do not know each other: a degree of yaw, which moves the sides
    of the face by a millimetre, is a small number in the one and none in the other. And a square
    forgets small errors, which are all that is left at the end.

    Args:
        mesh: of the face.
        estimate: of B faces.
        truth: of B faces.
        every: takes one vertex of so many.

    Returns:
        (B,) mm at the mean face's scale.
    """
    chosen = slice(None, None, every)
    modes = mesh.modes[:, chosen].flatten(1)

    def placed(numbers: FaceNumbers) -> Tensor:
        vertices = mesh.mean[chosen] + (numbers.shape @ modes).unflatten(1, (-1, 3))
        camera = numbers.camera()
        growth = camera.scale / FaceNumbers.zeros(1).camera().scale.to(camera.scale)
        return camera.view(vertices) * growth[:, None, None]

    apart = placed(estimate) - placed(truth)
    # Depth has no origin in weak perspective, and a face at another size is another depth.
    return (apart.square().sum(2) + 1e-6).sqrt().mean(1)


@dataclass(frozen=True)
class CoarseWeights:
    """Of the terms; see `balanced`."""

    geometry: float = 1.0  # of mm²
    pose: float = 1.0
    placed: float = 0.0  # of mm; 0 is the paper's criterion


def balanced(
    mesh: FaceMesh, current: FaceNumbers, truth: FaceNumbers, placed: float = 1.0
) -> CoarseWeights:
    """Weights with which all terms begin at 1: "approximately the same initial error".

    Args:
        mesh: of the face.
        current: what an untrained network answers: r_t as it was given.
        truth: r_gt.
        placed: where the term that is not the paper's begins; 0 leaves it out.
    """
    geometry = geometry_error(current.shape, truth.shape, mesh.gram).mean()
    pose = pose_error(current.pose, truth.pose).mean()
    apart = placed_error(mesh, current, truth).mean()
    return CoarseWeights(1 / float(geometry), 1 / float(pose), placed / float(apart))


@dataclass(frozen=True)
class CoarseLoss:
    """The loss of a batch of `CoarseStream`.

    Args:
        mesh: makes the face's mesh, once it is needed.
        weights: of the terms, made likewise.
        own: share of each batch whose r_t is not eq. 3's mixture but the network's own answer to
            it, as at a test: 0 is the paper's. It costs a forward pass.
    """

    mesh: Callable[[], FaceMesh]
    weights: Callable[[], CoarseWeights]
    own: float = 0.33

    def __call__(
        self, model: CoarseNet, batch: dict[str, Tensor], generator: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the batch, and the terms in their own units."""
        mesh = self.mesh().to(batch["faces"].device)
        numbers = batch["current"]
        count = round(self.own * len(numbers))
        if count:
            with torch.no_grad():
                answered = model.step(mesh, batch["faces"][:count], FaceNumbers.of(numbers[:count]))
            numbers = torch.cat([answered.numbers.detach(), numbers[count:]])
        truth = FaceNumbers.of(batch["truth"])
        estimate = model.step(mesh, batch["faces"], FaceNumbers.of(numbers))
        geometry = geometry_error(estimate.shape, truth.shape, mesh.gram).mean()
        pose = pose_error(estimate.pose, truth.pose).mean()
        placed = placed_error(mesh, estimate, truth).mean()
        weights = self.weights()
        loss = weights.geometry * geometry + weights.pose * pose + weights.placed * placed
        return loss, {"geometry": geometry, "pose": pose, "placed": placed}
